/**
 * The certificate that names this server's key: activation by connection or file, and the step from a
 * kit slot to a key (protocol §3.5). What was granted before stands in it as open units.
 */
import { base64url, bytesOfBase64url } from '../../core/bytes.ts';
import { firstKey } from '../../core/confirmation.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Authority, ServerCertificate } from '../../protocol/authority.ts';
import { authorityOfCertificate, openCertificate, readStoredCertificate } from '../../protocol/authority.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { openTrustList } from '../../protocol/trust.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { AuthorityRow, LineRow } from '../../store/server-authority-rows.ts';
import {
  insertAuthority,
  linesOfAgreement,
  listAuthorities,
  setAuthorityState,
  setLastUnit,
} from '../../store/server-authority-rows.ts';
import { findRequest, settleRequest } from '../../store/server-rows.ts';
import { addUnits, freePool } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { raiseGeneration } from '../generation.ts';
import { bringIn } from './advance-chain.ts';
import { enterLines } from './apply-activation-code.ts';
import { openDeadByTelephone, takeDead } from './dead-key-pack.ts';
import { noteEvent } from './events.ts';
import { openHeld } from './held-key-pack.ts';
import { serverLog } from './license-token.ts';
import { verifyInstalled } from './move-as-target.ts';
import { newId } from './new-id.ts';

/** Takes a certificate in. Refused: `message-invalid`, `message-untrusted`, `message-not-for-us`. */
export async function applyCertificate(
  context: ServerContext,
  tx: WriteTx,
  message: MessageOf<'activated'>,
): Promise<Result<null, Refusal>> {
  const trustList = (await readMeta(tx, 'trustList')) ?? '';
  const trust = openTrustList(context.digest, trustList, [context.root]);
  if (!trust.ok) return trust;
  const certificate = openCertificate(context.digest, message.body.certificate, trust.value);
  if (!certificate.ok) return certificate;
  const { lsid, pk, agreement, gen } = certificate.value;
  if (lsid !== context.licenseServerId || pk !== base64url(context.key.publicKey)) {
    return err({ code: 'message-not-for-us', recipient: lsid });
  }
  const present = (await listAuthorities(tx)).filter((row) => row.agreement === agreement);
  const confirmation = await confirmationOf(context, tx, { certificate: certificate.value, present });
  if (confirmation === undefined) {
    return err({ code: 'message-invalid', problem: 'its one-time key is not the one asked for' });
  }
  const nowMs = context.clock.nowMs();
  const authority = authorityOfCertificate(certificate.value);
  const state = await stateUnder(tx, { present, re: message.body.re });
  for (const row of present) await setAuthorityState(tx, row.aid, 'superseded');
  await insertAuthority(tx, {
    aid: base64url(authority.aid),
    agreement,
    basis: 'key',
    slot: null,
    document: message.body.certificate,
    trustList,
    state,
    ...confirmation,
    horizonE: 0,
    horizonValue: base64url(authority.horizonAnchor),
    activatedAt: nowMs,
  });
  const before = await linesOfAgreement(tx, agreement);
  await enterLines(tx, authority);
  await bringOpenUnits(context, tx, { authority, before, body: message.body, nowMs });
  const again = state === 'active' && present.some((row) => row.state === 'deactivated');
  if (again) await verifyInstalled(context, tx, agreement);
  const generation = await raiseGeneration(tx, gen);
  const answer = JSON.stringify({ agreement, generation });
  await settleRequest(tx, { id: message.body.re, state: 'done', answer });
  await noteEvent(context, tx, {
    number: before.length === 0 ? 4 : 5021,
    data: { agreement, method: 'certificate' },
  });
  return ok(null);
}

type Confirmation = Pick<
  AuthorityRow,
  'confirmationKey' | 'confirmationSeq' | 'freezes' | 'releases' | 'returns'
>;

/**
 * The ratchet under the new certificate: started by X25519 of the two one-time keys, or carried on where
 * the certificate only renews the chains of the one before.
 */
async function confirmationOf(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly certificate: ServerCertificate; readonly present: readonly AuthorityRow[] },
): Promise<Confirmation | undefined> {
  const { agreement, ekCh } = of.certificate;
  const before = of.present.find((row) => row.basis === 'key');
  if (before !== undefined && readStoredCertificate(before.document).ekCh === ekCh) {
    const { confirmationKey, confirmationSeq, freezes, releases, returns } = before;
    return { confirmationKey, confirmationSeq, freezes, releases, returns };
  }
  const sealed = bytesOfBase64url((await readMeta(tx, `one-time-key:${agreement}`)) ?? '');
  const other = bytesOfBase64url(ekCh);
  if (sealed === undefined || sealed.length === 0 || other === undefined) return undefined;
  const ikm = context.agreeWith(context.box.unseal('one-time-key', sealed), other);
  if (ikm === undefined) return undefined;
  // Once, and only here: a renewal that was on its way leaves the key of what was asked since alone.
  await writeMeta(tx, `one-time-key:${agreement}`, '');
  const k0 = firstKey(context.digest, ikm, context.lsidValue);
  const confirmationKey = context.box.seal('confirmation', k0);
  return { confirmationKey, confirmationSeq: 0, freezes: 0, releases: 0, returns: 0 };
}

/** Renewed chains do not wake a server that was deactivated meanwhile; only its own request does. */
async function stateUnder(
  tx: WriteTx,
  of: { readonly present: readonly AuthorityRow[]; readonly re: string },
): Promise<'active' | 'deactivated'> {
  if ((await findRequest(tx, of.re))?.state === 'waiting') return 'active';
  return of.present[0]?.state === 'deactivated' ? 'deactivated' : 'active';
}

/**
 * Units the certificate vouches for and this server does not have yet: codes that were never typed. Those
 * of held key packs go into a reserve for the holders of their source, the others are free; what is of a source that no
 * longer functions is divided among its holders as if it had been typed, for its code can be typed no more.
 */
async function bringOpenUnits(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly authority: Authority;
    readonly before: readonly LineRow[];
    readonly body: BodyOf<'activated'>;
    readonly nowMs: number;
  },
): Promise<void> {
  const { nowMs } = of;
  const { heldBefore, freeBefore = [] } = of.body;
  for (const line of await linesOfAgreement(tx, of.authority.agreement)) {
    const known = of.before.find((row) => row.line === line.line);
    const had = known === undefined ? 0 : known.openUnits + known.freeK + known.heldK;
    let left = line.openUnits - had;
    let lastUnit = line.lastUnit;
    const bring = async (amount: number, source: string | null, dead = false): Promise<void> => {
      if (amount <= 0) return;
      await bringPart(context, tx, { line, first: lastUnit + 1, amount, source, dead, nowMs });
      lastUnit += amount;
      left -= amount;
    };
    for (const held of heldBefore.filter((row) => row.line === line.line)) {
      const untyped = held.kAfter - Math.max(held.kBefore, known?.heldK ?? 0);
      await bring(Math.min(left, untyped), held.source, held.dead);
    }
    await bring(left, null);
    if (lastUnit > line.lastUnit) await setLastUnit(tx, line.id, lastUnit);
    for (const pack of freeBefore.filter((row) => row.line === line.line)) {
      await takeFree(context, tx, { line, pack, isTyped: pack.kAfter <= (known?.freeK ?? 0), nowMs });
    }
  }
}

/** The unissued units of a source that no longer functions, which are here now: its holders have theirs first. */
async function takeFree(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly pack: NonNullable<BodyOf<'activated'>['freeBefore']>[number];
    /** It may have been typed without its source; what was typed with it is divided already. */
    readonly isTyped: boolean;
    readonly nowMs: number;
  },
): Promise<void> {
  const { line, pack, isTyped, nowMs } = of;
  const dead = { line, kind: 'key-pack', from: pack.source, nowMs } as const;
  const move = await openDeadByTelephone(context, tx, dead);
  if (move === undefined || (isTyped && move.state !== 'dead-wait')) return;
  const free = pack.kAfter - pack.kBefore;
  await takeDead(context, tx, { line, move, alsoFrom: [], free, held: 0, nowMs });
}

async function bringPart(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly first: number;
    readonly amount: number;
    readonly source: string | null;
    /** Its source no longer functions, and nothing else of it is still to be granted. */
    readonly dead: boolean;
    readonly nowMs: number;
  },
): Promise<void> {
  const { line, first, amount, source, nowMs } = of;
  const { agreement, line: number, aid } = line;
  const named = { line, kind: 'held-key-pack', from: source ?? undefined, nowMs } as const;
  const dead = of.dead ? await openDeadByTelephone(context, tx, named) : undefined;
  const reserve = source === null ? null : (dead?.id ?? newId(context));
  const pool = reserve ?? freePool;
  await addUnits(tx, { lineId: line.id, pool, first, last: first + amount - 1 });
  await tx.post({
    log: serverLog,
    kind: 'installed',
    id: newId(context),
    at: nowMs,
    body: { agreement, line: number, aid, chain: 'open', added: amount, carrier: 'certificate', source },
    postings: [bringIn(line, source === null ? 'unissued' : 'reserved', amount)],
  });
  if (source === null || reserve === null) return;
  // A certificate does not say whether licenses were returned to the source.
  const brought = { alsoFrom: [], countsEarly: false, reserve, added: amount, dead, nowMs };
  await openHeld(context, tx, { line, source, ...brought });
}
