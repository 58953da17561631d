/**
 * Applies a proven chain position: the one way in which units come onto this server, and in which a
 * horizon moves on. What it adds is the position minus the highest one applied on that chain, never a
 * comparison with what is installed now: moves out do not lower it (protocol §1.4).
 */
import { serverAccount } from '../../core/account.ts';
import { base64url, bytesOfBase64url } from '../../core/bytes.ts';
import type { ChainName, Position } from '../../core/chain.ts';
import { freeChain, heldChain, horizonChain, isAbove } from '../../core/chain.ts';
import type { JsonObject } from '../../core/json.ts';
import type { AccountId } from '../../core/ledger.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { WriteTx } from '../../store/port.ts';
import type { AuthorityRow, LineRow } from '../../store/server-authority-rows.ts';
import {
  insertAppliedReveal,
  advanceChain as saveChain,
  setHorizon,
} from '../../store/server-authority-rows.ts';
import { addUnits } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { serverLog } from './license-token.ts';
import { newId } from './new-id.ts';

export interface Proof {
  readonly chain: 'free' | 'held';
  readonly k: number;
  /** v[k], 16 bytes. */
  readonly value: Uint8Array;
}

/** A chain, and where this server stands on it. */
export interface Place extends ChainName {
  readonly present: Position;
}

/** The chain of a line and where this server stands on it. */
export function chainOf(line: LineRow, chain: 'free' | 'held'): Place {
  const free = chain === 'free';
  return {
    aid: bytes(line.aid),
    chain: free ? freeChain(line.line) : heldChain(line.line),
    present: { k: free ? line.freeK : line.heldK, value: bytes(free ? line.freeValue : line.heldValue) },
  };
}

/** The chain of months of an authority and where this server stands on it. */
export function horizonOf(row: AuthorityRow): Place {
  return {
    aid: bytes(row.aid),
    chain: horizonChain,
    present: { k: row.horizonE, value: bytes(row.horizonValue) },
  };
}

function bytes(text: string): Uint8Array {
  const value = bytesOfBase64url(text);
  if (value === undefined) throw new Error('A value of 16 bytes in the database cannot be read.');
  return value;
}

/** Checks that a value stands on the chain at k, or below what is applied. Refused: `message-invalid`. */
export function checkProof(
  context: Pick<ServerContext, 'digest'>,
  line: LineRow,
  proof: Proof,
): Result<{ readonly added: number }, Refusal> {
  const { aid, chain, present } = chainOf(line, proof.chain);
  if (proof.k <= present.k) return ok({ added: 0 });
  if (isAbove(context.digest, { aid, chain, present, above: { k: proof.k, value: proof.value } })) {
    return ok({ added: proof.k - present.k });
  }
  return err({
    code: 'message-invalid',
    problem: `the proof for ${proof.k} units does not fit this line's anchor`,
  });
}

/** What a proof has brought: how many units, how many are installed with them, and the line as it is now. */
export interface Taken {
  readonly added: number;
  readonly installed: number;
  readonly line: LineRow;
}

/**
 * Takes a checked proof in: chain position, unit numbers and the record for `already-applied`. Answers
 * what to post: `amount` from `installed` to the account where the units stand now.
 */
export async function takeProof(
  tx: WriteTx,
  of: { readonly line: LineRow; readonly proof: Proof; readonly pool: string; readonly nowMs: number },
): Promise<Taken> {
  const { line, proof } = of;
  const { chain, present } = chainOf(line, proof.chain);
  const added = proof.k - present.k;
  const value = base64url(proof.value);
  const lastUnit = line.lastUnit + added;
  await saveChain(tx, { lineId: line.id, chain: proof.chain, k: proof.k, value, lastUnit });
  await addUnits(tx, { lineId: line.id, pool: of.pool, first: line.lastUnit + 1, last: lastUnit });
  const installed = (await tx.balance(serverAccount(line.agreement, line.line).installed)) + added;
  await insertAppliedReveal(tx, { aid: line.aid, chain, k: proof.k, value, added, installed, at: of.nowMs });
  const moved =
    proof.chain === 'free'
      ? { ...line, freeK: proof.k, freeValue: value, lastUnit }
      : { ...line, heldK: proof.k, heldValue: value, lastUnit };
  return { added, installed, line: moved };
}

/**
 * Installs what a checked proof is worth: the units, and the entry that posts them to where they stand now.
 * `told` is what the journal says beside the proof: how it came, and from which source.
 */
export async function installProof(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly proof: Proof;
    readonly pool: string;
    readonly to: 'unissued' | 'reserved';
    readonly told: JsonObject;
    readonly nowMs: number;
  },
): Promise<Taken> {
  const { proof, nowMs } = of;
  const taken = await takeProof(tx, of);
  const { line, added } = taken;
  const { agreement, line: number, aid } = line;
  await tx.post({
    log: serverLog,
    kind: 'installed',
    id: newId(context),
    at: nowMs,
    body: { agreement, line: number, aid, chain: proof.chain, k: proof.k, added, ...of.told },
    postings: [bringIn(line, of.to, added)],
  });
  return taken;
}

/** Takes a checked position of the horizon in, with the record for `already-applied`. */
export async function takeHorizon(
  tx: WriteTx,
  of: { readonly row: AuthorityRow; readonly e: number; readonly value: Uint8Array; readonly nowMs: number },
): Promise<void> {
  const { e, nowMs } = of;
  const { aid } = of.row;
  const value = base64url(of.value);
  await setHorizon(tx, aid, { e, value });
  await insertAppliedReveal(tx, { aid, chain: horizonChain, k: e, value, added: 0, installed: 0, at: nowMs });
}

/** The posting that brings units in. */
export function bringIn(
  line: LineRow,
  to: 'unissued' | 'reserved',
  amount: number,
): { kind: 'transfer'; debit: AccountId; credit: AccountId; amount: number } {
  const accounts = serverAccount(line.agreement, line.line);
  return { kind: 'transfer', debit: accounts.installed, credit: accounts[to], amount };
}
