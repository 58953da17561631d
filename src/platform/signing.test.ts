import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { describe, it } from 'node:test';
import { bytesOfHex, hex } from '../core/bytes.ts';
import { publicKeyObject } from '../protocol/paseto.ts';
import { systemRandom } from './random.ts';
import {
  agree,
  agreementKeyFromSeed,
  generateAgreementKey,
  generateSigningKey,
  seedOf,
  signatureOf,
  signingKeyFromSeed,
} from './signing.ts';

function bytes(text: string): Uint8Array {
  const decoded = bytesOfHex(text);
  assert.ok(decoded);
  return decoded;
}

describe('signing keys', () => {
  it('are those of RFC 8032, section 7.1, test 2', () => {
    const seed = bytes('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
    const key = signingKeyFromSeed(seed, (publicKey) => `name-${hex(publicKey).slice(0, 4)}`);
    assert.equal(hex(key.publicKey), '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    assert.equal(key.kid, 'name-3d40');
    assert.equal(
      hex(signatureOf(key, Uint8Array.of(0x72))),
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
        '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
    assert.deepEqual(seedOf(key), seed);
  });

  it('made anew differ, and sign what their public key verifies', () => {
    const one = generateSigningKey(systemRandom, () => 'one');
    const two = generateSigningKey(systemRandom, () => 'two');
    assert.notDeepEqual(one.publicKey, two.publicKey);
    const message = Uint8Array.of(1, 2, 3);
    const publicKey = publicKeyObject(one.publicKey);
    assert.ok(publicKey);
    assert.equal(verify(null, message, publicKey, signatureOf(one, message)), true);
    assert.equal(verify(null, message, publicKey, signatureOf(two, message)), false);
  });

  it('are refused from a seed of another length', () => {
    for (const length of [0, 31, 33, 64]) {
      assert.throws(() => signingKeyFromSeed(new Uint8Array(length), () => ''), RangeError);
      assert.throws(() => agreementKeyFromSeed(new Uint8Array(length)), RangeError);
    }
  });
});

describe('key agreement', () => {
  const alice = agreementKeyFromSeed(
    bytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
  );
  const bob = agreementKeyFromSeed(bytes('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'));

  it('gives the keys and the shared secret of RFC 7748, section 6.1, on both sides', () => {
    assert.equal(hex(alice.publicKey), '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    assert.equal(hex(bob.publicKey), 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    const shared = bytes('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
    assert.deepEqual(agree(alice.privateKey, bob.publicKey), shared);
    assert.deepEqual(agree(bob.privateKey, alice.publicKey), shared);
  });

  it('survives storing the private key', () => {
    const made = generateAgreementKey(systemRandom);
    const kept = agreementKeyFromSeed(seedOf(made));
    assert.deepEqual(kept.publicKey, made.publicKey);
    assert.deepEqual(agree(kept.privateKey, bob.publicKey), agree(bob.privateKey, made.publicKey));
  });

  it('is refused with a public key that would give everybody the same secret', () => {
    const weak = [
      '0000000000000000000000000000000000000000000000000000000000000000',
      '0100000000000000000000000000000000000000000000000000000000000000',
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ];
    for (const publicKey of weak) assert.equal(agree(alice.privateKey, bytes(publicKey)), undefined);
  });

  it('is refused with a public key of another length', () => {
    for (const length of [0, 31, 33])
      assert.equal(agree(alice.privateKey, new Uint8Array(length)), undefined);
  });
});
