import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { it } from 'node:test';
import { nodeDigest } from './digest.ts';

it('makes the same HMAC as OpenSSL for keys and texts of every length around the block', () => {
  for (const keyLength of [0, 1, 16, 32, 63, 64, 65, 128]) {
    for (const length of [0, 1, 55, 64, 200]) {
      const key = new Uint8Array(keyLength).fill(keyLength + 7);
      const bytes = new Uint8Array(length).fill(length + 3);
      const expected = createHmac('sha256', key).update(bytes).digest('hex');
      assert.equal(Buffer.from(nodeDigest.hmacSha256(key, bytes)).toString('hex'), expected);
    }
  }
});
