/** Takes the grant of a move in: free units into the pool, held ones into reservations for their holders. */
import { longestLeaseMs } from '../../core/cal.ts';
import { walkDown } from '../../core/chain.ts';
import type { Posting } from '../../core/ledger.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { msOfIso } from '../../core/time.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { findDeclared } from '../../store/gap-rows.ts';
import { markInherited, takenOverEarly } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ReservationRow } from '../../store/reserve-rows.ts';
import { insertReservations, insertReserve, takeReservation } from '../../store/reserve-rows.ts';
import { addReserveSources } from '../../store/reserve-source-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { freePool, shiftUnits } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import type { Proof } from './advance-chain.ts';
import { bringIn, chainOf, checkProof, takeProof } from './advance-chain.ts';
import { keepAtOnce } from './at-once.ts';
import { openDeadByTelephone } from './dead-key-pack.ts';
import { divideDead } from './dead-source.ts';
import { installHeld } from './held-key-pack.ts';
import { accountsOf } from './license-token.ts';

type Holder = BodyOf<'grant'>['holders'][number];

export interface GrantedMove {
  readonly line: LineRow;
  readonly move: string;
  readonly source: string;
  readonly holders: readonly Holder[];
  /** Servers whose holders come along without a name, beside those of the source. */
  readonly alsoFrom: readonly string[];
  readonly free: Proof;
  readonly held: Proof;
  /** Held key packs below it on the held chain, typed or not, in the order of their positions. */
  readonly heldBefore: NonNullable<BodyOf<'grant'>['heldBefore']>;
  /** Of the units that it brings, those without a holder. */
  readonly unissued: number;
  /** Of a source that no longer functions: when none of its leases can run any more; null for one that works. */
  readonly opensAt: number | null;
  /** Of a recovery that did not wait: the horizon of the source, should it live; null: it waited, or is none. */
  readonly atRiskUntil: number | null;
  readonly nowMs: number;
}

/** Answers the postings. Refused: `message-invalid` where a proof does not hold, or not for all holders. */
export async function applyGrant(
  context: ServerContext,
  tx: WriteTx,
  grant: GrantedMove,
): Promise<Result<readonly Posting[], Refusal>> {
  const free = checkProof(context, grant.line, grant.free);
  if (!free.ok) return free;
  const held = checkProof(context, grant.line, grant.held);
  if (!held.ok) return held;
  const packs = untypedPacks(grant);
  // Those of the packs are others'.
  const own = packs.reduce((left, { kBefore, kAfter }) => left - (kAfter - kBefore), held.value.added);
  if (held.value.added > 0 && grant.holders.length > own) {
    return err({ code: 'message-invalid', problem: 'it names more holders than it brings units for' });
  }
  const postings: Posting[] = [];
  let line = await installPacks(context, tx, { grant, packs });
  if (free.value.added > 0) {
    const taken = await takeProof(tx, { line, proof: grant.free, pool: freePool, nowMs: grant.nowMs });
    line = taken.line;
    postings.push(bringIn(line, 'unissued', taken.added));
  }
  if (own > 0) {
    line = await takeHeldTo(context, tx, { grant, line, k: grant.held.k });
    postings.push(bringIn(line, 'reserved', own));
    if (grant.opensAt === null) postings.push(...(await reserveFor(tx, { ...grant, added: own })));
  }
  const { opensAt } = grant;
  if (opensAt === null) return ok(postings);
  // Divided when its key pack was typed, with the day that was counted from then.
  if (own === 0 && (await findDeclared(tx, grant.move))?.state === 'granted') return ok(postings);
  const came = { free: await ownFree(tx, grant, free.value.added), held: own };
  const divided = await divideDead(tx, { ...grant, ...came, line, opensAt });
  const { move, source, nowMs: cameAt, atRiskUntil: riskUntil } = grant;
  if (riskUntil !== null)
    await keepAtOnce(tx, {
      move,
      source,
      cameAt,
      riskUntil,
      opensAt,
      line,
      free: came.free,
      postings: divided,
    });
  return ok([...postings, ...divided]);
}

type HeldPack = GrantedMove['heldBefore'][number];

/** The held key packs below a grant that were never typed, each as far as it was not counted here. */
function untypedPacks({ line, held, heldBefore }: GrantedMove): readonly HeldPack[] {
  return heldBefore
    .map((pack) => ({ ...pack, kBefore: Math.max(pack.kBefore, line.heldK) }))
    .filter(({ kBefore, kAfter }) => kBefore < kAfter && kAfter <= held.k);
}

/**
 * Installs them as if they had been typed, each for the holders of its own source: as the grant's they would wait for
 * the holders of another one, and the code would bring nothing any more.
 */
async function installPacks(
  context: ServerContext,
  tx: WriteTx,
  { grant, packs }: { readonly grant: GrantedMove; readonly packs: readonly HeldPack[] },
): Promise<LineRow> {
  const { nowMs } = grant;
  let { line } = grant;
  for (const { kBefore, kAfter, source } of packs) {
    // What lies between is of a move by messages whose own grant has not come: it waits as this one's does.
    line = await takeHeldTo(context, tx, { grant, line, k: kBefore });
    const proof = heldProofAt(context, { grant, line, k: kAfter });
    const named = { line, kind: 'held-key-pack', from: source, nowMs } as const;
    const dead = await openDeadByTelephone(context, tx, named);
    // Nor does a grant say of such a pack whether licenses were returned to its source.
    const pack = { proof, source, alsoFrom: [], countsEarly: false, carrier: 'online', dead, nowMs } as const;
    line = (await installHeld(context, tx, { line, ...pack })).line;
  }
  return line;
}

interface HeldPlace {
  readonly grant: GrantedMove;
  readonly line: LineRow;
  readonly k: number;
}

/** The proof of a position of the held chain at or below that of the grant, which proves it. */
function heldProofAt(context: ServerContext, { grant, line, k }: HeldPlace): Proof {
  const { aid, chain } = chainOf(line, 'held');
  return { chain: 'held', k, value: walkDown(context.digest, { aid, chain, from: grant.held, to: k }) };
}

/** Takes units of the held chain for the holders of the grant; none where the line is there already. */
async function takeHeldTo(context: ServerContext, tx: WriteTx, place: HeldPlace): Promise<LineRow> {
  const { grant, line, k } = place;
  if (k <= line.heldK) return line;
  const proof = heldProofAt(context, place);
  return (await takeProof(tx, { line, proof, pool: grant.move, nowMs: grant.nowMs })).line;
}

/**
 * Its own unissued units, without those of other key packs that its proof has brought along; and where a code has
 * brought them before the grant, as many as nobody has been given since.
 */
async function ownFree(tx: WriteTx, { line, unissued }: GrantedMove, added: number): Promise<number> {
  return Math.min(unissued, added + (await tx.balance(accountsOf(line).unissued)));
}

/**
 * Reserves the held units for the holders on the list. One who came over early, on a unit of our own,
 * is counted as taken over, and the unit it had used up is free again: nobody spends two.
 */
async function reserveFor(
  tx: WriteTx,
  of: GrantedMove & { readonly added: number },
): Promise<readonly Posting[]> {
  const { line, move, source, nowMs } = of;
  const early = new Map(
    (await takenOverEarly(tx, line.id, source)).map((license) => [license.sub, license.id]),
  );
  const rows = of.holders.map(({ sub, kind, origin, leaseEnd: told }): ReservationRow => {
    const leaseEnd = Math.max(msOfIso(told) ?? nowMs + longestLeaseMs, line.namelessUntil);
    return { lineId: line.id, sub, kind, origin, move, source, leaseEnd };
  });
  await insertReservations(tx, rows);
  let settled = 0;
  for (const row of rows) {
    const license = early.get(row.sub);
    if (license === undefined) continue;
    await takeReservation(tx, row);
    await markInherited(tx, license, move);
    settled += 1;
  }
  const nameless = of.added - of.holders.length;
  if (nameless > 0) {
    const opensAt = nowMs + longestLeaseMs;
    await insertReserve(tx, { id: move, lineId: line.id, source, amount: nameless, opensAt });
    await addReserveSources(tx, move, of.alsoFrom);
  }
  if (settled === 0) return [];
  await shiftUnits(tx, { lineId: line.id, from: move, to: freePool, amount: settled });
  const accounts = accountsOf(line);
  return [{ kind: 'transfer', debit: accounts.reserved, credit: accounts.unissued, amount: settled }];
}
