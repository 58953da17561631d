import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { licenseServerId } from '../core/code.ts';
import { nodeDigest } from '../platform/digest.ts';
import { systemRandom } from '../platform/random.ts';
import { generateSigningKey } from '../platform/signing.ts';
import type { SuccessionClaims } from './succession.ts';
import { openSuccession, signSuccession } from './succession.ts';

const nameOf = (publicKey: Uint8Array): string => licenseServerId(nodeDigest, publicKey);
const old = generateSigningKey(systemRandom, nameOf);
const next = generateSigningKey(systemRandom, nameOf);
const claims: SuccessionClaims = {
  t: 'succession',
  v: 1,
  iss: old.kid,
  to: next.kid,
  reason: 'redeployed',
  iat: '2026-11-30T12:00:00Z',
};

/** One character of what it says is another. */
function altered(token: string): string {
  const at = 50;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

describe('the word of a server that is no more', () => {
  it('is opened as it was signed', () => {
    assert.deepEqual(openSuccession(nodeDigest, signSuccession(claims, old)), { ok: true, value: claims });
  });

  for (const [what, token] of [
    ['another key says it of that server', signSuccession(claims, next)],
    ['it was cut short', signSuccession(claims, old).slice(0, -4)],
    ['it is none', 'v4.public.AAAA'],
    ['it is far too long', `${signSuccession(claims, old)}${'A'.repeat(2000)}`],
    ['one character is another', altered(signSuccession(claims, old))],
  ] as const) {
    it(`is refused where ${what}`, () => {
      assert.equal(openSuccession(nodeDigest, token).ok, false);
    });
  }
});
