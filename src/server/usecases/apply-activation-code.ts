/** Activation by telephone: the code opens one slot of an agreement kit for this License Server ID. */
import { base64url } from '../../core/bytes.ts';
import { activationChain, isAbove, maskValue } from '../../core/chain.ts';
import type { Code } from '../../core/code.ts';
import { firstKey } from '../../core/confirmation.ts';
import { reasonField } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { checkClock, standing } from '../../core/standing.ts';
import { isoDate, msOfIso } from '../../core/time.ts';
import type { Authority } from '../../protocol/authority.ts';
import { authorityOfSlot, readStoredKit } from '../../protocol/authority.ts';
import type { WriteTx } from '../../store/port.ts';
import { restoreToLines } from '../../store/predecessor-rows.ts';
import type { AuthorityRow, KitRow, NewLine } from '../../store/server-authority-rows.ts';
import {
  findAuthority,
  insertAuthority,
  listAuthorities,
  listKits,
  saveLine,
  setAuthorityState,
} from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { administerOnce } from './administer-once.ts';
import type { CodeInput, CodeOutcome } from './apply-code.ts';
import { fencedBy } from './close-dead.ts';
import { checkNotFenced } from './dead-source.ts';
import { noteEvent } from './events.ts';
import { serverLog } from './license-token.ts';
import { verifyInstalled } from './move-as-target.ts';
import { newId } from './new-id.ts';
import { checkTime } from './seen-time.ts';
import { knownServers } from './whose-code.ts';

interface OpenedSlot {
  readonly row: KitRow;
  readonly authority: Authority;
  readonly value: Uint8Array;
  /** When the kit was signed: our clock cannot be far before it. */
  readonly madeAtMs: number;
}

/**
 * Activates. The same code on a server that is active is `already-activated`; on a deactivated one it
 * activates again, and chains, counters and numbers go on (protocol §3.5). Refused: `kit-missing`,
 * `code-other-kit`, `code-other-server`, `code-not-for-this-server`, `clock-behind`, and
 * `server-declared-dead` where its CALs went to another as it functioned no longer, and
 * `not-yet-supported` on a deactivated server that had a certificate. A kit whose horizon
 * has passed activates all the same: the horizon code is typed after it (protocol §3.4).
 */
export async function applyActivationCode(
  context: ServerContext,
  code: Code,
  input: CodeInput,
): Promise<Result<CodeOutcome, Refusal>> {
  const nowMs = context.clock.nowMs();
  return administerOnce<CodeOutcome>(context, { act: 'activation-code', order: input }, async (tx) => {
    const opened = await openSlot(context, tx, code);
    if (!opened.ok) return opened;
    const { authority, row } = opened.value;
    const aid = base64url(authority.aid);
    const fenced = checkNotFenced(context, await fencedBy(tx));
    if (!fenced.ok) return fenced;
    const present = await findAuthority(tx, aid);
    if (present?.state === 'active') return err({ code: 'already-activated', agreement: row.agreement });
    const certified = (await listAuthorities(tx)).find(
      (each) => each.agreement === row.agreement && each.basis === 'key',
    );
    if (certified !== undefined) return err(whyCertified(certified));
    const clock = checkClock(nowMs, opened.value.madeAtMs);
    if (!clock.ok) return clock;
    const seen = await checkTime(context, tx, nowMs);
    if (!seen.ok) return seen;
    const standingNow = standing({
      baseMonth: authority.baseMonth,
      e: present?.horizonE ?? 0,
      sunsetMonths: authority.sunsetMonths,
      nowMs,
    });
    if (present === undefined) await enterAuthority(context, tx, { ...opened.value, slot: code.ctx, nowMs });
    else await setAuthorityState(tx, aid, 'active');
    await tx.post({
      log: serverLog,
      kind: present === undefined ? 'activated' : 'reactivated',
      id: newId(context),
      at: nowMs,
      body: { agreement: row.agreement, aid, basis: 'slot', slot: code.ctx, ...reasonField(input.reason) },
    });
    await verifyInstalled(context, tx, row.agreement);
    await noteEvent(context, tx, { number: 4, data: { agreement: row.agreement, method: 'telephone' } });
    const horizon = standingNow.horizonMs === null ? '' : isoDate(standingNow.horizonMs);
    return ok({ kind: 'activation', agreement: row.agreement, horizon });
  });
}

/**
 * A certificate has counted unit numbers that a slot's chains do not prove: there is no way back to the
 * slot, and a deactivated server is activated again in the way that gave it its certificate.
 */
function whyCertified({ agreement, state }: AuthorityRow): Refusal {
  if (state === 'active') return { code: 'already-activated', agreement };
  const what =
    'activating by telephone a license server that had a certificate (a connection or a file does)';
  return { code: 'not-yet-supported', what };
}

/** The slot of one of our kits that the code opens, by its hash; else why there is none. */
async function openSlot(
  context: ServerContext,
  tx: WriteTx,
  code: Code,
): Promise<Result<OpenedSlot, Refusal>> {
  const rows = await listKits(tx);
  if (rows.length === 0) return err({ code: 'kit-missing', agreement: null });
  const kits = rows.map((row) => ({ row, kit: readStoredKit(row.document) }));
  const opensFor = (lsidValue: Uint8Array): OpenedSlot | undefined => {
    const value = maskValue(context.digest, { kind: 'activation', lsidValue }, code.value);
    for (const { row, kit } of kits) {
      const authority = authorityOfSlot(context.digest, kit, code.ctx);
      const opens = authority !== undefined && opensAnchor(context, authority, value);
      if (opens) return { row, authority, value, madeAtMs: msOfIso(kit.iat) ?? 0 };
    }
    return undefined;
  };
  const own = opensFor(context.lsidValue);
  if (own !== undefined) return ok(own);
  const slots = kits.flatMap(({ kit }) => kit.slots.map((slot) => slot.slot));
  if (!slots.includes(code.ctx)) return err({ code: 'code-other-kit', slot: code.ctx, slots });
  for (const { licenseServerId, name, value } of await knownServers(context, tx)) {
    if (opensFor(value) !== undefined) return err({ code: 'code-other-server', licenseServerId, name });
  }
  return err({ code: 'code-not-for-this-server', kind: 'activation', searched: 1, quantity: null });
}

function opensAnchor(context: ServerContext, authority: Authority, value: Uint8Array): boolean {
  const anchor = authority.activationAnchor;
  if (anchor === undefined) return false;
  const place = { aid: authority.aid, chain: activationChain };
  return isAbove(context.digest, { ...place, present: { k: 0, value: anchor }, above: { k: 1, value } });
}

async function enterAuthority(
  context: ServerContext,
  tx: WriteTx,
  of: OpenedSlot & { readonly slot: number; readonly nowMs: number },
): Promise<void> {
  const { authority, row } = of;
  const aid = base64url(authority.aid);
  await insertAuthority(tx, {
    aid,
    agreement: row.agreement,
    basis: 'slot',
    slot: of.slot,
    document: row.document,
    trustList: row.trustList,
    state: 'active',
    confirmationKey: context.box.seal('confirmation', firstKey(context.digest, of.value, context.lsidValue)),
    confirmationSeq: 0,
    freezes: 0,
    releases: 0,
    returns: 0,
    horizonE: 0,
    horizonValue: base64url(authority.horizonAnchor),
    activatedAt: of.nowMs,
  });
  await enterLines(tx, authority);
}

/** The lines of an authority, their chains at the anchors. */
export function linesOf(authority: Authority): readonly NewLine[] {
  return authority.lines.map((entry, line) => ({
    agreement: authority.agreement,
    line,
    aid: base64url(authority.aid),
    product: entry.product.id,
    productName: entry.product.name,
    family: entry.product.family,
    version: entry.product.version,
    type: entry.type,
    openUnits: entry.open,
    freeK: 0,
    freeValue: base64url(entry.free),
    heldK: 0,
    heldValue: base64url(entry.held),
  }));
}

/** Enters the lines of an authority that this server does not have yet; holders restored to them wait there now. */
export async function enterLines(tx: WriteTx, authority: Authority, from = 0): Promise<void> {
  for (const line of linesOf(authority).slice(from)) await saveLine(tx, line);
  await restoreToLines(tx, authority.agreement);
}
