/**
 * The ratchet of a server's codes (protocol §3.6): how far it was heard, under every certificate that goes on
 * with it, and which of its codes tell what a message has told already.
 */
import type { Counters } from '../../core/confirmation.ts';
import { readStoredCertificate } from '../../protocol/authority.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import {
  authoritiesOfServer,
  saveGrantedAuthority,
  supersededAuthorities,
} from '../../store/committed-server-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ToldRelease } from '../../store/told-release-rows.ts';
import {
  findReadRelease,
  forgetToldRelease,
  keepReadRelease,
  keepToldRelease,
  toldReleases,
} from '../../store/told-release-rows.ts';
import type { ClearinghouseContext } from '../context.ts';

/** The one-time key that K₀ was agreed with; a slot has its own activation value instead. */
const startOf = ({ aid, document }: GrantedAuthorityRow): string =>
  document === null ? aid : readStoredCertificate(document).ekCh;

type Named = Pick<GrantedAuthorityRow, 'aid' | 'licenseServerId' | 'agreement'>;

/** All that a server ever had under an agreement, in force or not. */
async function allOf(
  tx: ReadTx,
  { licenseServerId, agreement }: Omit<Named, 'aid'>,
): Promise<readonly GrantedAuthorityRow[]> {
  const all = [
    ...(await authoritiesOfServer(tx, licenseServerId)),
    ...(await supersededAuthorities(tx, licenseServerId)),
  ];
  return all.filter((row) => row.agreement === agreement);
}

/** The authority of a server that it names itself. */
export async function authorityOf(tx: ReadTx, named: Named): Promise<GrantedAuthorityRow | undefined> {
  return (await allOf(tx, named)).find((row) => row.aid === named.aid);
}

/** The authorities whose codes are made with one ratchet: a certificate that only renews chains goes on with it. */
async function sharing(tx: ReadTx, authority: GrantedAuthorityRow): Promise<readonly GrantedAuthorityRow[]> {
  const start = startOf(authority);
  return (await allOf(tx, authority)).filter((row) => startOf(row) === start);
}

/** Where a ratchet stands after a code was taken in, or passed over. */
export async function moveRatchet(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly authority: GrantedAuthorityRow;
    readonly key: Uint8Array;
    readonly seq: number;
    readonly counters: Counters;
  },
): Promise<void> {
  const { freezes, releases, returns } = of.counters;
  const confirmationKey = context.box.seal('confirmation', of.key);
  const heard = { confirmationKey, confirmationSeq: of.seq, freezes, releases, returns };
  for (const row of await sharing(tx, of.authority)) await saveGrantedAuthority(tx, { ...row, ...heard });
}

/** Remembers that a release was told by message; not where its code was read before. */
export async function noteToldRelease(tx: WriteTx, of: ToldRelease & Named): Promise<void> {
  const { aid, seq, move } = of;
  const authority = await authorityOf(tx, of);
  if (authority !== undefined && seq > authority.confirmationSeq)
    await keepToldRelease(tx, { aid, seq, move });
}

/** Remembers for which move the code of a release was taken: its message may say another one. */
export async function noteReadRelease(
  tx: WriteTx,
  of: { readonly authority: GrantedAuthorityRow; readonly seq: number; readonly move: string },
): Promise<void> {
  await keepReadRelease(tx, { aid: of.authority.aid, seq: of.seq, move: of.move });
}

/** The move that the code of a release was taken for, if it was read. */
export async function readAs(tx: ReadTx, of: Named & { readonly seq: number }): Promise<string | undefined> {
  const authority = await authorityOf(tx, of);
  if (authority === undefined) return undefined;
  for (const { aid } of await sharing(tx, authority)) {
    const move = await findReadRelease(tx, { aid, seq: of.seq });
    if (move !== undefined) return move;
  }
  return undefined;
}

/** What messages have told of codes that were not read yet. */
export async function toldByMessage(
  tx: ReadTx,
  authority: GrantedAuthorityRow,
): Promise<readonly ToldRelease[]> {
  const told: ToldRelease[] = [];
  for (const { aid } of await sharing(tx, authority)) told.push(...(await toldReleases(tx, aid)));
  return told;
}

/**
 * The moves whose release a code tells that a message has told before. With it, and all that came before
 * it, they are not waited for any more.
 */
export async function takeTold(
  tx: WriteTx,
  of: { readonly authority: GrantedAuthorityRow; readonly seq: number },
): Promise<readonly MoveRow[]> {
  const moves: MoveRow[] = [];
  for (const told of await toldByMessage(tx, of.authority)) {
    if (told.seq > of.seq) continue;
    const move = told.seq === of.seq ? await findMove(tx, told.move) : undefined;
    if (move !== undefined) moves.push(move);
    await forgetToldRelease(tx, told);
  }
  return moves;
}
