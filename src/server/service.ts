/**
 * What a running license server does by itself: it keeps in contact with the clearinghouse where the
 * method is automatic, takes lapsed licenses back, reminds of moves that wait, looks whether it is still itself, and
 * makes backups.
 */
import { hourMs, minuteMs, secondMs } from '../core/time.ts';
import { repeat } from '../platform/repeat.ts';
import { noteService } from './app.ts';
import type { ServerContext } from './context.ts';
import { contactClearinghouse } from './usecases/contact.ts';
import { noteAlone } from './usecases/events.ts';
import { lookAgain } from './usecases/identity.ts';
import { continueLongMoves } from './usecases/long-move.ts';
import { keepMilestone } from './usecases/milestone.ts';
import { sweepLapsed } from './usecases/reclaim.ts';
import { remindOfMoves } from './usecases/remind-of-moves.ts';
import { askAgain, settlePast } from './usecases/revalidate.ts';
import { readMethod } from './usecases/settings.ts';

/** How long a contact may be held back by the clearinghouse until there is something to say. */
const longPollMs = 20 * secondMs;
/** After a failure the pauses double up to this. */
const longestPauseMs = 60 * secondMs;
/** How many licenses of a line one sweep takes back. */
const sweepLimit = 500;

/** How often it is done; as protocol §5.2 says, unless a test cannot wait so long. */
export interface ServicePace {
  readonly lookEveryMs?: number;
}

/**
 * Whether this is still the server that its database belongs to. A look that fails has found nothing: licenses are given
 * out as the last one left it, and the System log says that nobody has looked since.
 */
async function look(context: ServerContext): Promise<void> {
  try {
    await lookAgain(context);
    await askAgain(context);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    // Where not even that can be written the database has failed, which ends the program.
    await noteAlone(context, { number: 5046, data: { problem } }).catch(() => undefined);
  }
}

/** Starts the loops; the function that comes back stops them and waits for what is under way. */
export function startService(context: ServerContext, pace: ServicePace = {}): () => Promise<void> {
  const { lookEveryMs = hourMs } = pace;
  void noteService(context, 'started').catch(() => undefined);
  void context.signer.start();
  // What was stopped in the middle of a long move goes on, whether or not anybody can be reached.
  void continueLongMoves(context).catch(() => undefined);
  let pauseMs = secondMs;
  const contacts = repeat(async () => {
    if ((await context.store.read(readMethod)) !== 'automatic') return 2 * secondMs;
    const call = { waitMs: longPollMs, yields: true };
    const contact = await contactClearinghouse(context, call).catch(() => undefined);
    // A message that could not be applied comes again at once: without a pause we would ask for nothing else.
    const wentWell = contact?.ok === true && contact.value.failed.length === 0;
    pauseMs = wentWell ? 0 : Math.min(longestPauseMs, Math.max(secondMs, pauseMs * 2));
    return pauseMs;
  });
  const sweeps = repeat(async () => {
    await sweepLapsed(context, sweepLimit).catch(() => undefined);
    await remindOfMoves(context).catch(() => undefined);
    await settlePast(context).catch(() => undefined);
    await keepMilestone(context).catch(() => undefined);
    return minuteMs;
  });
  const looks = repeat(async () => {
    await look(context);
    return lookEveryMs;
  });
  const backups = repeat(async () => {
    await context.backups.tick().catch(() => undefined);
    return minuteMs;
  });
  return async () => {
    context.stopping.abort();
    await context.backups.close();
    await Promise.all([contacts.stop(), sweeps.stop(), looks.stop(), backups.stop()]);
  };
}
