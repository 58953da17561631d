/**
 * Tokens are not stored: they are made of their rows, and signed beside the main thread where many are
 * asked for at once. What a holder gets must not depend on when and where that happened.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { nodeDigest } from '../src/platform/digest.ts';
import { readLicenseBundle, verifyLicense } from '../src/protocol/license-bundle.ts';
import type { OpenServer } from '../src/server/app.ts';
import { openServer } from '../src/server/app.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { validateLicense } from '../src/server/usecases/return-license.ts';
import { connect, installByContact, permanent } from './world/acts.ts';
import type { World } from './world/world.ts';
import { makeWorld, product, value } from './world/world.ts';

const type = 'device';
let world: World;
let server: OpenServer;

async function ask(holder: string, at = server): Promise<LicenseAnswer> {
  return value(await requestLicense(at.context, { product, type, holder }));
}

/** The claims of an answer's token, once it has held against its bundle from the root down. */
function claimsOf(answer: LicenseAnswer) {
  const verified = verifyLicense({
    token: answer.token,
    bundle: value(readLicenseBundle(JSON.parse(answer.bundleText))),
    root: server.context.root.publicKey,
    nowMs: world.clock.nowMs(),
    digest: nodeDigest,
  });
  if (!verified.ok) throw new Error(`not valid: ${JSON.stringify(verified.error)}`);
  return verified.value.claims;
}

async function setUp(quantity: number): Promise<void> {
  world = await makeWorld(1000, { kit: false });
  server = await world.addServer('LS', { connected: true });
  await connect(server, quantity);
}

describe('the token of a license', () => {
  beforeEach(() => setUp(200));
  afterEach(() => world.close());

  it('is the same when it is asked for again, also after the program was started again', async () => {
    const first = await permanent(server, 'ws-1');
    const temporary = await ask('ws-2');
    assert.equal((await ask('ws-1')).token, first.token);
    await server.close();
    const again = await openServer(join(world.dir, 'LS'), { clock: world.clock });
    try {
      assert.deepEqual(await ask('ws-1', again), { ...first, status: 'unchanged' });
      assert.deepEqual(await ask('ws-2', again), { ...temporary, status: 'unchanged' });
    } finally {
      await again.close();
    }
  });

  it('says the same after the bundle has changed, and holds against the new one', async () => {
    const first = await permanent(server, 'ws-1');
    await installByContact(server, { quantity: 10 });
    const again = await ask('ws-1');
    assert.notEqual(again.bundleText, first.bundleText);
    assert.equal(again.status, 'unchanged');
    assert.deepEqual(claimsOf(again), claimsOf(first));
  });

  it('goes to the holder who asked, when many ask at once', async () => {
    await server.context.signer.start();
    const names = Array.from({ length: 150 }, (_, number) => `ws-${number}`);
    await Promise.all(names.map((name) => ask(name)));
    const marked = names.map((holder) => validateLicense(server.context, { product, type, holder }));
    for (const each of await Promise.all(marked)) value(each);
    const answers = await Promise.all(names.map((name) => ask(name)));
    assert.equal(new Set(answers.map((answer) => answer.unit)).size, names.length);
    const subjects = new Set<string>();
    for (const answer of answers) {
      const claims = claimsOf(answer);
      assert.equal(claims.unit, answer.unit);
      subjects.add(claims.sub);
    }
    assert.equal(subjects.size, names.length);
    for (const [at, name] of names.entries()) assert.equal((await ask(name)).token, answers[at]?.token);
  });
});

describe('a temporary license', () => {
  beforeEach(() => setUp(30));
  afterEach(() => world.close());

  it('counts against the cap until its holder has a permanent one, and no longer', async () => {
    for (let number = 0; number < 30; number += 1) {
      assert.equal((await permanent(server, `ws-${number}`)).kind, 'permanent', `device ${number}`);
    }
    // None is free now: ten may go on temporarily (protocol §1.5), the eleventh may not.
    for (let number = 0; number < 10; number += 1)
      assert.equal((await ask(`late-${number}`)).kind, 'temporary');
    const refused = await requestLicense(server.context, { product, type, holder: 'late-10' });
    assert.deepEqual(refused, { ok: false, error: { code: 'temporary-cap', product, cap: 10 } });
  });
});
