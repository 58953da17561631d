/** The System log: numbered events, written in the transaction of what they tell of. */
import type { BackupNote } from '../../backup/backups.ts';
import type { EventNumber } from '../../core/event.ts';
import { eventLevel } from '../../core/event.ts';
import type { JsonObject } from '../../core/json.ts';
import { ok } from '../../core/result.ts';
import type { WriteTx } from '../../store/port.ts';
import { insertEvent } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';

const backupEvents = { made: 5060, failed: 5061, key: 5062 } as const;

/** Writes an event into the log. */
export async function noteEvent(
  context: Pick<ServerContext, 'clock'>,
  tx: WriteTx,
  event: { readonly number: EventNumber; readonly data: JsonObject },
): Promise<void> {
  await insertEvent(tx, {
    number: event.number,
    level: eventLevel(event.number),
    at: context.clock.nowMs(),
    data: JSON.stringify(event.data),
  });
}

/** Writes an event about something that changed nothing else, for example a refusal. */
export async function noteAlone(
  context: ServerContext,
  event: { readonly number: EventNumber; readonly data: JsonObject },
): Promise<void> {
  await context.store.write(async (tx) => {
    await noteEvent(context, tx, event);
    return ok(null);
  });
}

/** What becomes of backups, in the words of the log. */
export async function noteBackup(
  context: Pick<ServerContext, 'clock'>,
  tx: WriteTx,
  { what, ...data }: BackupNote,
): Promise<void> {
  await noteEvent(context, tx, { number: backupEvents[what], data });
}
