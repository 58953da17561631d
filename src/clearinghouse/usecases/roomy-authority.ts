/**
 * The authority under which a move is granted to its target: with room on its chains, which end at 65,535 units each
 * (protocol §3.4). A certificate is renewed where they are used up; a kit slot cannot be, nor by telephone.
 */
import { chainLength, freeChain } from '../../core/chain.ts';
import type { MoveEvent } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import type { OutgoingMessage, ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { certifyAgain, checkRenewable } from './activate-server.ts';
import { chainRoom } from './decide-grant.ts';
import { livingAuthority, openAuthority } from './open-authority.ts';

/** The certificate that brings fresh chains must have arrived before what is granted under them. */
const isRenewable = (authority: GrantedAuthorityRow, { carrier }: Pick<MoveRow, 'carrier'>): boolean =>
  authority.basis === 'key' && carrier === 'online';

const usedUp = (
  { licenseServerId, agreement, basis }: GrantedAuthorityRow,
  numbers: { readonly asked: number; readonly left: number },
): Refusal => ({ code: 'chains-used-up', licenseServerId, agreement, ...numbers, basis });

type Kind = 'free' | 'held';

/** What a part of the move asks of its chain, and what the chain has left, where that is less; null where it has enough. */
async function lackOf(
  tx: ReadTx,
  authority: GrantedAuthorityRow,
  { move, kind }: { readonly move: MoveRow; readonly kind: Kind },
): Promise<Result<{ readonly asked: number; readonly left: number } | null, Refusal>> {
  const room = await chainRoom(tx, authority, { line: move.line, kind });
  if (!room.ok) return room;
  const asked = kind === 'free' ? move.unissued : move.held;
  return ok(asked <= room.value ? null : { asked, left: room.value });
}

interface Grantable {
  readonly move: MoveRow;
  readonly event: MoveEvent;
  /** The parts for which there has to be room now: of a move by telephone one may have been granted before. */
  readonly kinds: readonly Kind[];
}

/** So many units of a kind one grant brings: a chain has no more positions. */
export const mostByOneGrant = (line: number): number => chainLength(freeChain(line));

/**
 * The target's authority as it is, and whether it has to be renewed to have room for the parts. Refused:
 * `move-too-large`, `chains-used-up` where it cannot be renewed, `move-open` where it cannot be yet, and a target that
 * can be granted nothing.
 */
export async function findRoom(
  tx: ReadTx,
  { move, event, kinds }: Grantable,
): Promise<Result<{ readonly authority: GrantedAuthorityRow; readonly renew: boolean }, Refusal>> {
  // A release has happened, whatever became of the target: what it brings goes with the target's other units.
  const given = event === 'released' || (event === 'horizon-passed' && move.state !== 'dead-wait');
  const told = given && move.carrier === 'telephone';
  const found = await (told ? openAuthority : livingAuthority)(tx, move.target, move.agreement);
  if (!found.ok) return found;
  const authority = found.value;
  const most = mostByOneGrant(move.line);
  if (Math.max(move.unissued, move.held) > most) {
    return err({ code: 'move-too-large', asked: move.unissued + move.held, most });
  }
  let lack: { readonly asked: number; readonly left: number } | null = null;
  for (const kind of kinds) {
    const lacking = await lackOf(tx, authority, { move, kind });
    if (!lacking.ok) return lacking;
    lack ??= lacking.value;
  }
  if (lack === null) return ok({ authority, renew: false });
  if (!isRenewable(authority, move)) return err(usedUp(authority, lack));
  const timely = await checkRenewable(tx, authority);
  return timely.ok ? ok({ authority, renew: true }) : timely;
}

/**
 * The target's authority, with room for its parts on the chains; a certificate that is renewed for them leaves before
 * the grant. Refused: as `findRoom`.
 */
export async function roomyAuthority(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Grantable & { readonly outbox: OutgoingMessage[]; readonly nowMs: number },
): Promise<Result<GrantedAuthorityRow, Refusal>> {
  const found = await findRoom(tx, of);
  if (!found.ok) return found;
  const { authority, renew } = found.value;
  if (!renew) return ok(authority);
  const renewed = await certifyAgain(context, tx, { before: authority, nowMs: of.nowMs });
  of.outbox.push(renewed.message);
  return ok(renewed.authority);
}
