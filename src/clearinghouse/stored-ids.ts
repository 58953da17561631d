/**
 * The bytes of ids from the text in which the books hold them. It was checked before it got there, so
 * that a text which is none is a bug or a damaged database, and nothing is signed for it.
 */
import { bytesOfBase64url } from '../core/bytes.ts';
import { licenseServerIdValue } from '../core/code.ts';
import type { ClearinghouseContext } from './context.ts';

/** The 16 bytes of an authority's or a kit's id. */
export function idBytes(id: string): Uint8Array {
  const bytes = bytesOfBase64url(id);
  if (bytes?.length !== 16) throw new Error(`The books name ${id}, which is no id of 16 bytes.`);
  return bytes;
}

/** The 16 bytes of a License Server ID that the books hold. */
export function idValue(context: Pick<ClearinghouseContext, 'digest'>, licenseServerId: string): Uint8Array {
  const value = licenseServerIdValue(context.digest, licenseServerId);
  if (!value.ok) throw new Error(`The books name ${licenseServerId}, which is no License Server ID.`);
  return value.value;
}
