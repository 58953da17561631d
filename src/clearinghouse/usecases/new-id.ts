/** Ids of entries and messages of the clearinghouse: 128 random bits in base64url. */
import { base64url } from '../../core/bytes.ts';
import type { ClearinghouseContext } from '../context.ts';

export function newId(context: Pick<ClearinghouseContext, 'random'>): string {
  return base64url(context.random.bytes(16));
}
