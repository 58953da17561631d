/** Where license servers are reached by their clients, as they say themselves: told to the sources of moves to them. */
import { readMeta, writeMeta } from '../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../store/port.ts';

const keyOf = (licenseServerId: string): string => `address:${licenseServerId}`;

/** Keeps what a contact tells; one without an address takes it back. */
export async function noteAddress(
  tx: WriteTx,
  licenseServerId: string,
  address: string | undefined,
): Promise<void> {
  const before = (await readMeta(tx, keyOf(licenseServerId))) ?? '';
  if (before !== (address ?? '')) await writeMeta(tx, keyOf(licenseServerId), address ?? '');
}

/** The member of a message that tells the address of a license server; none where it is not known. */
export async function addressField(
  tx: ReadTx,
  licenseServerId: string,
): Promise<{ readonly address?: string }> {
  const address = (await readMeta(tx, keyOf(licenseServerId))) ?? '';
  return address === '' ? {} : { address };
}
