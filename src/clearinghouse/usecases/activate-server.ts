/**
 * Activation by message: the server gets a certificate that names its key (protocol §3.4). A server
 * that a kit slot had activated is re-certified; what it was granted so far stands in the certificate.
 */
import { base64url, bytesOfBase64url } from '../../core/bytes.ts';
import { firstKey } from '../../core/confirmation.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { defaultSunsetMonths, horizonMonths } from '../../core/standing.ts';
import { isoTime, monthOf } from '../../core/time.ts';
import { monthText, sealCertificate } from '../../protocol/authority.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import { agreementLines, findAgreement } from '../../store/agreement-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import {
  chainsOf,
  findGrantedAuthority,
  findServer,
  saveChain,
  saveGrantedAuthority,
  saveServer,
} from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { anchorsOf } from '../signer.ts';
import { carryOver } from './close-authority.ts';
import { idValue } from './find-confirmation.ts';
import type { Handling } from './handle-message.ts';
import { newId } from './new-id.ts';

type Activate = Handling<MessageOf<'activate'>>;

/** How long a certificate is valid: a year beyond its first horizon, and renewed long before. */
const certificateMonths = 25;

/** Certifies the sender. Refused: `agreement-unknown`, `message-invalid` (a key that is none). */
export async function activateServer(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Activate,
): Promise<Result<null, Refusal>> {
  const { agreement, name, publicKey } = message.body;
  if ((await findAgreement(tx, agreement)) === undefined)
    return err({ code: 'agreement-unknown', agreement });
  const exchange = context.keyExchange(bytesOfBase64url(message.body.ekPublic) ?? new Uint8Array(0));
  if (exchange === undefined) return err({ code: 'message-invalid', problem: 'its one-time key is none' });
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
  const before = await findGrantedAuthority(tx, id, agreement);
  const certified = await certify(context, tx, { message, nowMs, before, generation, exchange });
  const answer = await outgoing(tx, {
    id: newId(context),
    type: 'activated',
    to: id,
    agreement,
    body: { re: message.id, certificate: certified.document ?? '', horizon: null },
  });
  await tx.post({
    log: agreement,
    kind: before === undefined ? 'activated' : 'certified-again',
    id: message.id,
    at: nowMs,
    body: { server: id, generation, basis: 'key', aid: certified.aid, name },
    postings: before === undefined ? [] : await carryOver(tx, { before, generation }),
    outbox: [answer],
  });
  return ok(null);
}

/** Signs a certificate with fresh chains; units granted before are certified as open. */
async function certify(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Activate & {
    readonly before: GrantedAuthorityRow | undefined;
    readonly generation: number;
    readonly exchange: { readonly publicKey: Uint8Array; readonly shared: Uint8Array };
  },
): Promise<GrantedAuthorityRow> {
  const { message, nowMs, before, generation } = of;
  const { agreement } = message.body;
  const aid = context.random.bytes(16);
  const lines = await agreementLines(tx, agreement);
  const anchors = anchorsOf(context, aid, lines.length);
  const open = await provenSoFar(tx, before);
  const baseMonth = monthOf(nowMs) + horizonMonths.automatic;
  const row = await findAgreement(tx, agreement);
  const document = sealCertificate(
    context.digest,
    {
      ...{ t: 'ls-cert', v: 1, aid: base64url(aid), lsid: message.from.id, pk: message.body.publicKey },
      ...{ ekCh: base64url(of.exchange.publicKey), gen: generation, agreement, publisher: context.publisher },
      ...{ salt: row?.salt ?? '', base: monthText(baseMonth), sunsetMonths: defaultSunsetMonths },
      lines: lines.map((line) => ({
        ...{ product: line.product, type: line.type, open: open.get(line.line) ?? 0 },
        ...(anchors.lines[line.line] ?? { free: '', held: '' }),
      })),
      horizon: anchors.horizon,
      ...{
        iat: isoTime(nowMs),
        nbf: isoTime(nowMs),
        exp: isoTime(nowMs + certificateMonths * 31 * 86_400_000),
      },
    },
    context.issueKey,
  );
  if (before !== undefined) await saveGrantedAuthority(tx, { ...before, state: 'superseded' });
  const k0 = firstKey(context.digest, of.exchange.shared, idValue(context, message.from.id));
  const authority: GrantedAuthorityRow = {
    ...{
      aid: base64url(aid),
      agreement,
      licenseServerId: message.from.id,
      generation,
      basis: 'key',
      slot: null,
    },
    ...{ baseMonth, sunsetMonths: defaultSunsetMonths, state: 'active', document },
    confirmationKey: context.box.seal('confirmation', k0),
    ...{ confirmationSeq: 0, freezes: 0, releases: 0, returns: 0, horizonE: 0, activatedAt: nowMs },
  };
  await saveGrantedAuthority(tx, authority);
  for (const line of lines) {
    for (const kind of ['free', 'held'] as const) {
      const openUnits = kind === 'free' ? (open.get(line.line) ?? 0) : 0;
      await saveChain(tx, { aid: authority.aid, line: line.line, kind, openUnits, k: 0, confirmedK: 0 });
    }
  }
  return authority;
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
