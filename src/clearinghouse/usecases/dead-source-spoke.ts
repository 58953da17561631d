/**
 * A source that was declared dead, fenced off, and speaks again (protocol §2.5): what it sends has no effect,
 * but it is evidence, and it is told that it is closed.
 */
import { canonicalJson } from '../../core/canonical.ts';
import type { JsonObject } from '../../core/json.ts';
import { msOfIso } from '../../core/time.ts';
import type { Opened } from '../../protocol/envelope.ts';
import { declarationsOf, saveDeadSource } from '../../store/dead-source-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { closeAgain } from './fence-source.ts';
import { newId } from './new-id.ts';
import { suspendRecovery } from './suspend-recovery.ts';

/** A body longer than this is kept by its digest: a list of ten thousand holders proves no more. */
const mostKept = 4096;

export interface Spoken {
  readonly server: string;
  /** In a line, for people. */
  readonly words: string;
  /** For the journal. */
  readonly said: JsonObject;
  /** When it was signed; null: it has no time. */
  readonly signedMs: number | null;
}

/** What a message of the source says, and how far its journal was. */
export function spokenByMessage({ envelope, requestDigest }: Opened): Spoken {
  const { id: server, gen, seq, log } = envelope.from;
  const body = { ...envelope.body };
  const kept = canonicalJson(body).length > mostKept ? {} : { body };
  return {
    server,
    signedMs: msOfIso(envelope.iat) ?? null,
    words: `${envelope.t}, generation ${gen}, message ${seq}, journal of ${log.size} entries, signed ${envelope.iat}`,
    said: {
      ...{ type: envelope.t, gen, seq, logSize: log.size, logRoot: log.root, signedAt: envelope.iat },
      ...{ message: envelope.id, digest: requestDigest, ...kept },
    },
  };
}

/** Keeps what was said, where it is a fenced source, and puts the closing message on its way where none waits. */
export async function keepEvidence(
  context: ClearinghouseContext,
  tx: WriteTx,
  { server, words, said, signedMs }: Spoken,
): Promise<void> {
  const granted = (await declarationsOf(tx, server)).filter((row) => row.grantedAt !== null);
  const [first] = granted;
  if (first === undefined) return;
  const nowMs = context.clock.nowMs();
  const close = await closeAgain(context, tx, server);
  await tx.post({
    log: first.agreement,
    kind: 'dead-source-spoke',
    id: newId(context),
    at: nowMs,
    body: { server, moves: granted.map((row) => row.move), ...said },
    outbox: close === null ? [] : [close],
  });
  for (const row of granted) {
    const seen = { ...row, seenAt: nowMs, seenCount: row.seenCount + 1, seenSaid: words };
    await saveDeadSource(tx, seen);
    await suspendRecovery(context, tx, { row: seen, words, signedMs });
  }
}
