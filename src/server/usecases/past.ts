/**
 * What this server knows of its own past (protocol §5.2): nothing wrong with it, or put back to an older database and
 * made good (`restored`), or in doubt (`doubted`), when nothing new is given out until the clearinghouse has answered.
 */
import type { Branch } from '../../core/high-water.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { IdentityReason } from '../../core/server-identity.ts';
import { isoTime } from '../../core/time.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';

/** What the clearinghouse has seen of this server beyond its database. */
export type Ahead = {
  readonly what: string;
  readonly seen: number;
  readonly here: number;
};

interface Since {
  readonly sinceMs: number;
  /** Until when licenses may run of which nobody knows here. */
  readonly untilMs: number;
}

export type Restored = Since & { readonly state: 'restored' };

export type Doubted = Since & {
  readonly state: 'doubted';
  readonly reason: IdentityReason;
  /** Of the question that the clearinghouse was asked; only an answer to it counts. */
  readonly nonce: string;
  /** The message that asks it. */
  readonly question: string;
  /** What it has answered, and to which nonce: null, nothing yet. */
  readonly answer: { readonly ahead: Ahead | null; readonly to: string } | null;
};

export type Past = Restored | Doubted;

const pastKey = 'past';

export async function readPast(tx: ReadTx): Promise<Past | null> {
  const text = (await readMeta(tx, pastKey)) ?? '';
  return text === '' ? null : (JSON.parse(text) as Past);
}

export async function writePast(tx: WriteTx, past: Past | null): Promise<void> {
  await writeMeta(tx, pastKey, past === null ? '' : JSON.stringify(past));
}

/** In words for a refusal. */
function doubtOf({ reason, untilMs }: Doubted): Refusal {
  return { code: 'server-in-doubt', reason, until: isoTime(untilMs) };
}

/** What would give up, freeze or confirm anything needs a past that is certain. Refused: `server-in-doubt`. */
export async function checkPast(tx: ReadTx): Promise<Result<null, Refusal>> {
  const past = await readPast(tx);
  return past?.state === 'doubted' ? err(doubtOf(past)) : ok(null);
}

/** What a database was put back over: the mark that it was held against. */
export type PutBack = JsonObject & {
  readonly size: number;
  readonly root: string;
};

/** Every time that it was put back (core/high-water.ts), those that an older database does not know of among them. */
export async function writeBranches(tx: WriteTx, branches: readonly Branch[]): Promise<void> {
  await writeMeta(tx, 'branches', JSON.stringify(branches));
}

export async function readBranches(tx: ReadTx): Promise<readonly Branch[]> {
  return JSON.parse((await readMeta(tx, 'branches')) ?? '[]') as readonly Branch[];
}

const putBackKey = 'putBack';

export async function readPutBack(tx: ReadTx): Promise<PutBack | null> {
  const text = await readMeta(tx, putBackKey);
  return text === undefined ? null : (JSON.parse(text) as PutBack);
}

export async function writePutBack(tx: WriteTx, putBack: PutBack): Promise<void> {
  await writeMeta(tx, putBackKey, JSON.stringify(putBack));
}
