/**
 * Promise 3 (protocol §1.1): what a caller asks for under an idempotency key happens once. The id of the
 * act comes from the key, so that the same key finds what was done. The key is known to this server alone: the id,
 * which goes to the clearinghouse and to other servers, is of both.
 */
import { base64url, firstBytes, utf8 } from '../../core/bytes.ts';
import type { ServerContext } from '../context.ts';
import { newId } from './new-id.ts';

/** The id of an act: made from the caller's key where there is one, which may hold any characters. */
export function keyedId(
  context: Pick<ServerContext, 'clock' | 'random' | 'digest' | 'licenseServerId'>,
  key: string | undefined,
): string {
  if (key === undefined) return newId(context);
  return `key-${base64url(firstBytes(context.digest.sha256(utf8(`${context.licenseServerId} ${key}`)), 16))}`;
}
