/** The publisher's root key, as the commands that verify offline are given it. */
import { bytesOfBase64url } from '../core/bytes.ts';
import { nodeDigest } from '../platform/digest.ts';
import { readPublisherBundle } from '../protocol/trust.ts';
import { readTextFile } from './local-files.ts';
import { must, WrongUsage } from './outcome.ts';

/** The publisher's root key: from a publisher bundle, or base64url or hex in a file of its own. */
export function readRoot(path: string): Uint8Array {
  const text = readTextFile(path).trim();
  if (text.startsWith('{')) {
    return must(readPublisherBundle(nodeDigest, text)).root.publicKey;
  }
  const bytes = /^[0-9a-f]{64}$/i.test(text)
    ? new Uint8Array(Buffer.from(text, 'hex'))
    : bytesOfBase64url(text);
  if (bytes?.length === 32) return bytes;
  throw new WrongUsage(
    `${path} holds neither a publisher bundle nor a public key of 32 bytes (base64url or hex).`,
  );
}
