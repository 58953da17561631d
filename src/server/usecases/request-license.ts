/**
 * A device or a user asks for a license: the hot path. Most requests find a license that is still
 * fresh and are answered from it without a write; all others are decided within one.
 */
import type { RequestDecision } from '../../core/cal.ts';
import { decideRequest, leaseEnd, renewalMs } from '../../core/cal.ts';
import type { CalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { markBridged } from '../../store/gap-rows.ts';
import type { LicenseRow } from '../../store/license-rows.ts';
import {
  insertLicense,
  latestLeaseEnd,
  liveLicenses,
  markUpgraded,
  renewLicense,
} from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { freePool, takeUnit } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { giveGap, giveTemporary } from './bare-license.ts';
import { bridgeOf } from './gap.ts';
import type { Granted } from './license-answer.ts';
import { permanentAnswer, shownAnswer, temporaryAnswer } from './license-answer.ts';
import { noteDenial, noteIssued } from './license-events.ts';
import type { Asked, Candidate, Situation } from './license-situation.ts';
import { candidatesFor, situationOf } from './license-situation.ts';
import { accountsOf, marksOf, serverLog } from './license-token.ts';
import { otherEnd } from './move-row.ts';
import { newId } from './new-id.ts';
import { referHeld, referRefused, referStranger, referTo } from './refer.ts';
import { decideInTime } from './seen-time.ts';
import type { AuthorityFacts } from './server-facts.ts';
import { isPastHorizon, serverFacts, standingOf } from './server-facts.ts';
import { noteShown } from './suspend.ts';
import type { Inherited } from './take-over.ts';
import { comesFrom, isShownFor, settleTakeOver, verifyEnded, verifyShown } from './take-over.ts';

export interface LicenseRequest {
  readonly product: string;
  readonly type: CalType;
  /** The name of the device or user, as the host gave it. */
  readonly holder: string;
  /** What the holder has from another license server, to be taken over from it. */
  readonly source?: { readonly token: string; readonly bundle: unknown } | undefined;
}

/** The answer of docs/http.md, 2, but for the bundle, which `bundleText` holds as JSON ready to send. */
export interface LicenseAnswer extends Omit<Granted, 'token'> {
  readonly token: string;
}

/**
 * Answers a license request. Refused as `decideRequest` says, `license-moved` and `clock-behind`. Where
 * CALs have moved away, answer and refusal alike carry a referral to where they are (`refer.ts`).
 */
export async function requestLicense(
  context: ServerContext,
  request: LicenseRequest,
): Promise<Result<LicenseAnswer, Refusal>> {
  const nowMs = context.clock.nowMs();
  if (request.source !== undefined) await noteShown(context, request.source);
  const fresh = await answerUnchanged(context, request, nowMs);
  if (fresh !== null) return ok(await signed(fresh));
  const { source } = request;
  const shown = source === undefined ? ok(null) : verifyShown(context, source, nowMs);
  // What was shown and does not count any more does for a holder of a source that no longer functions.
  const ended = shown.ok || source === undefined ? null : verifyEnded(context, source);
  const asked = shown.ok
    ? { request, nowMs, shown: shown.value, ended: null, notShown: null }
    : { request, nowMs, shown: null, ended, notShown: shown.error };
  const answer = await context.store.write((tx) => decideAndDo(context, tx, asked));
  if (answer.ok) return ok(await signed(answer.value));
  await noteDenial(context, request, answer.error);
  return answer;
}

async function signed(granted: Granted): Promise<LicenseAnswer> {
  return { ...granted, token: await granted.token };
}

/**
 * The license as it stands, where it was asked for again long before its end. Read outside any write,
 * which is safe because nothing is decided: the token was handed out before and is handed out again.
 */
async function answerUnchanged(
  context: ServerContext,
  request: LicenseRequest,
  nowMs: number,
): Promise<Granted | null> {
  const { facts } = context.cache;
  if (facts === null || facts.activation !== 'activated' || facts.past !== null) return null;
  const licenses = await context.store.read((tx) => liveLicenses(tx, request.type, request.holder));
  for (const license of licenses) {
    const line = facts.lines.find((each) => each.id === license.lineId);
    const authority = line && facts.authorities.get(line.agreement);
    if (authority === undefined || line?.product !== request.product) continue;
    // Its token names an authority that a new certificate has replaced: it is signed again, in a write.
    if (license.aid !== line.aid) return null;
    if (license.expiresAt - nowMs > renewalMs) {
      const referral = await context.store.read((tx) => referHeld(context, tx, license));
      return permanentAnswer(context, 'unchanged', { line, authority, license, referral });
    }
  }
  return null;
}

async function decideAndDo(
  context: ServerContext,
  tx: WriteTx,
  asked: Asked,
): Promise<Result<Granted, Refusal>> {
  const facts = await serverFacts(context, tx);
  const situation = await situationOf(context, tx, { ...asked, facts });
  const { movedTo, frozen } = situation;
  if (frozen !== null) return ok(await keepShown(context, tx, { frozen, asked }));
  if (movedTo !== null) {
    const { product } = asked.request;
    const refusal = { code: 'license-moved', product, licenseServerId: otherEnd(movedTo) } as const;
    return err(await referTo(context, tx, { refusal, move: movedTo }));
  }
  // Who has a license here, had one or is expected, need show nothing: then what was shown does no harm either.
  const { own, takeOver, gap } = situation;
  const known = own !== null || takeOver !== null || bridgeOf(gap) !== null || gap.open !== null;
  if (asked.notShown !== null && !known) return err(asked.notShown);
  const decision = decideRequest(situation.state);
  if (!decision.ok) {
    const candidates = candidatesFor(facts, asked.request);
    return err(await referRefused(context, tx, { refusal: decision.error, candidates }));
  }
  const { temporary } = situation;
  const timely = await decideInTime(context, tx, { decision: decision.value, temporary, nowMs: asked.nowMs });
  if (!timely.ok) return timely;
  return act(context, tx, { situation, decision: timely.value, asked });
}

/** What it shows stays its license, and it can go where its CAL goes. */
async function keepShown(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly frozen: NonNullable<Situation['frozen']>; readonly asked: Asked },
): Promise<Granted> {
  const { frozen, asked } = of;
  const referral = await referHeld(context, tx, { state: 'held', move: frozen.move });
  return shownAnswer({ ...frozen, request: asked.request, referral });
}

interface Deed {
  readonly situation: Situation;
  readonly decision: RequestDecision;
  readonly asked: Asked;
}

async function act(context: ServerContext, tx: WriteTx, deed: Deed): Promise<Result<Granted, Refusal>> {
  const { situation, decision } = deed;
  switch (decision.act) {
    case 'unchanged':
      if (decision.kind === 'temporary') {
        const referral = await referStranger(context, tx, deed);
        return ok(
          temporaryAnswer(context, 'unchanged', { ...deed, row: must(situation.temporary), referral }),
        );
      }
      if (decision.kind === 'gap') {
        const row = must(bridgeOf(situation.gap));
        return ok(temporaryAnswer(context, 'unchanged', { ...deed, row, referral: null }));
      }
      return ok(await unchanged(context, tx, deed));
    case 'renew':
      return ok(await renew(context, tx, deed));
    case 'issue':
    case 'upgrade':
      return ok(await issue(context, tx, { ...deed, to: must(situation.giver), inherited: null }));
    case 'take-over': {
      const to = must(situation.takeOver);
      const inherited = await settleTakeOver(tx, to.from, deed.asked.nowMs);
      return ok(await issue(context, tx, { ...deed, to, inherited }));
    }
    case 'temporary': {
      const referral = await referStranger(context, tx, deed);
      const row = await giveTemporary(context, tx, deed);
      return ok(temporaryAnswer(context, 'issued', { ...deed, row, referral }));
    }
    case 'gap': {
      const status = (bridgeOf(situation.gap)?.expiresAt ?? 0) === 0 ? 'issued' : 'renewed';
      const row = await giveGap(context, tx, deed);
      return ok(temporaryAnswer(context, status, { ...deed, row, referral: null }));
    }
  }
}

/** What the decision rests on must be there: its absence is a bug, and undoes the command. */
function must<T>(value: T | null): T {
  if (value === null) throw new Error('The decision on a license rests on something that is not there.');
  return value;
}

/** The license as it stands; under a new certificate its token is signed again, to the same end. */
async function unchanged(context: ServerContext, tx: WriteTx, deed: Deed): Promise<Granted> {
  const own = must(deed.situation.own);
  if (own.license.aid === own.line.aid) {
    const referral = await referHeld(context, tx, own.license);
    return permanentAnswer(context, 'unchanged', { ...own, referral });
  }
  return {
    ...(await renewTo(context, tx, { ...deed, expiresAt: own.license.expiresAt })),
    status: 'unchanged',
  };
}

/** A new lease on the unit that the holder has. */
async function renew(context: ServerContext, tx: WriteTx, deed: Deed): Promise<Granted> {
  const hasUntilMs = deed.situation.state.shownUntil ?? 0;
  const expiresAt = endOf(context, deed, { authority: must(deed.situation.own).authority, hasUntilMs });
  return renewTo(context, tx, { ...deed, expiresAt });
}

async function renewTo(
  context: ServerContext,
  tx: WriteTx,
  deed: Deed & { readonly expiresAt: number },
): Promise<Granted> {
  const own = must(deed.situation.own);
  const { nowMs } = deed.asked;
  const { expiresAt } = deed;
  const jti = newId(context);
  const { license, line } = own;
  const renewed: LicenseRow = {
    ...license,
    ...marksOf(deed.situation.facts, await tx.head(serverLog)),
    aid: line.aid,
    jti,
    late: isPastHorizon(own.authority, nowMs) ? 1 : 0,
    renewedAt: nowMs,
    expiresAt,
    leaseEnd: Math.max(license.leaseEnd, expiresAt, line.namelessUntil),
  };
  const referral = await referHeld(context, tx, license);
  const granted = permanentAnswer(context, 'renewed', { ...own, license: renewed, referral });
  await renewLicense(tx, renewed);
  await tx.post({
    log: serverLog,
    kind: 'renewed',
    id: jti,
    at: nowMs,
    body: {
      agreement: line.agreement,
      line: line.line,
      unit: license.unit,
      sub: license.sub,
      until: expiresAt,
      late: renewed.late === 1,
    },
  });
  return granted;
}

/** Gives a unit to a new holder: a free one, or the one that came with a move for it. */
async function issue(context: ServerContext, tx: WriteTx, deed: Giving): Promise<Granted> {
  const { to, inherited, asked, situation } = deed;
  const { line } = to;
  const license = await makeLicense(context, tx, deed);
  const granted = permanentAnswer(context, 'issued', { ...to, license, referral: null });
  await insertLicense(tx, license);
  if (situation.temporary !== null)
    await markUpgraded(tx, { id: situation.temporary.id, nowMs: asked.nowMs });
  if (situation.gap.row !== null) await markBridged(tx, situation.gap.row.id, asked.nowMs);
  const accounts = accountsOf(line);
  const from = comesFrom(inherited);
  const { unit, origin, sub, jti, expiresAt } = license;
  await tx.post({
    log: serverLog,
    kind: from.kind,
    id: jti,
    at: asked.nowMs,
    body: { agreement: line.agreement, line: line.line, unit, origin, sub, until: expiresAt },
    postings: [
      {
        kind: 'transfer',
        debit: accounts[from.account],
        credit: accounts.issued,
        amount: 1,
      },
    ],
  });
  if (inherited === null) await noteIssued(context, tx, { line, nowMs: asked.nowMs });
  return granted;
}

type Giving = Deed & { readonly to: Candidate; readonly inherited: Inherited | null };

/** Takes a unit number out of its pool; the row is the caller's to insert. */
async function makeLicense(
  context: ServerContext,
  tx: WriteTx,
  deed: Giving,
): Promise<Parameters<typeof insertLicense>[1]> {
  const { to, inherited, situation } = deed;
  const { line, authority } = to;
  const { facts } = situation;
  const { nowMs, request } = deed.asked;
  const recovered = inherited?.recovered ?? null;
  const unit = recovered?.unit ?? (await takeUnit(tx, line.id, inherited?.pool ?? freePool));
  if (unit === undefined) {
    throw new Error(`Line ${line.agreement}/${line.line} has units but no unit number.`);
  }
  const kind = line.type;
  const sub = situation.subIn(authority);
  const { shown } = situation;
  const early = inherited === null && shown !== null && isShownFor(shown, line, sub) ? shown : null;
  const origin = inherited?.origin ?? early?.origin ?? `${context.licenseServerId}/${unit}`;
  const jti = newId(context);
  const marks = marksOf(facts, await tx.head(serverLog));
  const known =
    inherited === null
      ? 0
      : Math.max(
          inherited.leaseEnd,
          await latestLeaseEnd(tx, { lineId: line.id, kind, holder: request.holder }),
        );
  const expiresAt = endOf(context, deed, { authority, hasUntilMs: known });
  return {
    lineId: line.id,
    kind,
    holder: request.holder,
    sub,
    unit,
    origin,
    inheritedFrom: inherited?.waitsFor ?? null,
    earlySource: early?.source ?? null,
    earlyLeaseEnd: early?.expiresAt ?? null,
    aid: line.aid,
    jti,
    ...marks,
    late: isPastHorizon(authority, nowMs) ? 1 : 0,
    issuedAt: Math.min(recovered?.issuedAt ?? nowMs, nowMs),
    renewedAt: nowMs,
    expiresAt,
    leaseEnd: Math.max(expiresAt, known, line.namelessUntil),
  };
}

/** The end of the new lease, never beyond the sunset of the agreement that the unit belongs to. */
function endOf(
  context: ServerContext,
  { asked }: Deed,
  of: { readonly authority: AuthorityFacts; readonly hasUntilMs: number },
): number {
  const { nowMs, request } = asked;
  const { sunsetMs } = standingOf(of.authority, nowMs);
  const bounds = { nowMs, sunsetMs, hasUntilMs: of.hasUntilMs };
  return leaseEnd({ kind: request.type, draw: context.random.between, ...bounds });
}
