import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { UnsignedToken } from '../protocol/paseto.ts';
import { signPaseto } from '../protocol/paseto.ts';
import type { TokenSigner } from './token-signer.ts';
import { createTokenSigner } from './token-signer.ts';

let key: KeyObject;

function tokens(count: number, footer = '{"kid":"A"}'): UnsignedToken[] {
  return Array.from({ length: count }, (_, number) => ({
    payload: JSON.stringify({ number, name: 'Größe \\n 東' }),
    footer,
    implicit: 'cal/1',
  }));
}

/** What signing on the spot gives: Ed25519 has one signature for a text. */
function signedHere({ payload, footer, implicit }: UnsignedToken): string {
  return signPaseto({
    payload: Buffer.from(payload),
    footer: Buffer.from(footer),
    implicit: Buffer.from(implicit),
    key,
  });
}

async function check(signer: TokenSigner, list: readonly UnsignedToken[]): Promise<void> {
  const signed = await Promise.all(list.map((token) => signer.sign(token)));
  assert.deepEqual(signed, list.map(signedHere));
}

async function startedSigner(): Promise<TokenSigner> {
  const signer = createTokenSigner(key);
  await signer.start();
  return signer;
}

/** Whether all are signed by the time that the present turn is over, with nothing from outside. */
async function atOnce(signer: TokenSigner, list: readonly UnsignedToken[]): Promise<boolean> {
  let done = false;
  const all = Promise.all(list.map((token) => signer.sign(token))).then(() => {
    done = true;
  });
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  const answer = done;
  await all;
  return answer;
}

describe('a token signer', () => {
  before(() => {
    key = generateKeyPairSync('ed25519').privateKey;
  });

  it('signs one token like signPaseto does', async () => {
    const signer = createTokenSigner(key);
    await check(signer, tokens(1));
    await signer.close();
  });

  it('does not let the first load wait for its thread', async () => {
    const signer = createTokenSigner(key);
    assert.equal(await atOnce(signer, tokens(32)), true);
    await signer.close();
  });

  describe('with its thread', () => {
    let signer: TokenSigner;
    before(async () => {
      signer = await startedSigner();
    });
    after(() => signer.close());

    it('leaves the work to it', async () => {
      assert.equal(await atOnce(signer, tokens(32)), false);
    });

    it('answers each of many with its own token', async () => {
      await check(signer, tokens(1000));
    });

    it('keeps footers apart that come mixed', async () => {
      const [a, b] = [tokens(40, '{"kid":"A"}'), tokens(40, '{"kid":"B"}')];
      await check(
        signer,
        a.flatMap((token, at) => [token, b[at] ?? token]),
      );
      await check(signer, [...a, ...b]);
    });

    it('goes on with further ones while the first are under way', async () => {
      await Promise.all([check(signer, tokens(100)), check(signer, tokens(7)), check(signer, tokens(33))]);
    });
  });

  it('signs what was under way when its thread ends, and what comes after', async () => {
    const signer = await startedSigner();
    const underWay = check(signer, tokens(500));
    await signer.close();
    await underWay;
    await check(signer, tokens(50));
  });
});
