/** Installation method, kits and trust: what an administrator sets on a license server. */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Kit } from '../../protocol/authority.ts';
import { authorityOfSlot, openKit, readKitFile, readStoredKit } from '../../protocol/authority.ts';
import { openTrustList } from '../../protocol/trust.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import {
  linesOfAgreement,
  listAuthorities,
  saveKit,
  setAuthorityDocument,
} from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { enterLines } from './apply-activation-code.ts';
import { noteEvent } from './events.ts';
import { serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { administer } from './server-facts.ts';
import { takeTrustLists } from './trust-list.ts';

export type InstallationMethod = 'automatic' | 'web' | 'telephone';

/** The method in force: automatic where an address is known, else telephone, unless one was chosen. */
export async function readMethod(tx: ReadTx): Promise<InstallationMethod> {
  const chosen = await readMeta(tx, 'method');
  if (chosen === 'automatic' || chosen === 'web' || chosen === 'telephone') return chosen;
  const url = await readMeta(tx, 'clearinghouseUrl');
  return url === undefined || url === '' ? 'telephone' : 'automatic';
}

/** Where clients reach this server, as its administrator has said; null: nobody has. */
export async function readAddress(tx: ReadTx): Promise<string | null> {
  const address = await readMeta(tx, 'address');
  return address === undefined || address === '' ? null : address;
}

/**
 * Says where clients reach this server, or takes that back. The next contact tells it to the clearinghouse,
 * which tells it to the sources of moves to here, so that they can refer their clients.
 */
export async function setAddress(
  context: ServerContext,
  address: string | null,
): Promise<Result<{ readonly address: string | null }, Refusal>> {
  return context.store.write(async (tx) => {
    if ((await readAddress(tx)) === address) return ok({ address });
    await writeMeta(tx, 'address', address ?? '');
    await tx.post({
      log: serverLog,
      kind: 'address',
      id: newId(context),
      at: context.clock.nowMs(),
      body: { address },
    });
    return ok({ address });
  });
}

/** Sets the installation method. Refused: `no-clearinghouse-address`, `invalid-input` (address). */
export async function setMethod(
  context: ServerContext,
  change: { readonly method: InstallationMethod; readonly clearinghouseUrl?: string | undefined },
): Promise<
  Result<{ readonly method: InstallationMethod; readonly clearinghouseUrl: string | null }, Refusal>
> {
  const url = change.clearinghouseUrl;
  if (url !== undefined && !(/^https?:\/\/[^\s/]+\/?$/.test(url) && URL.canParse(url))) {
    return err({
      code: 'invalid-input',
      field: 'clearinghouse',
      problem: 'an address like https://host:7400 is needed',
    });
  }
  return context.store.write(async (tx) => {
    const before = await readMethod(tx);
    if (url !== undefined) await writeMeta(tx, 'clearinghouseUrl', url.replace(/\/$/, ''));
    const address = (await readMeta(tx, 'clearinghouseUrl')) ?? '';
    if (change.method === 'automatic' && address === '') return err({ code: 'no-clearinghouse-address' });
    await writeMeta(tx, 'method', change.method);
    await tx.post({
      log: serverLog,
      kind: 'method',
      id: newId(context),
      at: context.clock.nowMs(),
      body: { method: change.method },
    });
    if (before !== change.method) {
      await noteEvent(context, tx, { number: 5009, data: { method: change.method, before } });
    }
    return ok({ method: change.method, clearinghouseUrl: address === '' ? null : address });
  });
}

/** The hosts that may ask for licenses, as addresses; none: any host may. */
export async function readHosts(tx: ReadTx): Promise<ReadonlySet<string>> {
  const text = await readMeta(tx, 'allowedHosts');
  return new Set(text === undefined ? [] : (JSON.parse(text) as string[]));
}

/** Limits license requests to the listed addresses, or opens them to all. Refused: `invalid-input`. */
export async function setHosts(
  context: ServerContext,
  hosts: readonly string[],
): Promise<Result<{ readonly hosts: readonly string[] }, Refusal>> {
  const wrong = hosts.find((host) => !/^[0-9a-fA-F:.]{2,45}$/.test(host));
  if (wrong !== undefined) {
    return err({ code: 'invalid-input', field: 'hosts', problem: `"${wrong}" is no IP address` });
  }
  const sorted = [...new Set(hosts)].sort();
  return administer(context, async (tx) => {
    await writeMeta(tx, 'allowedHosts', JSON.stringify(sorted));
    await tx.post({
      log: serverLog,
      kind: 'hosts',
      id: newId(context),
      at: context.clock.nowMs(),
      body: { hosts: sorted },
    });
    context.cache.hosts = new Set(sorted);
    return ok({ hosts: sorted });
  });
}

export type KitAdded = {
  readonly agreement: string;
  readonly customer: string;
  readonly slots: number;
  readonly lines: number;
};

/**
 * Adds an agreement kit, or its extended form. Refused: `file-damaged`, `file-other-kind`,
 * `message-untrusted` (another publisher's), `message-invalid`.
 */
export async function addKit(context: ServerContext, text: string): Promise<Result<KitAdded, Refusal>> {
  const file = readKitFile(text);
  if (!file.ok) return file;
  const trustList = file.value.trustLists.at(-1) ?? '';
  const trust = openTrustList(context.digest, trustList, [context.root]);
  if (!trust.ok) return trust;
  const kit = openKit(file.value.kit, trust.value);
  if (!kit.ok) return kit;
  return administer(context, async (tx) => {
    const trusted = await takeTrustLists(context, tx, file.value.trustLists);
    if (trusted.refused !== null) return err(trusted.refused);
    const { kitId, agreement, customer, slots, lines } = kit.value;
    const nowMs = context.clock.nowMs();
    await saveKit(tx, { kitId, agreement, document: file.value.kit, trustList }, nowMs);
    await extendAuthority(context, tx, { kit: kit.value, document: file.value.kit, trustList });
    await tx.post({
      log: serverLog,
      kind: 'kit-added',
      id: newId(context),
      at: nowMs,
      body: { kitId, agreement, slots: slots.length, lines: lines.length },
    });
    await noteEvent(context, tx, { number: 5008, data: { agreement, slots: slots.length } });
    return ok({ agreement, customer, slots: slots.length, lines: lines.length });
  });
}

/** An extended kit keeps its slots and anchors and adds lines: an authority in force gains them. */
async function extendAuthority(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly kit: Kit; readonly document: string; readonly trustList: string },
): Promise<void> {
  const { kit } = of;
  for (const row of await listAuthorities(tx)) {
    if (row.basis !== 'slot' || row.agreement !== kit.agreement || row.slot === null) continue;
    if (readStoredKit(row.document).kitId !== kit.kitId) continue;
    const authority = authorityOfSlot(context.digest, kit, row.slot);
    const known = await linesOfAgreement(tx, row.agreement);
    if (authority === undefined || authority.lines.length < known.length) continue;
    await setAuthorityDocument(tx, row.aid, { text: of.document, trustList: of.trustList });
    await enterLines(tx, authority, known.length);
  }
}
