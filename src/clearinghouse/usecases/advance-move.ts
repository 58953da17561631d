/**
 * Carries one event of a move out: the table in `core/move.ts` says what is to be done, this turns it
 * into postings, messages and codes in one transaction. Nothing here decides.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import type { Reveal } from '../../core/chain.ts';
import type { JsonObject } from '../../core/json.ts';
import type { AccountId, Posting } from '../../core/ledger.ts';
import type { MoveEffect, MoveEvent } from '../../core/move.ts';
import { advance } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { agreementLines } from '../../store/agreement-rows.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { saidNoneReturned, updateMove } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import { findGrantedAuthority } from '../../store/committed-server-rows.ts';
import { waitingGrants } from '../../store/outbox-rows.ts';
import type { OutgoingMessage, ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { grantUnits } from '../signer.ts';
import { idValue } from '../stored-ids.ts';
import { cancelBody, grantsOfMove, partId } from './cancel-body.ts';
import type { CodeView } from './desk-answer.ts';
import { viewCode } from './desk-answer.ts';
import {
  atRiskOf,
  deadHolders,
  declarationOf,
  fenceSource,
  quarantinePostings,
  sourceDeadBody,
} from './fence-source.ts';
import { givenUpOf } from './given-up.ts';
import { grantProofs } from './grant-proofs.ts';
import type { LapseEffect } from './lapse.ts';
import { givenUpPostings, lapsePostings, takeFromOthers } from './lapse.ts';
import { freezeBody, moveBody, toldList } from './move-body.ts';
import { newId } from './new-id.ts';
import { checkNotDead } from './open-authority.ts';
import { isReadable } from './readable-grants.ts';
import { roomyAuthority } from './roomy-authority.ts';

export interface MoveHappening {
  readonly move: MoveRow;
  readonly event: MoveEvent;
  readonly nowMs: number;
  /** Where the receipt of the freeze told them: who comes along. */
  readonly holders?: BodyOf<'grant'>['holders'] | undefined;
  /** Where that receipt told them: servers whose unnamed holders come along as well. */
  readonly alsoFrom?: readonly string[] | undefined;
  /** Where the release told them: when the last token of each holder ends. */
  readonly leases?: readonly Lease[] | undefined;
  /** Where the target has given back what it had: how it stands now, for the source. */
  readonly returned?: Pick<BodyOf<'relinquished'>, 'unissued' | 'holders'> | undefined;
  /** Why the receipt of its freeze was refused, where that ends it. */
  readonly refused?: Refusal | undefined;
  /** Whether the target had done that before an end of which was heard first: it is counted with what it has given up. */
  readonly endHeard?: boolean | undefined;
}

export type Lease = JsonObject & {
  readonly sub: string;
  readonly leaseEnd: string;
};

export interface MoveOutcome {
  readonly move: MoveRow;
  /** The codes to read out now, for a move by telephone. */
  readonly codes: readonly CodeView[];
  readonly again: boolean;
}

/** What the effects of one event add up to. */
interface Deeds {
  readonly postings: Posting[];
  readonly outbox: OutgoingMessage[];
  readonly codes: CodeView[];
  /** What was granted to the target, for the journal: the chain positions, under which authority. */
  readonly grants: JsonObject[];
}

/**
 * Advances a move. Refused: what the table refuses, `move-more-than-there-is` where a receipt tells more
 * than the books have committed to its source, and `not-activated` or `server-closed` of a target that
 * can no longer be granted anything.
 */
export async function advanceMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  happening: MoveHappening,
): Promise<Result<MoveOutcome, Refusal>> {
  const { move, event, nowMs } = happening;
  const step = advance(move, event, move.carrier);
  if (!step.ok) return step;
  if (event === 'installed' || event === 'relinquished') await confirmGrant(tx, move);
  if (step.value.again) return ok({ move, codes: [], again: true });
  const deeds: Deeds = { postings: [], outbox: [], codes: [], grants: [] };
  for (const effect of step.value.effects) {
    const done = await carryOut(context, tx, { ...happening, effect, deeds });
    if (!done.ok) return done;
  }
  const after: MoveRow = {
    ...move,
    state: step.value.state,
    verified: move.verified || event === 'verified',
    updatedAt: nowMs,
  };
  if (!(await updateMove(tx, move.state, after)))
    throw new Error(`Move ${move.id} changed under its own update.`);
  await tx.post({
    log: move.agreement,
    kind: `move-${event}`,
    id: newId(context),
    at: nowMs,
    body: {
      move: move.id,
      state: after.state,
      line: move.line,
      source: move.source,
      target: move.target,
      unissued: move.unissued,
      held: move.held,
      ...(deeds.grants.length === 0 ? {} : { grants: deeds.grants }),
    },
    postings: deeds.postings,
    outbox: deeds.outbox,
  });
  return ok({ move: after, codes: deeds.codes, again: false });
}

/** Whoever tells what has become of a grant has it, whether it has confirmed the message or not. */
async function confirmGrant(tx: WriteTx, { id, target }: MoveRow): Promise<void> {
  const waiting = (await waitingGrants(tx, target)).filter(({ move }) => move === id);
  if (waiting.length > 0) await tx.acknowledge(waiting.map((grant) => grant.id));
}

interface Doing extends MoveHappening {
  readonly effect: MoveEffect;
  readonly deeds: Deeds;
}

async function carryOut(
  context: ClearinghouseContext,
  tx: WriteTx,
  doing: Doing,
): Promise<Result<null, Refusal>> {
  const { effect, move, deeds } = doing;
  if (effect.do === 'read-out') return readOut(context, tx, { ...doing, code: effect.code });
  if (effect.do === 'send') return send(context, tx, { ...doing, effect });
  if (effect.do === 'fence-source') {
    deeds.outbox.push(await fenceSource(context, tx, move));
    return ok(null);
  }
  if (effect.do === 'quarantine' || effect.do === 'end-quarantine') {
    const declared = await declarationOf(tx, move);
    deeds.postings.push(...quarantinePostings(declared, { move, act: effect.do }));
    return ok(null);
  }
  if (effect.do === 'post-to-lapse' || effect.do === 'source-to-lapse') {
    const lapsed = await lapse(tx, { ...doing, what: effect.do });
    return lapsed.ok && effect.do === 'post-to-lapse' ? giveUpOthers(tx, doing) : lapsed;
  }
  const posting = await postingOf(tx, move, effect.do);
  if (!posting.ok) return posting;
  deeds.postings.push(posting.value);
  if (effect.do === 'void-to-source') return giveUpOthers(tx, doing);
  if (effect.do === 'post-to-target') deeds.postings.push(...(await givenUpBefore(tx, doing)));
  return ok(null);
}

async function lapse(
  tx: WriteTx,
  doing: Doing & { readonly what: LapseEffect },
): Promise<Result<null, Refusal>> {
  const source = await committedTo(tx, doing.move, 'source');
  const postings = await lapsePostings(tx, { ...doing, source });
  if (!postings.ok) return postings;
  doing.deeds.postings.push(...postings.value);
  return ok(null);
}

async function postingOf(
  tx: WriteTx,
  move: MoveRow,
  what: 'reserve-in-transit' | 'post-to-target' | 'void-to-source',
): Promise<Result<Posting, Refusal>> {
  const account = clearinghouseAccount(move.agreement, move.line);
  const source = await committedTo(tx, move, 'source');
  const target = await committedTo(tx, move, 'target');
  const amount = move.unissued + move.held;
  switch (what) {
    case 'reserve-in-transit': {
      // What is quarantined goes back to the source in the posting before this one.
      const waiting = move.state === 'dead-wait' ? (await declarationOf(tx, move)).units : 0;
      const covered = checkCovered(amount, (await tx.balance(source)) + waiting);
      const hold = account.inTransit(move.id);
      return covered.ok
        ? ok({ kind: 'pending', id: move.id, debit: source, hold, credit: target, amount })
        : covered;
    }
    case 'post-to-target':
      return ok({ kind: 'post', pending: move.id, credit: target });
    case 'void-to-source':
      return ok(
        source === account.committed(move.source, move.sourceGeneration)
          ? { kind: 'void', pending: move.id }
          : { kind: 'post', pending: move.id, credit: source },
      );
  }
}

/**
 * What the target of a move that does not come there has given up of it, it has given up of something else; but not what it
 * had given back of this very move, when its end was heard of: nothing that had come to it was left there (`closeAuthority`).
 */
async function giveUpOthers(tx: WriteTx, doing: Doing): Promise<Result<null, Refusal>> {
  const { move, event, nowMs, deeds, endHeard } = doing;
  // One that is fenced off gives nothing back in its place.
  if (endHeard === true || event === 'target-lapsed') return ok(null);
  const debit = await committedTo(tx, move, 'target');
  const postings = await takeFromOthers(tx, { move, debit, nowMs });
  if (!postings.ok) return postings;
  deeds.postings.push(...postings.value);
  return ok(null);
}

/** What its target had installed by a code and given up already is in nobody's hands. */
async function givenUpBefore(tx: WriteTx, { move, nowMs }: Doing): Promise<readonly Posting[]> {
  const amount = givenUpOf(await grantsOfMove(tx, move));
  const debit = await committedTo(tx, move, 'target');
  const { agreement, line, target: server } = move;
  return amount === 0 ? [] : givenUpPostings(tx, { server, agreement, line, debit, amount, nowMs });
}

/**
 * The account of one end of a move, of its present generation: a server that was closed and activated
 * again since the move began has taken its units along (`carryOver`).
 */
async function committedTo(tx: WriteTx, move: MoveRow, end: 'source' | 'target'): Promise<AccountId> {
  const authority = await findGrantedAuthority(tx, move[end], move.agreement);
  const generation = authority?.generation ?? move[`${end}Generation`];
  return clearinghouseAccount(move.agreement, move.line).committed(move[end], generation);
}

/** A receipt is believed as far as the books go: nobody can give up what was never committed to it. */
function checkCovered(asked: number, available: number): Result<null, Refusal> {
  if (asked >= 1 && asked <= available) return ok(null);
  return err({ code: 'move-more-than-there-is', asked, available });
}

const bothKinds = ['free', 'held'] as const;

/** Grants a part of the move to the target under its chains. */
async function grantPart(
  tx: WriteTx,
  of: {
    readonly move: MoveRow;
    readonly authority: GrantedAuthorityRow;
    readonly kind: 'free' | 'held';
    readonly deeds: Deeds;
    readonly nowMs: number;
  },
): Promise<number> {
  const { move, kind, authority } = of;
  const grant = await grantUnits(tx, {
    id: partId(move, kind),
    authority,
    line: move.line,
    kind,
    amount: kind === 'free' ? move.unissued : move.held,
    carrier: move.carrier,
    source: move.source,
    cover: move,
    nowMs: of.nowMs,
  });
  const { kBefore, kAfter: k } = grant;
  if (k > kBefore) of.deeds.grants.push({ aid: authority.aid, chain: kind, kBefore, k });
  return k;
}

async function readOut(
  context: ClearinghouseContext,
  tx: WriteTx,
  doing: Doing & { readonly code: 'key-pack' | 'held-key-pack' },
): Promise<Result<null, Refusal>> {
  const { move, code, nowMs } = doing;
  const kind = code === 'key-pack' ? 'free' : 'held';
  if ((kind === 'free' ? move.unissued : move.held) === 0) return ok(null);
  const authority = await roomyAuthority(context, tx, {
    ...{ ...doing, outbox: doing.deeds.outbox },
    // Before the first code is read out there has to be room for the second one, too.
    kinds: doing.event === 'grant' ? bothKinds : [kind],
  });
  if (!authority.ok) return authority;
  const { deeds } = doing;
  const k = await grantPart(tx, { move, authority: authority.value, kind, deeds, nowMs });
  const living = await checkNotDead(tx, move.target);
  const readable = await isReadable(tx, authority.value.aid, { line: move.line, kind, kAfter: k });
  if (living.ok && readable)
    deeds.codes.push(await moveCode(context, tx, { move, authority: authority.value, kind, k }));
  return ok(null);
}

/** The code of a granted part, as it was and will be read out. */
export async function moveCode(
  context: ClearinghouseContext,
  tx: ReadTx,
  of: {
    readonly move: Pick<MoveRow, 'id' | 'source' | 'line'>;
    readonly authority: GrantedAuthorityRow;
    readonly kind: 'free' | 'held';
    readonly k: number;
  },
): Promise<CodeView> {
  const { k } = of;
  const { id, line, source } = of.move;
  const reveal: Reveal =
    of.kind === 'free'
      ? { kind: 'key-pack', line, k }
      : {
          ...{ kind: 'held-key-pack', line, k, sourceValue: idValue(context, source) },
          someReturned: !(await saidNoneReturned(tx, id)),
        };
  return viewCode(context, of.authority, reveal);
}

async function send(
  context: ClearinghouseContext,
  tx: WriteTx,
  doing: Doing & { readonly effect: Extract<MoveEffect, { do: 'send' }> },
): Promise<Result<null, Refusal>> {
  const { effect, move } = doing;
  const body = await bodyOf(context, tx, doing);
  if (!body.ok) return body;
  doing.deeds.outbox.push(
    await outgoing(tx, {
      id: newId(context),
      type: effect.message,
      to: effect.to === 'source' ? move.source : move.target,
      agreement: move.agreement,
      move: move.id,
      body: body.value,
    }),
  );
  return ok(null);
}

async function bodyOf(
  context: ClearinghouseContext,
  tx: WriteTx,
  doing: Doing & { readonly effect: Extract<MoveEffect, { do: 'send' }> },
): Promise<Result<JsonObject, Refusal>> {
  const { message } = doing.effect;
  if (message === 'grant') return grantBody(context, tx, doing);
  if (message === 'cancel') return ok(await cancelBody(context, tx, doing.move));
  if (message === 'freeze') return ok(await freezeBody(tx, doing.move));
  if (message === 'source-dead') return ok(await sourceDeadBody(tx, doing.move, doing.nowMs));
  return ok(await moveBody(context, tx, { ...doing, message }));
}

/** The grant, with the proof of both chains and the holders that come along. */
async function grantBody(
  context: ClearinghouseContext,
  tx: WriteTx,
  doing: Doing,
): Promise<Result<JsonObject, Refusal>> {
  const { move, deeds, nowMs, event, holders = [], alsoFrom = [] } = doing;
  const authority = await roomyAuthority(context, tx, { ...doing, outbox: deeds.outbox, kinds: bothKinds });
  if (!authority.ok) return authority;
  const free = await grantPart(tx, { move, authority: authority.value, kind: 'free', deeds, nowMs });
  const held = await grantPart(tx, { move, authority: authority.value, kind: 'held', deeds, nowMs });
  const list = { part: 'grant-part', name: 'holders', items: holders } as const;
  const line = (await agreementLines(tx, move.agreement)).find((row) => row.line === move.line);
  if (line === undefined) {
    return err({ code: 'line-unknown', agreement: move.agreement, product: move.product, type: move.type });
  }
  const { aid } = authority.value;
  return ok({
    agreement: move.agreement,
    line: move.line,
    product: { ...line.product },
    type: move.type,
    source: move.source,
    unissued: move.unissued,
    held: move.held,
    ...(await toldList(context, tx, { ...doing, list })),
    ...(alsoFrom.length === 0 ? {} : { alsoFrom }),
    ...(await grantProofs(context, tx, { aid, line: move.line, free, held })),
    provisional: true,
    hold: move.hold,
    ...(event === 'horizon-passed' || event === 'early-release' ? await deadHolders(tx, move, nowMs) : {}),
    ...(event === 'early-release' ? await atRiskOf(tx, move) : {}),
  });
}
