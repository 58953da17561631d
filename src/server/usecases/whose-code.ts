/**
 * Whose a code is that does nothing here: what is known of other servers and of the slots of our kits, so
 * that a refusal can name the server that the code was made for.
 */
import { licenseServerIdValue, normalizeLicenseServerId } from '../../core/code.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import type { Authority } from '../../protocol/authority.ts';
import { authorityOfSlot, readStoredKit } from '../../protocol/authority.ts';
import type { ReadTx } from '../../store/port.ts';
import { listKits } from '../../store/server-authority-rows.ts';
import { listPeers } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';

export interface KnownServer {
  readonly licenseServerId: string;
  /** The 16 bytes in its id, which mask the codes made for it. */
  readonly value: Uint8Array;
  readonly name: string | null;
}

/** Every other server that this one has heard of. */
export async function knownServers(context: ServerContext, tx: ReadTx): Promise<readonly KnownServer[]> {
  return (await listPeers(tx)).flatMap(({ licenseServerId, name }) => {
    const value = licenseServerIdValue(context.digest, licenseServerId);
    return value.ok ? [{ licenseServerId, value: value.value, name }] : [];
  });
}

/** Further servers that were typed, whose holders are served as well; this one may be among them. Refused: IDs that are none. */
export function readServerIds(
  context: ServerContext,
  typed: readonly string[],
): Result<readonly string[], Refusal> {
  const ids: string[] = [];
  for (const each of typed) {
    const id = normalizeLicenseServerId(context.digest, each);
    if (!id.ok) return id;
    ids.push(id.value);
  }
  return ok(ids);
}

/** Every slot of our kits, as the server that was activated with it has it: anchors are public. */
export async function slotsOfKits(context: ServerContext, tx: ReadTx): Promise<readonly Authority[]> {
  const kits = (await listKits(tx)).map((row) => readStoredKit(row.document));
  return kits.flatMap((kit) =>
    kit.slots.flatMap(({ slot }) => authorityOfSlot(context.digest, kit, slot) ?? []),
  );
}

/** Why a server without any agreement can use no code yet: it has no kit, or was not activated with one. */
export async function whyNotActivated(tx: ReadTx): Promise<Refusal> {
  const [kit] = await listKits(tx);
  return kit === undefined
    ? { code: 'kit-missing', agreement: null }
    : { code: 'not-activated', agreement: kit.agreement };
}
