/** Confirmations that move a move on: frozen, released, and released with the server's deactivation. */
import { isDoneBySource, isOver } from '../../core/move.ts';
import { awaited } from '../../core/move-awaited.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { markNoneReturned, movesOnLine, openMovesFrom } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { advanceMove } from './advance-move.ts';
import { closeAuthority, confirmedUnits } from './close-authority.ts';
import { releaseDead } from './dead-source.ts';
import type { CodeView, DeskAnswer } from './desk-answer.ts';
import { deskAnswer } from './desk-answer.ts';
import type { Confirmed } from './desk-confirm.ts';
import { giveUpUndone } from './given-up.ts';
import { leasesOfCode } from './lease-ends.ts';
import { livingAuthority } from './open-authority.ts';
import { noteReadRelease } from './ratchet.ts';
import { takeFreeze } from './take-freeze.ts';

/**
 * The source has frozen: what it reports leaves its account, and the unissued part can be read out at
 * once. The split is the server's word, never the caller's. Refused: `move-needed`, `move-open` (the move that
 * is waiting goes by messages), `quantity-differs`.
 */
export async function confirmFrozen(
  context: ClearinghouseContext,
  tx: WriteTx,
  { by, read, nowMs }: Confirmed,
): Promise<Result<DeskAnswer, Refusal>> {
  const { authority } = by;
  const moves = await movesSpokenOf(tx, authority, read.line);
  const open = moves.find(({ state }) => state === 'reserved' || state === 'dead-wait');
  if (open === undefined) return err({ code: 'move-needed', licenseServerId: authority.licenseServerId });
  // A freeze by telephone is another one than the source makes when the message of this move reaches it.
  if (open.carrier !== 'telephone') return err({ code: 'move-open', move: open.id, state: open.state });
  const move = { ...open, unissued: read.unissued, held: read.held };
  const granted = await takeFreeze(context, tx, { move, nowMs });
  if (!granted.ok) return granted;
  const { codes } = granted.value;
  const next =
    codes.length === 0
      ? `All ${read.held} CALs have holders, so there is no key pack to read out yet. ${awaited('granted', 'telephone').text}`
      : `Read out the CAL Key Pack ID for the ${read.unissued} unissued CALs. ${awaited('granted', 'telephone').text}`;
  return ok(deskAnswer(codes, next, moveNumbers(granted.value.move, read)));
}

/**
 * The source has given up what it had frozen. Of a move by messages whose receipt of the freeze never arrived,
 * the code tells that as well. Refused: `move-needed`, `earlier-code-missing`, `quantity-differs`.
 */
export async function confirmReleased(
  context: ClearinghouseContext,
  tx: WriteTx,
  { by, read, told, nowMs }: Confirmed,
): Promise<Result<DeskAnswer, Refusal>> {
  const { authority } = by;
  const [heard] = told;
  if (heard !== undefined)
    return ok(deskAnswer([], nextAfterRelease([], authority), moveNumbers(heard, read)));
  const moves = await movesSpokenOf(tx, authority, read.line);
  // A release speaks of the open move, or of the newest undone one (protocol §1.4).
  const found = openOf(moves.filter(mayBeReleased)) ?? undoneOf(moves, read);
  if (found === undefined) return err({ code: 'move-needed', licenseServerId: authority.licenseServerId });
  const frozen = await hearOfFreeze(context, tx, { move: found, read, nowMs });
  if (!frozen.ok) return frozen;
  const move = frozen.value;
  if (move.unissued !== read.unissued || move.held !== read.held) {
    return err({
      code: 'quantity-differs',
      expected: move.unissued + move.held,
      found: read.unissued + read.held,
    });
  }
  if (!read.someReturned) await markNoneReturned(tx, [move.id]);
  const released = await advanceMove(context, tx, {
    move,
    event: 'released',
    nowMs,
    leases: await leasesOfCode(tx, move, nowMs),
  });
  if (!released.ok) return released;
  await noteReadRelease(tx, { authority, seq: by.match.seq, move: move.id });
  const { codes } = released.value;
  const next =
    move.carrier === 'online' && ['granted', 'installed'].includes(move.state)
      ? nextByMessage(move)
      : ((await nextWithheld(tx, move, codes)) ?? nextAfterRelease(codes, authority));
  return ok(deskAnswer(codes, next, moveNumbers(released.value.move, read)));
}

/**
 * A move by messages whose receipt of the freeze is still under way, or lost: the release says how much it was. It
 * cannot be of another freeze, for a source freezes for one move of a line at a time, and a freeze by
 * telephone that nobody has read would have been noticed by its counter.
 */
async function hearOfFreeze(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Pick<Confirmed, 'read' | 'nowMs'> & { readonly move: MoveRow },
): Promise<Result<MoveRow, Refusal>> {
  const { move, nowMs } = of;
  const unheard = move.state === 'reserved' || move.state === 'dead-wait';
  if (move.carrier !== 'online' || !unheard) return ok(move);
  const { unissued, held } = of.read;
  const granted = await takeFreeze(context, tx, { move: { ...move, unissued, held }, nowMs });
  return granted.ok ? ok(granted.value.move) : granted;
}

/** What was frozen by telephone and released has been read before: its code is one before the code of the release. */
const mayBeReleased = ({ carrier, state }: MoveRow): boolean => carrier === 'online' || state !== 'reserved';

/**
 * The newest undone move that a release may be of. Where it was undone before the receipt of its freeze was
 * heard of, only the source knows how much that was: like the split of a freeze, it is its word under its key.
 */
function undoneOf(moves: readonly MoveRow[], { unissued, held }: Confirmed['read']): MoveRow | undefined {
  const undone = moves.filter((row) => row.state === 'aborted');
  const same = undone.find((row) => row.unissued === unissued && row.held === held);
  const unheard = undone.find(
    (row) =>
      row.carrier === 'online' &&
      row.unissued + row.held === 0 &&
      (row.quantity === 'all' || row.quantity === unissued + held),
  );
  return same ?? (unheard && { ...unheard, unissued, held }) ?? undone[0];
}

/** The source has released everything and closed: each open move ends, and its generation is over. */
export async function confirmDeactivated(
  context: ClearinghouseContext,
  tx: WriteTx,
  { by, read, nowMs }: Confirmed,
): Promise<Result<DeskAnswer, Refusal>> {
  const { authority } = by;
  const moves = (await openMovesFrom(tx, authority.licenseServerId)).filter(
    (move) => move.agreement === authority.agreement && !isDoneBySource(move.state),
  );
  const frozen = moves.filter((move) => move.state !== 'reserved' && move.state !== 'dead-wait');
  const told = frozen.reduce((sum, move) => sum + move.unissued + move.held, 0);
  if (told !== read.unissued + read.held) {
    return err({ code: 'quantity-differs', expected: told, found: read.unissued + read.held });
  }
  if (!read.someReturned)
    await markNoneReturned(
      tx,
      moves.map(({ id }) => id),
    );
  const codes: CodeView[] = [];
  for (const move of moves) {
    const done =
      move.state === 'dead-wait'
        ? await releaseDead(context, tx, { move, nowMs })
        : await advanceMove(context, tx, {
            move,
            event: move.state === 'reserved' ? 'cancel' : 'released',
            nowMs,
            leases: await leasesOfCode(tx, move, nowMs),
          });
    if (!done.ok) return done;
    codes.push(...done.value.codes);
  }
  await giveUpUndone(tx, authority);
  const applied = await confirmedUnits(tx, authority.aid);
  await closeAuthority(context, tx, { authority, applied, nowMs });
  const next =
    codes.length === 0
      ? 'The license server is closed. Nothing to read out.'
      : nextAfterRelease(codes, authority);
  return ok(
    deskAnswer(codes, next, {
      kind: read.kind,
      unissued: read.unissued,
      held: read.held,
      server: authority.licenseServerId,
      moves: moves.map((move) => move.id),
    }),
  );
}

/** The moves that a confirmation of a server about one line may speak of, newest first. */
function movesSpokenOf(
  tx: WriteTx,
  authority: GrantedAuthorityRow,
  line: number,
): Promise<readonly MoveRow[]> {
  const { licenseServerId, agreement } = authority;
  return movesOnLine(tx, { source: licenseServerId, agreement, line });
}

/** What is released was frozen: where the server was declared dead meanwhile, that move waits besides. */
function openOf(moves: readonly MoveRow[]): MoveRow | undefined {
  const open = moves.filter((move) => !isOver(move.state));
  return open.find(({ state }) => state !== 'dead-wait' && !isDoneBySource(state)) ?? open[0];
}

function moveNumbers(
  move: MoveRow,
  read: { readonly kind: string; readonly unissued: number; readonly held: number },
): { kind: string; unissued: number; held: number; move: string; state: string; server: string; to: string } {
  const { kind, unissued, held } = read;
  return { kind, unissued, held, move: move.id, state: move.state, server: move.source, to: move.target };
}

/** A target that is reached by messages needs no code; one that is not may have the same as codes. */
function nextByMessage({ agreement, source, target }: MoveRow): string {
  return (
    'The move is finished here: the target gets its CALs at its next contact, or by file. Where neither reaches it, read ' +
    `them out: calyx desk repeat --agreement ${agreement} --server-id ${target}. The caller types each code on the new ` +
    `license server: calyx server install --code CODE --from ${source}`
  );
}

/**
 * What is said where the key pack of the held CALs of a living target cannot be read out, because other CALs with
 * holders are on their way to it by message (`readableGrants`).
 */
async function nextWithheld(
  tx: WriteTx,
  move: MoveRow,
  codes: readonly CodeView[],
): Promise<string | undefined> {
  const { agreement, target, state, held } = move;
  const owed = held > 0 && ['frozen', 'granted', 'dead-wait'].includes(state);
  if (!owed || codes.some(({ kind }) => kind === 'held-key-pack')) return undefined;
  if (!(await livingAuthority(tx, target, agreement)).ok) return undefined;
  const first = codes.length === 0 ? '' : 'Read out the CAL Key Pack ID. ';
  return (
    `${first}The key pack of the CALs that have holders can be read out when the new license server has had contact, ` +
    `since others come to it by message: calyx desk repeat --agreement ${agreement} --server-id ${target}`
  );
}

function nextAfterRelease(codes: readonly CodeView[], authority: GrantedAuthorityRow): string {
  if (codes.length === 0) return 'The move is finished. Nothing to read out.';
  const install = 'calyx server install --code CODE';
  const heldInstall = `${install} --from ${authority.licenseServerId}`;
  const held = codes.filter((code) => code.kind === 'held-key-pack').length;
  if (held === 0)
    return `Read out the CAL Key Pack ID. The caller types on the new license server: ${install}`;
  if (held === codes.length) {
    return (
      'Read out the CAL Key Pack ID of the CALs that have holders. The caller types on the new license server: ' +
      heldInstall
    );
  }
  return (
    `Read out each CAL Key Pack ID. The caller types on the new license server: ${install}, and for the CALs that ` +
    `have holders (their code begins with 8 or 9): ${heldInstall}`
  );
}
