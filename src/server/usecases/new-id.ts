/** Ids of entries, tokens and messages of this server: 128 random bits in base64url. */
import { base64url } from '../../core/bytes.ts';
import type { ServerContext } from '../context.ts';

export function newId(context: Pick<ServerContext, 'random'>): string {
  return base64url(context.random.bytes(16));
}
