/**
 * Activation by message: the server gets a certificate that names its key (protocol §3.4). A server
 * that a kit slot had activated is re-certified; what it was granted so far stands in the certificate.
 */
import { base64url, bytesOfBase64url } from '../../core/bytes.ts';
import { licenseServerId } from '../../core/code.ts';
import type { ConfirmationKind } from '../../core/confirmation.ts';
import { firstKey } from '../../core/confirmation.ts';
import { reasonField } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { defaultSunsetMonths, horizonMonths } from '../../core/standing.ts';
import { dayMs, isoTime, monthOf } from '../../core/time.ts';
import { monthText, readStoredCertificate, sealCertificate } from '../../protocol/authority.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import { agreementLines, findAgreement } from '../../store/agreement-rows.ts';
import { grantUnderWay } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import {
  chainsOf,
  findGrantedAuthority,
  findServer,
  saveChain,
  saveGrantedAuthority,
  saveServer,
} from '../../store/committed-server-rows.ts';
import type { OutgoingMessage, ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { anchorsOf } from '../signer.ts';
import { idValue } from '../stored-ids.ts';
import { carryOver } from './close-authority.ts';
import { packsBefore } from './grant-proofs.ts';
import type { Handling } from './handle-message.ts';
import { monthsFor } from './horizon-months.ts';
import { newId } from './new-id.ts';
import { checkNotDead } from './open-authority.ts';
import { authorityOf, toldByMessage } from './ratchet.ts';

type Activate = Handling<MessageOf<'activate'>>;

/** After how long another certificate is due at the latest: a year beyond its first horizon, and it comes long before. */
const certificateMs = 25 * 31 * dayMs;

/**
 * Certifies the sender. Refused: `agreement-unknown`, `message-invalid` (a key that is none, or that is
 * not the sender's), `earlier-code-missing`, `move-open`, `server-declared-dead`: a certificate would be a further horizon.
 */
export async function activateServer(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Activate,
): Promise<Result<null, Refusal>> {
  const { agreement, name, publicKey, reason } = message.body;
  if ((await findAgreement(tx, agreement)) === undefined)
    return err({ code: 'agreement-unknown', agreement });
  const key = bytesOfBase64url(publicKey);
  if (key === undefined || licenseServerId(context.digest, key) !== message.from.id) {
    return err({ code: 'message-invalid', problem: 'its key is not that of its License Server ID' });
  }
  const exchange = context.keyExchange(bytesOfBase64url(message.body.ekPublic) ?? new Uint8Array(0));
  if (exchange === undefined) return err({ code: 'message-invalid', problem: 'its one-time key is none' });
  const id = message.from.id;
  const living = await checkNotDead(tx, id);
  if (!living.ok) return living;
  const before = await findGrantedAuthority(tx, id, agreement);
  const timely = await checkTimely(tx, message, before);
  if (!timely.ok) return timely;
  if (before === undefined) context.noteServer({ agreement, licenseServerId: id });
  const generation = await enterServer(tx, { message, nowMs });
  const k0 = firstKey(context.digest, exchange.shared, idValue(context, id));
  const confirmationKey = context.box.seal('confirmation', k0);
  const certified = await certify(context, tx, {
    licenseServerId: id,
    agreement,
    generation,
    publicKey,
    ekCh: base64url(exchange.publicKey),
    months: horizonMonths.automatic,
    before,
    nowMs,
    confirmation: { confirmationKey, confirmationSeq: 0, freezes: 0, releases: 0, returns: 0 },
  });
  const answer = await outgoing(tx, {
    id: newId(context),
    type: 'activated',
    to: id,
    agreement,
    body: {
      re: message.id,
      certificate: certified.document,
      horizon: null,
      ...(before === undefined ? { heldBefore: [] } : await packsBefore(tx, before.aid)),
    },
  });
  await tx.post({
    log: agreement,
    kind: before === undefined ? 'activated' : 'certified-again',
    id: message.id,
    at: nowMs,
    body: { server: id, generation, basis: 'key', aid: certified.aid, name, ...reasonField(reason) },
    postings: before === undefined ? [] : await carryOver(tx, { before, generation }),
    outbox: [answer],
  });
  return ok(null);
}

/** Whether nothing is under way that a new certificate would cut off. Refused: `earlier-code-missing`, `move-open`. */
async function checkTimely(
  tx: WriteTx,
  message: Activate['message'],
  before: GrantedAuthorityRow | undefined,
): Promise<Result<null, Refusal>> {
  if (before !== undefined) {
    const heard = await checkHeard(tx, message, before);
    if (!heard.ok) return heard;
  }
  return checkRenewable(tx, { licenseServerId: message.from.id, agreement: message.body.agreement });
}

/**
 * Whether a certificate can be renewed now. Refused: `move-open` while a grant is under way to its server: what that
 * brings for holders, and has not been taken in, would come with the new certificate as open units, for anybody.
 */
export async function checkRenewable(
  tx: ReadTx,
  { licenseServerId, agreement }: Pick<GrantedAuthorityRow, 'licenseServerId' | 'agreement'>,
): Promise<Result<null, Refusal>> {
  const grant = await grantUnderWay(tx, { target: licenseServerId, agreement });
  return grant === undefined ? ok(null) : err({ code: 'move-open', move: grant.id, state: grant.state });
}

/**
 * Whether every code that it has made was read, but for heartbeats: under a new certificate none could be taken
 * in any more, and what it has given up would stay committed to it, of no use to anybody. Refused:
 * `earlier-code-missing`.
 */
async function checkHeard(
  tx: WriteTx,
  { from, body }: Activate['message'],
  before: GrantedAuthorityRow,
): Promise<Result<null, Refusal>> {
  const missing = (kind: ConfirmationKind) => err<Refusal>({ code: 'earlier-code-missing', kind });
  const made = body.confirmations;
  const under = made && (await authorityOf(tx, { ...before, aid: made.aid }));
  if (made !== undefined && under !== undefined) {
    const told = (await toldByMessage(tx, under)).length;
    if (made.freezes > under.freezes) return missing('frozen');
    if (made.releases > under.releases + told) return missing('released');
    if (made.returns > under.returns) return missing('returned');
    // The code that closed it was its last one, and was read: an end before that, which it told by a message that
    // never came, has nothing to add.
    if (before.state === 'closed' && made.seq > 0 && made.seq === under.confirmationSeq) return ok(null);
  }
  // It has deactivated itself since: its generation is higher than that of the last end that was heard of.
  const known = before.state === 'closed' ? before.generation + 1 : before.generation;
  return from.gen > known ? missing('deactivated') : ok(null);
}

/** The sender as a server in good standing, with the key that its id is the hash of. */
async function enterServer(tx: WriteTx, { message, nowMs }: Activate): Promise<number> {
  const { name, publicKey } = message.body;
  const id = message.from.id;
  const present = await findServer(tx, id);
  const generation = Math.max(present?.generation ?? 1, message.from.gen);
  await saveServer(tx, {
    licenseServerId: id,
    name,
    publicKey,
    generation,
    state: 'ok',
    seq: present?.seq ?? 0,
    logSize: present?.logSize ?? 0,
    logRoot: present?.logRoot ?? '',
    method: present?.method ?? null,
    lastContactAt: nowMs,
    addedAt: present?.addedAt ?? nowMs,
  });
  return generation;
}

interface Certification {
  readonly licenseServerId: string;
  readonly agreement: string;
  readonly generation: number;
  /** The server's public key, base64url. */
  readonly publicKey: string;
  /** Our one-time key that K₀ was agreed with, base64url. */
  readonly ekCh: string;
  /** From now to the horizon that the certificate itself gives. */
  readonly months: number;
  readonly before: GrantedAuthorityRow | undefined;
  /** Ratchet and counters: started by a new key agreement, or carried on. */
  readonly confirmation: Pick<
    GrantedAuthorityRow,
    'confirmationKey' | 'confirmationSeq' | 'freezes' | 'releases' | 'returns'
  >;
  readonly nowMs: number;
}

/** Signs a certificate with fresh chains; units granted before are certified as open. */
async function certify(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Certification,
): Promise<GrantedAuthorityRow & { readonly document: string }> {
  const { agreement, nowMs, before, generation, licenseServerId } = of;
  const aid = context.random.bytes(16);
  const open = await provenSoFar(tx, before);
  const baseMonth = monthOf(nowMs) + of.months;
  const document = await signCertificate(context, tx, { ...of, aid, open, baseMonth });
  if (before !== undefined) await saveGrantedAuthority(tx, { ...before, state: 'superseded' });
  const { confirmationKey, confirmationSeq, freezes, releases, returns } = of.confirmation;
  const authority: GrantedAuthorityRow & { readonly document: string } = {
    aid: base64url(aid),
    agreement,
    licenseServerId,
    generation,
    basis: 'key',
    slot: null,
    baseMonth,
    sunsetMonths: defaultSunsetMonths,
    state: 'active',
    document,
    confirmationKey,
    confirmationSeq,
    freezes,
    releases,
    returns,
    horizonE: 0,
    activatedAt: nowMs,
  };
  await saveGrantedAuthority(tx, authority);
  for (const { line } of await agreementLines(tx, agreement)) {
    for (const kind of ['free', 'held'] as const) {
      const openUnits = kind === 'free' ? (open.get(line) ?? 0) : 0;
      await saveChain(tx, { aid: authority.aid, line, kind, openUnits, k: 0, confirmedK: 0 });
    }
  }
  return authority;
}

async function signCertificate(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Certification & {
    readonly aid: Uint8Array;
    readonly open: ReadonlyMap<number, number>;
    readonly baseMonth: number;
  },
): Promise<string> {
  const { agreement, nowMs, aid } = of;
  const lines = await agreementLines(tx, agreement);
  const anchors = anchorsOf(context, aid, lines.length);
  const row = await findAgreement(tx, agreement);
  return sealCertificate(
    context.digest,
    {
      t: 'ls-cert',
      v: 1,
      aid: base64url(aid),
      lsid: of.licenseServerId,
      pk: of.publicKey,
      ekCh: of.ekCh,
      gen: of.generation,
      agreement,
      publisher: context.publisher,
      salt: row?.salt ?? '',
      base: monthText(of.baseMonth),
      sunsetMonths: defaultSunsetMonths,
      lines: lines.map((line) => ({
        product: line.product,
        type: line.type,
        open: of.open.get(line.line) ?? 0,
        ...(anchors.lines[line.line] ?? { free: '', held: '' }),
      })),
      horizon: anchors.horizon,
      iat: isoTime(nowMs),
      nbf: isoTime(nowMs),
      exp: isoTime(nowMs + certificateMs),
    },
    context.issueKey,
  );
}

/**
 * A certificate of the same key with fresh chains: where lines were added to the agreement since, a chain's
 * 65,535 positions are used up, or its term is near (protocol §3.4). Its ratchet goes on. Answers the message that
 * brings it, which must leave before any grant under it.
 */
export async function certifyAgain(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly before: GrantedAuthorityRow; readonly nowMs: number },
): Promise<{ readonly authority: GrantedAuthorityRow; readonly message: OutgoingMessage }> {
  const { before, nowMs } = of;
  const { licenseServerId, agreement, generation } = before;
  const present = readStoredCertificate(before.document ?? '');
  // Who carries files once a year has a year to come, and no less than before.
  const method = (await findServer(tx, licenseServerId))?.method ?? 'automatic';
  const months = await monthsFor(context, tx, { licenseServerId, agreement, method });
  const authority = await certify(context, tx, {
    licenseServerId,
    agreement,
    generation,
    publicKey: present.pk,
    ekCh: present.ekCh,
    months,
    before,
    nowMs,
    confirmation: before,
  });
  const message = await outgoing(tx, {
    id: newId(context),
    type: 'activated',
    to: licenseServerId,
    agreement,
    body: {
      re: newId(context),
      certificate: authority.document,
      horizon: null,
      ...(await packsBefore(tx, before.aid)),
    },
  });
  return { authority, message };
}

/** Units ever granted under the authority before, by line: unit numbers go on, they never start again. */
async function provenSoFar(
  tx: WriteTx,
  before: GrantedAuthorityRow | undefined,
): Promise<ReadonlyMap<number, number>> {
  const open = new Map<number, number>();
  if (before === undefined) return open;
  for (const chain of await chainsOf(tx, before.aid)) {
    open.set(chain.line, (open.get(chain.line) ?? 0) + chain.openUnits + chain.k);
  }
  return open;
}
