/**
 * Takes in what a license server reports after this clearinghouse was restored (protocol §5.6): authorities and positions
 * that were forgotten are proved by values that only this clearinghouse can have revealed, and its books are brought to
 * what the server has.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import { base64url } from '../../core/bytes.ts';
import { freeChain, heldChain, slotAid } from '../../core/chain.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Posting } from '../../core/ledger.ts';
import type { MoveState } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { settleLine } from '../../core/settle-report.ts';
import { defaultSunsetMonths, horizonMonths } from '../../core/standing.ts';
import { endOfMonthMs, monthOf } from '../../core/time.ts';
import type { ServerCertificate } from '../../protocol/authority.ts';
import { authorityOfCertificate, openCertificate } from '../../protocol/authority.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import type { ReportedAuthority } from '../../protocol/recovery.ts';
import { agreementKits, agreementSlots, findAgreement, insertSlot } from '../../store/agreement-rows.ts';
import { findMove, hasOpenMoves } from '../../store/clearinghouse-rows.ts';
import type { ChainRow, GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import {
  chainsOf,
  findGrantedAuthority,
  findServer,
  saveChain,
  saveGrantedAuthority,
  saveServer,
} from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { RecoveryRow } from '../../store/recovery-rows.ts';
import { findRecovering, findRecovery, saveRecovering } from '../../store/recovery-rows.ts';
import type { ClearinghouseContext } from '../context.ts';
import { revealAt } from '../signer.ts';
import { idBytes } from '../stored-ids.ts';
import { carryOver } from './close-authority.ts';
import { newId } from './new-id.ts';
import { authorityOf } from './ratchet.ts';
import { trustListInForce } from './trust-lists.ts';

interface Report {
  readonly message: MessageOf<'contact'>;
  readonly publicKey: Uint8Array;
  readonly nowMs: number;
}

/** Refused: `message-invalid`, where something in it proves nothing. */
export async function takeReport(
  context: ClearinghouseContext,
  tx: WriteTx,
  told: Report,
): Promise<Result<null, Refusal>> {
  const { message } = told;
  const { report } = message.body;
  const recovery = await findRecovery(tx);
  if (report === undefined || recovery === undefined || report.epoch !== recovery.epoch) return ok(null);
  await enterServer(tx, told);
  for (const reported of report.authorities) {
    const taken = await takeAuthority(context, tx, { ...told, reported, recovery });
    if (!taken.ok) return taken;
  }
  return ok(null);
}

/** The sender as it is by its own word; one that was activated since the backup is entered. */
async function enterServer(tx: WriteTx, { message, publicKey, nowMs }: Report): Promise<void> {
  const { id, gen, seq, log } = message.from;
  const present = await findServer(tx, id);
  if (present !== undefined && (present.state === 'suspect' || present.generation >= gen)) return;
  const { name, method } = message.body;
  const fresh = { seq: seq - 1, logSize: log.size, logRoot: log.root, addedAt: nowMs };
  await saveServer(tx, {
    ...(present ?? fresh),
    licenseServerId: id,
    ...{ name, method, generation: gen, state: 'ok', lastContactAt: nowMs },
    publicKey: base64url(publicKey),
  });
}

interface OneReport extends Report {
  readonly reported: ReportedAuthority;
  readonly recovery: RecoveryRow;
}

async function takeAuthority(
  context: ClearinghouseContext,
  tx: WriteTx,
  one: OneReport,
): Promise<Result<null, Refusal>> {
  const { reported, nowMs, recovery } = one;
  const { agreement } = reported;
  const licenseServerId = one.message.from.id;
  // One that was entered since the backup has to be entered again; then the report that comes anew counts.
  if ((await findAgreement(tx, agreement)) === undefined) return ok(null);
  const row = await findRecovering(tx, { agreement, licenseServerId });
  if (row?.state === 'done') return ok(null);
  const found = await authorityFor(context, tx, one);
  if (!found.ok) return found;
  const authority = found.value;
  // It has not applied yet what this clearinghouse has sent since.
  if (authority === undefined || authority.state === 'superseded') return ok(null);
  const raised = await raiseChains(context, tx, { reported, authority });
  if (!raised.ok) return raised;
  const missing = await settle(context, tx, { ...one, authority, raised: raised.value });
  const isFresh = authority.activatedAt >= recovery.at || !reported.active;
  const settled = isFresh ? 'done' : 'certificate';
  const state = missing > 0 ? 'uncovered' : settled;
  const until = endOfMonthMs(monthOf(recovery.at) + horizonMonths.other);
  await saveRecovering(tx, {
    ...(row ?? { agreement, licenseServerId, until }),
    state: row?.state === 'opened' && state !== 'done' ? 'opened' : state,
    missing,
    changedAt: nowMs,
  });
  return ok(null);
}

const invalid = (problem: string): Result<never, Refusal> => err({ code: 'message-invalid', problem });

/** The authority that is reported, as these books have it from now on. Refused: `message-invalid`. */
async function authorityFor(
  context: ClearinghouseContext,
  tx: WriteTx,
  one: OneReport,
): Promise<Result<GrantedAuthorityRow | undefined, Refusal>> {
  const { reported } = one;
  const { id: licenseServerId, gen: generation } = one.message.from;
  const { agreement, aid, seq: confirmationSeq, freezes, releases, returns } = reported;
  const known = await authorityOf(tx, { licenseServerId, agreement, aid });
  if (known?.state === 'superseded') return ok(known);
  const before = await findGrantedAuthority(tx, licenseServerId, agreement);
  if (before !== undefined && before.aid !== aid)
    await saveGrantedAuthority(tx, { ...before, state: 'superseded' });
  const adopted = known === undefined ? await adopt(context, tx, one) : ok(known);
  if (!adopted.ok) return adopted;
  // What it has made of codes counts as heard: its books say what became of them.
  const horizonE = Math.max(adopted.value.horizonE, reported.horizonE);
  const heard = { confirmationSeq, freezes, releases, returns, horizonE, generation };
  const authority: GrantedAuthorityRow = { ...adopted.value, ...heard, state: 'active' };
  await saveGrantedAuthority(tx, authority);
  const postings = before === undefined ? [] : await carryOver(tx, { before, generation });
  if (postings.length > 0)
    await post(context, tx, { agreement, nowMs: one.nowMs, postings, body: { server: licenseServerId } });
  return ok(authority);
}

/** An authority that was forgotten, by its certificate or by the slot whose values were revealed to it. */
async function adopt(
  context: ClearinghouseContext,
  tx: WriteTx,
  one: OneReport,
): Promise<Result<GrantedAuthorityRow, Refusal>> {
  const { id: licenseServerId, gen: generation } = one.message.from;
  const { agreement, aid, certificate, slot } = one.reported;
  const base: Omit<GrantedAuthorityRow, 'basis' | 'slot' | 'baseMonth' | 'sunsetMonths' | 'document'> = {
    ...{ aid, agreement, licenseServerId, generation, state: 'active' },
    // Its ratchet is not known any more: the certificate that it asks for starts another.
    confirmationKey: context.box.seal('confirmation', context.random.bytes(32)),
    ...{ confirmationSeq: 0, freezes: 0, releases: 0, returns: 0, horizonE: 0 },
    activatedAt: 0,
  };
  if (certificate !== null) {
    const opened = openOwn(context, certificate);
    if (!opened.ok) return opened;
    const { lsid, agreement: of, aid: named } = opened.value;
    if (lsid !== licenseServerId || of !== agreement || named !== aid)
      return invalid('a certificate in its report is not its own');
    const { baseMonth, sunsetMonths, lines } = authorityOfCertificate(opened.value);
    const authority: GrantedAuthorityRow = {
      ...{ ...base, basis: 'key', slot: null, baseMonth, sunsetMonths, document: certificate },
    };
    await saveGrantedAuthority(tx, authority);
    for (const [line, { open }] of lines.entries()) {
      for (const kind of ['free', 'held'] as const) {
        const openUnits = kind === 'free' ? open : 0;
        await saveChain(tx, { aid, line, kind, openUnits, k: 0, confirmedK: 0 });
      }
    }
    return ok(authority);
  }
  const kit = (await agreementKits(tx, agreement)).find(
    (each) => slot !== null && base64url(slotAid(context.digest, idBytes(each.kitId), slot)) === aid,
  );
  if (kit === undefined || slot === null)
    return invalid('a slot in its report is of no kit that is known here');
  const taken = (await agreementSlots(tx, agreement)).find((each) => each.slot === slot);
  if (taken !== undefined && taken.licenseServerId !== licenseServerId)
    return invalid('a slot in its report is another server’s');
  if (taken === undefined) await insertSlot(tx, { agreement, slot, kitId: kit.kitId, licenseServerId });
  const { baseMonth } = kit;
  const authority: GrantedAuthorityRow = {
    ...{ ...base, basis: 'slot', slot, baseMonth, sunsetMonths: defaultSunsetMonths, document: null },
  };
  await saveGrantedAuthority(tx, authority);
  return ok(authority);
}

/** A certificate that this clearinghouse has signed. */
function openOwn(context: ClearinghouseContext, token: string): Result<ServerCertificate, Refusal> {
  return openCertificate(context.digest, token, trustListInForce(context).list);
}

/** By line: units of the free chain that these books did not know to be revealed, with their places. */
interface Raised {
  readonly line: number;
  readonly units: number;
  readonly untyped: number;
  readonly places: readonly JsonObject[];
}

/** Raises the chains to what was reported. Refused: `message-invalid`, where a value is not that of its position. */
async function raiseChains(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly reported: ReportedAuthority; readonly authority: GrantedAuthorityRow },
): Promise<Result<readonly Raised[], Refusal>> {
  const { aid } = of.authority;
  const chains = await chainsOf(tx, aid);
  const raised: Raised[] = [];
  for (const told of of.reported.lines) {
    const { line } = told;
    let units = 0;
    let untyped = 0;
    const places: JsonObject[] = [];
    for (const kind of ['free', 'held'] as const) {
      const { k, value } = told[kind];
      const chain = kind === 'free' ? freeChain(line) : heldChain(line);
      if (value !== base64url(revealAt(context, { aid: idBytes(aid), chain, k })))
        return invalid('a position in its report is not proved');
      const fresh: ChainRow = { aid, line, kind, openUnits: 0, k: 0, confirmedK: 0 };
      const present = chains.find((row) => row.line === line && row.kind === kind) ?? fresh;
      untyped += Math.max(0, present.k - k);
      if (k <= present.k) continue;
      await saveChain(tx, { ...present, k });
      if (kind === 'free') units += k - present.k;
      places.push({ aid, chain: kind, kBefore: present.k, k });
    }
    raised.push({ line, units, untyped, places });
  }
  return ok(raised);
}

/** Brings the server's accounts to its books; answers for how many CALs nothing is in hand. */
async function settle(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: OneReport & { readonly authority: GrantedAuthorityRow; readonly raised: readonly Raised[] },
): Promise<number> {
  const { reported, authority, nowMs } = of;
  const { agreement, licenseServerId } = authority;
  const known = await hasOpenMoves(tx, { agreement, licenseServerId });
  const moving = known || reported.moves.length > 0;
  let missing = 0;
  for (const { line, units, untyped, places } of of.raised) {
    const account = clearinghouseAccount(agreement, line);
    const committed = account.committed(licenseServerId, authority.generation);
    const inHand = await tx.balance(account.inHand);
    const before = await tx.balance(committed);
    // Granted, and given back since: both are said, so that the journal tells what was revealed.
    const granted = Math.min(units, inHand);
    const { countedOut, countedIn } = await counted(tx, { ...of, line });
    const installed = reported.lines.find((each) => each.line === line)?.installed ?? 0;
    const sums = settleLine({
      ...{ installed, committed: before + granted, inHand: inHand - granted },
      ...{ countedOut, countedIn, untyped, moving },
    });
    missing += sums.missing;
    const take = granted + sums.take;
    const server = { server: licenseServerId, generation: authority.generation, line };
    const [first, ...others] = places;
    if (take > 0 || first !== undefined) {
      const posting: Posting = { kind: 'transfer', debit: account.inHand, credit: committed, amount: take };
      const body = { ...server, amount: take, ...first, carrier: 'recovered' };
      await post(context, tx, {
        agreement,
        nowMs,
        kind: 'granted',
        postings: take > 0 ? [posting] : [],
        body,
      });
    }
    for (const place of others) {
      const body = { ...server, amount: 0, ...place, carrier: 'recovered' };
      await post(context, tx, { agreement, nowMs, kind: 'granted', postings: [], body });
    }
    if (sums.give > 0) {
      const posting: Posting = {
        kind: 'transfer',
        debit: committed,
        credit: account.inHand,
        amount: sums.give,
      };
      const body = { ...server, amount: sums.give, carrier: 'recovered' };
      await post(context, tx, { agreement, nowMs, kind: 'returned', postings: [posting], body });
    }
  }
  return missing;
}

/**
 * What of the line the server has frozen or taken in for moves that these books know, and have elsewhere: in transit, or,
 * once a move is committed, with its target.
 */
async function counted(
  tx: WriteTx,
  of: OneReport & { readonly authority: GrantedAuthorityRow; readonly line: number },
): Promise<{ readonly countedOut: number; readonly countedIn: number }> {
  const { reported, authority, line } = of;
  const { licenseServerId, agreement } = authority;
  const account = clearinghouseAccount(agreement, line);
  const sums = { source: 0, target: 0 };
  for (const { role, units, ...told } of reported.moves) {
    const move = told.line === line ? await findMove(tx, told.move) : undefined;
    if (move?.agreement !== agreement || move.line !== line || move[role] !== licenseServerId) continue;
    const isWithTarget = role === 'source' && committedStates.includes(move.state);
    sums[role] += isWithTarget ? units : Math.min(units, await tx.balance(account.inTransit(move.id)));
  }
  return { countedOut: sums.source, countedIn: sums.target };
}

/** States of a move in which its units are the target's, whatever its source still has frozen. */
const committedStates: readonly MoveState[] = ['committed', 'closed'];

async function post(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly agreement: string;
    readonly nowMs: number;
    readonly kind?: string;
    readonly postings: readonly Posting[];
    readonly body: JsonObject;
  },
): Promise<void> {
  const { agreement: log, nowMs: at, kind = 'recovered', postings, body } = of;
  await tx.post({ log, kind, id: newId(context), at, body, postings });
}
