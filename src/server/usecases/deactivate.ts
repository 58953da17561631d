/**
 * Deactivation: releases what is frozen, gives back what is unissued, and closes. The document's step
 * 10; by telephone it prints one code for each agreement (protocol §3.6, kind 5).
 */
import type { ConfirmationKind } from '../../core/confirmation.ts';
import { allLines } from '../../core/confirmation.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { WriteTx } from '../../store/port.ts';
import type { AuthorityRow, LineRow } from '../../store/server-authority-rows.ts';
import { linesOfAgreement, listAuthorities, setAuthorityState } from '../../store/server-authority-rows.ts';
import type { ConfirmationRow, ServerMoveRow } from '../../store/server-rows.ts';
import {
  insertRequest,
  isWaiting,
  listConfirmations,
  listServerMoves,
  newestRequest,
  openFreeze,
  settleRequest,
  waitingRequest,
} from '../../store/server-rows.ts';
import { dropUnits, freePool, shiftUnits } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { nextGeneration } from '../generation.ts';
import { outgoing } from '../send.ts';
import type { ConfirmationView } from './confirm.ts';
import { confirmAct, tooMuchToTell, viewConfirmation } from './confirm.ts';
import { noteEvent } from './events.ts';
import { authorityNow, giveAllBack } from './give-back.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { releaseWhole } from './long-move.ts';
import { newId } from './new-id.ts';
import { checkGivenUp } from './open-undo.ts';
import { checkPast } from './past.ts';
import { administer } from './server-facts.ts';
import { stateEndedMoves } from './state-move.ts';
import { nextCode, release, releaseAndTell } from './telephone-move.ts';

export interface Deactivation {
  /** Gives back what is unissued first; without it anything left is refused. */
  readonly returnUnissued: boolean;
  /** How it is reported: codes to read, or messages in the outbox. */
  readonly by: 'telephone' | 'message';
}

export type Deactivated = {
  /** By telephone: every code to read, in this order; the last of an agreement closes it. */
  readonly codes: readonly ConfirmationView[];
  /** By message: the request that the answer will settle. */
  readonly request: string | null;
  readonly unissued: number;
  readonly held: number;
  /** Of all codes together (confirm.ts). */
  readonly alsoFrom: readonly string[];
};

interface Holding {
  readonly authority: AuthorityRow;
  readonly lines: readonly { readonly line: LineRow; readonly freeze: ServerMoveRow | undefined }[];
}

/**
 * Deactivates the server under all its agreements. Asked again on a deactivated server, the codes are
 * printed again; by message, where the clearinghouse has refused because codes had not been read, it is
 * told again. Refused: `not-activated`, `holders-remain` with the counts (move them first; what is
 * only unissued can be given back with --return), `answer-pending` while a certificate is under way,
 * `move-open` by message while a move by telephone is open, and while a move to here is on trial, `undo-open`.
 */
export async function deactivateServer(
  context: ServerContext,
  order: Deactivation,
): Promise<Result<Deactivated, Refusal>> {
  const nowMs = context.clock.nowMs();
  // Afterwards nobody listens to it any more: what it has to state of its moves goes ahead.
  if (order.by === 'message') await stateEndedMoves(context);
  return administer(context, async (tx) => {
    const authorities = await listAuthorities(tx);
    if (authorities.length === 0) return err({ code: 'not-activated', agreement: null });
    const active = authorities.filter((row) => row.state === 'active');
    if (active.length === 0) {
      const refused = (await newestRequest(tx, 'deactivate'))?.state === 'refused';
      if (order.by === 'telephone' || !refused) return repeat(context, tx, { authorities, refused });
      return ok(closedBy([], await sendDeactivate(context, tx, { active: authorities, nowMs }), []));
    }
    const certain = await checkPast(tx);
    const closable = certain.ok ? await checkClosable(tx, { active, order }) : certain;
    if (!closable.ok) return closable;
    const codes: ConfirmationView[] = [];
    for (const holding of closable.value) {
      const told = await closeHolding(context, tx, { holding, by: order.by, nowMs });
      if (!told.ok) return told;
      codes.push(...told.value);
    }
    const request = order.by === 'message' ? await sendDeactivate(context, tx, { active, nowMs }) : null;
    await nextGeneration(tx);
    return ok(
      closedBy(
        codes,
        request,
        codes.filter(({ kind }) => kind !== 'returned'),
      ),
    );
  });
}

/** What was told, with the sums of the codes that close an agreement (`closing`). */
function closedBy(
  codes: readonly ConfirmationView[],
  request: string | null,
  closing: readonly ConfirmationView[],
): Deactivated {
  const sum = (pick: 'unissued' | 'held'): number => closing.reduce((total, code) => total + code[pick], 0);
  const alsoFrom = [...new Set(codes.flatMap((code) => code.alsoFrom))].sort();
  return { codes, request, unissued: sum('unissued'), held: sum('held'), alsoFrom };
}

/** What is to be closed, where nothing is left that somebody would lose. */
async function checkClosable(
  tx: WriteTx,
  of: { readonly active: readonly AuthorityRow[]; readonly order: Deactivation },
): Promise<Result<readonly Holding[], Refusal>> {
  const { active, order } = of;
  // A certificate that is under way would activate the server again, with what it vouches for.
  if (await isWaiting(tx, 'activate')) {
    return err({ code: 'answer-pending', waitingFor: 'the certificate' });
  }
  const holdings: Holding[] = [];
  for (const authority of active) holdings.push(await holdingOf(tx, authority));
  const told = order.by === 'message' ? telephoneFreeze(holdings) : undefined;
  if (told !== undefined) return err({ code: 'move-open', move: told.id, state: told.state });
  for (const freeze of freezesOf(holdings)) {
    const given = await checkGivenUp(tx, freeze);
    if (!given.ok) return given;
  }
  const coming = (await listServerMoves(tx)).find(
    (move) => move.role === 'target' && move.state === 'provisional',
  );
  // Its units are not this server's yet in the books of the clearinghouse: they cannot be given back.
  if (coming !== undefined) return err({ code: 'move-open', move: coming.id, state: coming.state });
  const left = await remaining(tx, holdings);
  const held = left.issued + left.reserved > 0;
  if (held || (left.unissued > 0 && !order.returnUnissued)) return err({ code: 'holders-remain', ...left });
  return ok(holdings);
}

async function holdingOf(tx: WriteTx, authority: AuthorityRow): Promise<Holding> {
  const lines: { line: LineRow; freeze: ServerMoveRow | undefined }[] = [];
  for (const line of await linesOfAgreement(tx, authority.agreement)) {
    lines.push({ line, freeze: await openFreeze(tx, line.agreement, line.line) });
  }
  return { authority, lines };
}

function freezesOf(holdings: readonly Holding[]): readonly ServerMoveRow[] {
  return holdings.flatMap(({ lines }) => lines.flatMap(({ freeze }) => freeze ?? []));
}

/** A freeze that is told by telephone is released by telephone: its move goes on with that code. */
function telephoneFreeze(holdings: readonly Holding[]): ServerMoveRow | undefined {
  return freezesOf(holdings).find((freeze) => freeze.carrier === 'telephone');
}

/** What is neither frozen nor given back. */
async function remaining(
  tx: WriteTx,
  holdings: readonly Holding[],
): Promise<{ issued: number; unissued: number; reserved: number }> {
  const left = { issued: 0, unissued: 0, reserved: 0 };
  for (const { lines } of holdings) {
    for (const { line } of lines) {
      const accounts = accountsOf(line);
      left.issued += await tx.balance(accounts.issued);
      left.unissued += await tx.balance(accounts.unissued);
      left.reserved += (await tx.balance(accounts.reserved)) + (await tx.balance(accounts.quarantined));
    }
  }
  return left;
}

/**
 * Gives back, releases and closes one agreement; the sums of its freezes are what its code tells, or there is a code
 * for each of them (`needCodesApart`).
 */
async function closeHolding(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly holding: Holding; readonly by: Deactivation['by']; readonly nowMs: number },
): Promise<Result<readonly ConfirmationView[], Refusal>> {
  const { holding, by, nowMs } = of;
  const { agreement, aid } = holding.authority;
  const codes: ConfirmationView[] = [];
  let unissued = 0;
  let held = 0;
  let releases = 0;
  for (const { line } of holding.lines) {
    const returned = await returnLeft(context, tx, { line, aid, by, nowMs });
    if (!returned.ok) return returned;
    codes.push(...returned.value);
  }
  const apart = by === 'telephone' && needCodesApart(freezesOf([holding]));
  if (apart) codes.push(...(await releaseApart(context, tx, { holding, nowMs })));
  const code = nextCode(await authorityNow(tx, aid));
  for (const { line, freeze } of apart ? [] : holding.lines) {
    if (freeze === undefined) continue;
    if (by === 'telephone') await release(context, tx, { line, move: freeze, nowMs, code });
    else await releaseWhole(context, tx, { line, move: freeze });
    unissued += freeze.unissued;
    held += freeze.held;
    releases += 1;
  }
  if (by === 'telephone') {
    const authority = await authorityNow(tx, aid);
    const act = {
      authority,
      kind: 'deactivated',
      line: allLines,
      unissued,
      held,
      move: null,
      nowMs,
    } as const;
    codes.push(await confirmAct(context, tx, { ...act, counts: { releases } }));
  }
  await setAuthorityState(tx, aid, 'deactivated');
  await tx.post({
    log: serverLog,
    kind: 'deactivated',
    id: newId(context),
    at: nowMs,
    body: { agreement, unissued, held, releases },
  });
  await noteEvent(context, tx, { number: 5010, data: { agreement } });
  return ok(codes);
}

/** Releases each move with a code of its own. */
async function releaseApart(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly holding: Holding; readonly nowMs: number },
): Promise<readonly ConfirmationView[]> {
  const { holding, nowMs } = of;
  const codes: ConfirmationView[] = [];
  for (const { line, freeze: move } of holding.lines) {
    if (move === undefined) continue;
    const authority = await authorityNow(tx, holding.authority.aid);
    codes.push(await releaseAndTell(context, tx, { line, authority, move, nowMs }));
  }
  return codes;
}

/**
 * Whether some freezes are told by codes of their own: where their sums are more than one code can tell, which each of them
 * is not (core/split.ts). Or where one was made by message: the desk may not have heard of it, or have undone it since, and
 * a sum does not say of which move it is.
 */
function needCodesApart(freezes: readonly ServerMoveRow[]): boolean {
  if (freezes.some(({ carrier }) => carrier === 'online')) return true;
  const sum = (pick: 'unissued' | 'held'): number =>
    freezes.reduce((total, freeze) => total + freeze[pick], 0);
  return tooMuchToTell(sum('unissued')) || tooMuchToTell(sum('held'));
}

async function returnLeft(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly aid: string;
    readonly by: Deactivation['by'];
    readonly nowMs: number;
  },
): Promise<Result<readonly ConfirmationView[], Refusal>> {
  const { line, nowMs } = of;
  const accounts = accountsOf(line);
  const quantity = await tx.balance(accounts.unissued);
  if (quantity === 0) return ok([]);
  if (of.by === 'telephone') return giveAllBack(context, tx, { ...of, quantity });
  const id = newId(context);
  await shiftUnits(tx, { lineId: line.id, from: freePool, to: id, amount: quantity });
  await dropUnits(tx, line.id, id);
  const body = { agreement: line.agreement, line: line.line, quantity };
  const message = await outgoing(tx, { id, type: 'return', body });
  await tx.post({
    log: serverLog,
    kind: 'given-back',
    id,
    at: nowMs,
    body,
    outbox: [message],
    postings: [{ kind: 'transfer', debit: accounts.unissued, credit: accounts.installed, amount: quantity }],
  });
  await noteEvent(context, tx, {
    number: 5007,
    data: { count: quantity, product: line.product, type: line.type },
  });
  return ok([]);
}

async function sendDeactivate(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly active: readonly AuthorityRow[]; readonly nowMs: number },
): Promise<string> {
  const id = newId(context);
  const agreements = of.active.map((row) => row.agreement);
  const ask = JSON.stringify({ agreements });
  // Deactivated before, opened again by its old activation code, and nothing was heard in between: the
  // message of that time goes ahead of this one, and only this one is waited for.
  const before = await waitingRequest(tx, 'deactivate', ask);
  if (before !== undefined) await settleRequest(tx, { id: before.id, state: 'done', answer: '{}' });
  await insertRequest(tx, { id, kind: 'deactivate', ask, at: of.nowMs });
  const applied: JsonObject[] = [];
  for (const agreement of agreements) {
    for (const row of await linesOfAgreement(tx, agreement)) {
      const { line, openUnits, freeK, heldK } = row;
      // A grant or a certificate that was under way may have brought some since the end that is told once more. They
      // are here, given up by nobody: so they stay this server's until it is activated again.
      const since = await tx.balance(accountsOf(row).installed);
      applied.push({ agreement, line, units: openUnits + freeK + heldK - since });
    }
  }
  const confirmations = of.active.map(({ agreement, confirmationSeq: seq, freezes, releases, returns }) => ({
    agreement,
    seq,
    freezes,
    releases,
    returns,
  }));
  const body = { agreements, applied, confirmations };
  const message = await outgoing(tx, { id, type: 'deactivate', body });
  await tx.post({
    log: serverLog,
    kind: 'deactivate-requested',
    id,
    at: of.nowMs,
    body: { agreements },
    outbox: [message],
  });
  return id;
}

/** The codes that an authority has made of some kinds after one of its codes and before another. */
async function toldBetween(
  tx: WriteTx,
  of: Pick<AuthorityRow, 'agreement' | 'aid'> & {
    readonly kinds: readonly ConfirmationKind[];
    readonly after: number;
    readonly before: number;
  },
): Promise<readonly ConfirmationRow[]> {
  const rows: ConfirmationRow[] = [];
  for (const kind of of.kinds) {
    const told = await listConfirmations(tx, of.agreement, kind);
    rows.push(...told.filter(({ aid, seq }) => aid === of.aid && seq > of.after && seq < of.before));
  }
  return rows.sort((one, other) => one.seq - other.seq);
}

const toldKinds = ['frozen', 'released', 'returned'] as const;

/** The codes that the desk has to be read for an agreement: it takes them in their order, and may have heard of none. */
async function codesOf(
  tx: WriteTx,
  { agreement, aid }: AuthorityRow,
  refused: boolean,
): Promise<readonly ConfirmationRow[]> {
  const all = { agreement, aid, after: 0, before: Number.POSITIVE_INFINITY };
  // Closed by message, and that was refused for want of them.
  if (refused) return toldBetween(tx, { ...all, kinds: [...toldKinds, 'deactivated'] });
  const [last, earlier] = await listConfirmations(tx, agreement, 'deactivated');
  if (last === undefined) return [];
  // Since the end before it.
  const after = earlier?.aid === last.aid ? earlier.seq : 0;
  const told = await toldBetween(tx, { ...last, kinds: toldKinds, after, before: last.seq });
  return [...told, last];
}

/** The codes as they were printed: whoever lost the note reads them again. */
async function repeat(
  context: ServerContext,
  tx: WriteTx,
  { authorities, refused }: { readonly authorities: readonly AuthorityRow[]; readonly refused: boolean },
): Promise<Result<Deactivated, Refusal>> {
  const codes: ConfirmationView[] = [];
  const closing: ConfirmationView[] = [];
  for (const authority of authorities) {
    const rows = await codesOf(tx, authority, refused);
    const end = rows.findLast(({ kind }) => kind === 'deactivated');
    for (const row of rows) {
      const view = await viewConfirmation(context, tx, row);
      codes.push(view);
      if (row === end || (row.kind === 'released' && row.at === end?.at)) closing.push(view);
    }
  }
  return codes.length === 0 ? err({ code: 'deactivated' }) : ok(closedBy(codes, null, closing));
}
