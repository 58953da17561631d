/**
 * The end of a server's authority under an agreement, and its beginning anew: what becomes of the units
 * that its account still holds.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import type { Posting } from '../../core/ledger.ts';
import { agreementLines } from '../../store/agreement-rows.ts';
import type { ChainRow, GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import {
  chainsOf,
  findGrantedAuthority,
  findServer,
  saveGrantedAuthority,
  saveServer,
} from '../../store/committed-server-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { comingGrants, givenUpOf, takeGivenUp, unitsIn } from './given-up.ts';
import { newId } from './new-id.ts';

/**
 * Ends an authority. What the server has given up goes to hand. What it was granted and has not applied
 * stays committed to it: a code that was read out cannot be unsaid, and on a server that is activated
 * again (the same code does it, without a call) it would still install. Were it in hand meanwhile, it
 * could be granted twice.
 */
export async function closeAuthority(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly authority: GrantedAuthorityRow;
    /** Units ever applied, by line, as the server says with its last words. */
    readonly applied: ReadonlyMap<number, number>;
    readonly nowMs: number;
  },
): Promise<void> {
  const { licenseServerId, agreement, generation } = of.authority;
  // Read again: the confirmation that closes it has just moved its ratchet on, and may have been made under
  // the certificate before, while units were revealed under this one.
  const authority = (await findGrantedAuthority(tx, licenseServerId, agreement)) ?? of.authority;
  const granted = await grantedUnits(tx, authority.aid);
  const coming = await comingGrants(tx, authority);
  const postings: Posting[] = [];
  for (const { line } of await agreementLines(tx, agreement)) {
    const account = clearinghouseAccount(agreement, line);
    const debit = account.committed(licenseServerId, generation);
    const inTransit = coming.filter((grant) => grant.line === line);
    // What it has given up of those in transit goes to hand by itself, and is none of what it still has to come.
    const stillComing = unitsIn(inTransit) - givenUpOf(inTransit);
    const waiting = (granted.get(line) ?? 0) - stillComing - (of.applied.get(line) ?? 0);
    if (waiting < 0) await takeGivenUp(tx, inTransit, -waiting);
    const amount = (await tx.balance(debit)) - Math.max(0, waiting);
    if (amount > 0) postings.push({ kind: 'transfer', debit, credit: account.inHand, amount });
  }
  await saveGrantedAuthority(tx, { ...authority, state: 'closed' });
  const server = await findServer(tx, licenseServerId);
  if (server !== undefined && server.generation === generation) {
    await saveServer(tx, { ...server, state: 'closed', generation: generation + 1 });
  }
  await tx.post({
    log: agreement,
    kind: 'deactivated',
    id: newId(context),
    at: of.nowMs,
    body: { server: licenseServerId, generation },
    postings,
  });
}

/** Units of an authority by line, the ones it was opened with included, counting its chains so far. */
async function unitsOf(
  tx: ReadTx,
  aid: string,
  position: (chain: ChainRow) => number,
): Promise<ReadonlyMap<number, number>> {
  const units = new Map<number, number>();
  for (const chain of await chainsOf(tx, aid)) {
    units.set(chain.line, (units.get(chain.line) ?? 0) + chain.openUnits + position(chain));
  }
  return units;
}

/** All that was ever revealed to a server, by line: what it can have at most. */
export function grantedUnits(tx: ReadTx, aid: string): Promise<ReadonlyMap<number, number>> {
  return unitsOf(tx, aid, (chain) => chain.k);
}

/** What a server has vouched for by telephone: the positions in the state that its code was made in. */
export function confirmedUnits(tx: ReadTx, aid: string): Promise<ReadonlyMap<number, number>> {
  return unitsOf(tx, aid, (chain) => chain.confirmedK);
}

/** What stayed committed to the generation before, when a server is activated again. */
export async function carryOver(
  tx: WriteTx,
  of: { readonly before: GrantedAuthorityRow; readonly generation: number },
): Promise<readonly Posting[]> {
  const { licenseServerId, agreement, generation } = of.before;
  if (generation === of.generation) return [];
  const postings: Posting[] = [];
  for (const { line } of await agreementLines(tx, agreement)) {
    const account = clearinghouseAccount(agreement, line);
    const debit = account.committed(licenseServerId, generation);
    const amount = await tx.balance(debit);
    const credit = account.committed(licenseServerId, of.generation);
    if (amount > 0) postings.push({ kind: 'transfer', debit, credit, amount });
  }
  return postings;
}
