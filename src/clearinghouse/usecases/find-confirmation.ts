/**
 * Finds out whose confirmation a code is: the server the caller names, else the sources of open moves,
 * else every server there is, with the positions and counters that the books allow (protocol §3.6).
 */

import type { Code } from '../../core/code.ts';
import { formatCode } from '../../core/code.ts';
import type { ConfirmationMatch, LinePositions, MatchInput } from '../../core/confirmation.ts';
import { matchConfirmation } from '../../core/confirmation.ts';
import { isOver } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { openMovesFrom, pageMoves } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow, GrantRow } from '../../store/committed-server-rows.ts';
import {
  authoritiesOfServer,
  chainsOf,
  grantsOf,
  pageServers,
  supersededAuthorities,
} from '../../store/committed-server-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { idBytes } from '../stored-ids.ts';
import { toldByMessage } from './ratchet.ts';

export interface ConfirmedBy {
  readonly authority: GrantedAuthorityRow;
  readonly match: ConfirmationMatch;
}

/** The most position candidates tried for one authority: more codes than that were never typed at once. */
const mostCandidates = 16;

/** So many earlier states of the books are tried first: as many grants since a code of that server was last read. */
const mostLikely = 64;

/**
 * The authority whose key made the code. Refused: `confirmation-unmatched` (naming the server where the
 * caller named one), `code-other-server` where the code is another server's.
 */
export async function findConfirmer(
  context: ClearinghouseContext,
  tx: ReadTx,
  sought: { readonly code: Code; readonly licenseServerId: string | undefined },
): Promise<Result<ConfirmedBy, Refusal>> {
  const { code, licenseServerId } = sought;
  if (licenseServerId !== undefined) {
    const own = await matchServer(context, tx, { code, licenseServerId });
    if (own !== null) return ok(own);
    const other = await matchAny(context, tx, code);
    if (other === null) return err({ code: 'confirmation-unmatched', licenseServerId });
    return err({ code: 'code-other-server', licenseServerId: other.authority.licenseServerId, name: null });
  }
  const found = await matchAny(context, tx, code);
  return found === null ? err({ code: 'confirmation-unmatched', licenseServerId: null }) : ok(found);
}

async function matchAny(context: ClearinghouseContext, tx: ReadTx, code: Code): Promise<ConfirmedBy | null> {
  const tried = new Set<string>();
  for (const licenseServerId of await likelyServers(tx)) {
    if (tried.has(licenseServerId)) continue;
    tried.add(licenseServerId);
    const found = await matchServer(context, tx, { code, licenseServerId });
    if (found !== null) return found;
  }
  return null;
}

/** Sources of open moves first: it is nearly always one of them. */
async function likelyServers(tx: ReadTx): Promise<readonly string[]> {
  const moves = await pageMoves(tx, { after: '', limit: 10_000 });
  const sources = moves.filter((move) => !isOver(move.state)).map((move) => move.source);
  const servers = await pageServers(tx, { after: '', limit: 10_000 });
  return [...sources, ...servers.map((server) => server.licenseServerId)];
}

/**
 * Those in force first, then those that a certificate has taken the place of while their generation goes
 * on: what the server did and told before the certificate came must still be heard.
 */
async function readableAuthorities(
  tx: ReadTx,
  licenseServerId: string,
): Promise<readonly GrantedAuthorityRow[]> {
  const present = await authoritiesOfServer(tx, licenseServerId);
  const before = (await supersededAuthorities(tx, licenseServerId)).filter(({ agreement, generation }) =>
    present.some(
      (row) => row.agreement === agreement && row.generation === generation && row.state === 'active',
    ),
  );
  return [...present, ...before];
}

async function matchServer(
  context: ClearinghouseContext,
  tx: ReadTx,
  of: { readonly code: Code; readonly licenseServerId: string },
): Promise<ConfirmedBy | null> {
  const moves = await openMovesFrom(tx, of.licenseServerId);
  for (const authority of await readableAuthorities(tx, of.licenseServerId)) {
    const openFreezes = moves.filter(
      (move) => move.agreement === authority.agreement && move.state !== 'reserved',
    );
    const match = matchConfirmation(context.digest, {
      code: of.code,
      last: {
        seq: authority.confirmationSeq,
        key: context.box.unseal('confirmation', authority.confirmationKey),
      },
      aid: authority.basis === 'key' ? idBytes(authority.aid) : undefined,
      ...(await positionsOf(tx, authority.aid)),
      counters: { freezes: authority.freezes, releases: authority.releases, returns: authority.returns },
      openFreezes: openFreezes.length + (await toldByMessage(tx, authority)).length,
    });
    if (match !== null) return { authority, match };
  }
  return null;
}

type Positions = Pick<MatchInput, 'positions' | 'likely'>;

/**
 * What the server may have typed of what was issued: everything first, then less and less. Where all was installed in its
 * order, it stands as the books once did, which is found at once however much was issued.
 */
async function positionsOf(tx: ReadTx, aid: string): Promise<Positions> {
  const chains = await chainsOf(tx, aid);
  const grants = await grantsOf(tx, aid);
  const lines = Math.max(-1, ...chains.map((chain) => chain.line)) + 1;
  const confirmed = (line: number, kind: 'free' | 'held'): number =>
    chains.find((row) => row.line === line && row.kind === kind)?.confirmedK ?? 0;
  const candidates = (line: number, kind: 'free' | 'held'): number[] => {
    const issued = grants
      .filter((grant) => grant.line === line && grant.kind === kind && grant.kAfter > confirmed(line, kind))
      .map((grant) => grant.kAfter);
    // A grant of 0 units has the position of the one before it.
    return [...new Set([...issued.slice(-mostCandidates).reverse(), confirmed(line, kind)])];
  };
  const each = <Value>(of: (line: number) => Value): Value[] =>
    Array.from({ length: lines }, (_, line) => of(line));
  return {
    positions: each((line) => ({ free: candidates(line, 'free'), held: candidates(line, 'held') })),
    likely: inTheirOrder(
      grants,
      each((line) => ({ free: confirmed(line, 'free'), held: confirmed(line, 'held') })),
    ),
  };
}

/** How the lines stood after each grant, from what was confirmed last; the newest first. */
function inTheirOrder(
  grants: readonly GrantRow[],
  confirmed: readonly LinePositions[],
): readonly (readonly LinePositions[])[] {
  let stood = confirmed;
  const all = [stood];
  for (const { line, kind, kAfter } of grants.toSorted((one, other) => one.at - other.at)) {
    if (kAfter <= (stood[line]?.[kind] ?? kAfter)) continue;
    stood = stood.map((position, at) => (at === line ? { ...position, [kind]: kAfter } : position));
    all.push(stood);
  }
  return all.slice(-mostLikely).reverse();
}

/** The text under which a code is looked up among those taken in before, whatever form was typed. */
export function codeKey(code: Code): string {
  return formatCode(code);
}
