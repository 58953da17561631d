/**
 * `calyx license request` goes after its CAL by itself, with real programs: after a move by connection, by
 * telephone and by file, along a chain of moves, and never to where it must not.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { base64url } from '../src/core/bytes.ts';
import { licenseServerId } from '../src/core/code.ts';
import { dayMs, isoTime } from '../src/core/time.ts';
import { nodeDigest as digest } from '../src/platform/digest.ts';
import { systemRandom } from '../src/platform/random.ts';
import { generateSigningKey } from '../src/platform/signing.ts';
import type { SigningKey } from '../src/protocol/paseto.ts';
import type { Referral } from '../src/protocol/referral.ts';
import { signReferral } from '../src/protocol/referral.ts';
import { claimedRoots } from '../src/protocol/trust.ts';
import type { DeskAnswer, License, Told } from './ten-steps/answers.ts';
import { requestWords } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, cals, openSite, product, supplyByTelephone } from './ten-steps/site.ts';

interface Followed extends License {
  readonly server: string;
  readonly via: readonly string[];
  readonly offline: boolean;
  readonly referralProblem?: { readonly code: string; readonly message: string };
}

const order = (to: string, quantity = 'all'): readonly string[] => [
  ...['--to', to, '--agreement', agreement, ...cals, '--quantity', quantity],
];

/** The device asks a server, or several, and keeps what it gets. */
const ask = (site: Site, servers: string, device: string): Promise<Followed> =>
  site.calyx.done<Followed>(...requestWords(site, servers, device));

/** A device with a permanent license of a server. */
async function arrive(site: Site, server: Machine, device: string): Promise<Followed> {
  await ask(site, server.address, device);
  const words = ['--server', server.address, '--product', product, '--device', device];
  await site.calyx.done('license', 'validate', ...words);
  const license = await ask(site, server.address, device);
  assert.deepEqual([license.kind, license.server, license.via], ['permanent', server.address, []]);
  return license;
}

const idOf = async (server: Machine): Promise<string> => (await server.status()).licenseServerId;

/** The same CAL as before, from `server`, to which `via` has led. */
function expectSame(
  now: Followed,
  first: Followed,
  at: { readonly server: Machine; readonly via: readonly string[] },
): void {
  assert.deepEqual([now.kind, now.offline, now.referralProblem], ['permanent', false, undefined]);
  assert.equal(now.origin, first.origin);
  assert.deepEqual([now.server, now.via], [at.server.address, at.via]);
}

describe('by connection', { concurrency: 1 }, () => {
  let site: Site;
  let [old, next, third]: Machine[] = [];
  const machines = (): readonly [Machine, Machine, Machine] => {
    assert.ok(old && next && third);
    return [old, next, third];
  };

  before(async () => {
    site = await openSite(100);
    const url = await site.clearinghouse.serve();
    const connected = ['--clearinghouse', url];
    [old, next, third] = await Promise.all([
      site.addServer('LS-OLD', ...connected),
      site.addServer('LS-NEW', ...connected),
      site.addServer('LS-3', ...connected),
    ]);
    for (const server of machines()) {
      await server.done('server', 'activate', '--agreement', agreement);
      await server.serve();
    }
    await machines()[0].done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '20');
  });
  after(() => site.close());

  it('goes over to the target, with the CAL that it had, and goes there first from then on', async () => {
    const [source, target] = machines();
    const first = await arrive(site, source, 'ws-1');
    await arrive(site, source, 'ws-2');
    await source.done('server', 'move', ...order(target.address));
    const over = await ask(site, source.address, 'ws-1');
    expectSame(over, first, { server: target, via: [source.address] });
    const shown = await site.calyx.done<{
      licenses: readonly { valid: boolean; licenseServerId?: string }[];
    }>(...['license', 'show', site.file('ws-1.json'), '--root', site.bundle]);
    assert.ok(shown.licenses.every(({ valid }) => valid));
    // The source is not needed any more.
    const { address } = source;
    await source.stop();
    const again = await ask(site, address, 'ws-1');
    assert.deepEqual([again.status, again.server, again.offline], ['unchanged', target.address, false]);
    await source.serve();
  });

  it('a stranger that only knows the source gets a license of the target', async () => {
    const [source, target] = machines();
    const first = await ask(site, source.address, 'ws-new');
    assert.deepEqual([first.kind, first.server, first.via], ['temporary', target.address, [source.address]]);
  });

  it('follows a chain of moves from its first link', async () => {
    const [source, target, last] = machines();
    await target.done('server', 'move', ...order(last.address));
    const first = JSON.parse(readFileSync(site.file('ws-2.json'), 'utf8')) as { licenses: Followed[] };
    const over = await ask(site, source.address, 'ws-2');
    assert.equal(over.origin, first.licenses.find(({ kind }) => kind === 'permanent')?.origin);
    assert.deepEqual([over.server, over.via], [last.address, [source.address, target.address]]);
    // ws-1 had gone over to the second link.
    const other = await ask(site, source.address, 'ws-1');
    assert.equal(other.server, last.address);
  });

  it('goes on with what it has where the target does not answer, and exits 3 without', async () => {
    const [source, target, last] = machines();
    await last.done('server', 'move', ...order(source.address));
    const there = await arrive(site, source, 'ws-4');
    await source.done('server', 'move', ...order(target.address));
    await target.stop();
    const offline = await ask(site, source.address, 'ws-4');
    assert.deepEqual([offline.offline, offline.token], [true, there.token]);
    // The same device without its file: it was told where its CAL is, and has nothing to go on with.
    const bare = ['--server', source.address, '--product', product, '--device', 'ws-4'];
    assert.equal((await site.calyx.run('license', 'request', ...bare)).exit, 3);
    await target.serve();
  });

  it('looks among the servers it was given where the referral names an address that moved', async () => {
    const [source, target] = machines();
    // The target has another port since it was started anew.
    const both = await ask(site, `${source.address},${target.address}`, 'ws-4');
    assert.deepEqual([both.server, both.offline, both.kind], [target.address, false, 'permanent']);
  });
});

describe('by telephone and by file', { concurrency: 1 }, () => {
  let site: Site;

  before(async () => {
    site = await openSite(100);
  });
  after(() => site.close());

  /** A server that knows the kit, activated by a code, and so many CALs on it. */
  async function telephoneServer(name: string, quantity: number): Promise<Machine> {
    const server = await site.addServer(name, '--kit', site.kit);
    await supplyByTelephone(site, server, quantity);
    await server.serve();
    return server;
  }

  it('by telephone: only the License Server ID is known, and the address is one of those given', async () => {
    const old = await telephoneServer('LS-OLD', 10);
    const next = await telephoneServer('LS-NEW', 0);
    const first = await arrive(site, old, 'ws-1');
    const ends = ['--agreement', agreement, '--from', await idOf(old), '--to', await idOf(next)];
    await site.clearinghouse.done(
      'desk',
      'move',
      ...ends,
      ...cals,
      '--quantity',
      'all',
      '--reason',
      'replaced',
    );
    const frozen = await old.done<Told>('server', 'move', '--freeze', ...order(await idOf(next)));
    const free = await site.clearinghouse.done<DeskAnswer>('desk', 'confirm', frozen.code);
    await next.done('server', 'install', '--code', free.code ?? '', '--yes');
    // Before the release: the token is renewed or stands, and the way is shown, but nobody knows where.
    const early = await ask(site, old.address, 'ws-1');
    assert.deepEqual([early.kind, early.server], ['permanent', old.address]);
    assert.equal(early.referralProblem?.code, 'referral-address-unknown');
    const over = await ask(site, `${old.address},${next.address}`, 'ws-1');
    expectSame(over, first, { server: next, via: [old.address] });
    const released = await old.done<Told>('server', 'move', '--release', ...cals);
    const held = await site.clearinghouse.done<DeskAnswer>('desk', 'confirm', released.code);
    const from = ['--from', await idOf(old), '--yes'];
    await next.done('server', 'install', '--code', held.code ?? '', ...from);
    assert.equal((await ask(site, old.address, 'ws-1')).server, next.address);
    const page = await site.calyx.run(...requestWords(site, old.address, 'ws-late'));
    assert.equal(page.exit, 0, page.stdout + page.stderr);
    assert.match(page.stderr, /nobody has said where that is/);
  });

  it('by file: the clearinghouse has told the source the address that the target has set', async () => {
    const [old, next] = await Promise.all([site.addServer('F-OLD'), site.addServer('F-NEW')]);
    for (const server of [old, next]) await server.done('server', 'method', 'web');
    await next.serve();
    await next.done('server', 'address', next.address);
    let files = 0;
    const carry = async (from: Machine, words: readonly string[], to: readonly Machine[]): Promise<void> => {
      files += 1;
      const [request, answer] = [site.file(`${files}.request`), site.file(`${files}.answer`)];
      await from.done(...words, '--request-out', request);
      await site.clearinghouse.done('clearinghouse', 'answer', request, '--out', answer);
      for (const server of to) await server.done('server', 'move', '--response', answer);
    };
    for (const server of [old, next]) {
      await carry(server, ['server', 'activate', '--agreement', agreement], [server]);
    }
    const wanted = ['--agreement', agreement, ...cals, '--quantity', '10'];
    await carry(old, ['server', 'install', ...wanted], [old]);
    await old.serve();
    const first = await arrive(site, old, 'ws-f');
    await carry(old, ['server', 'move', ...order(await idOf(next))], [old]);
    await carry(old, ['server', 'move'], [next]);
    await carry(next, ['server', 'move'], [old]);
    await carry(old, ['server', 'move'], [next]);
    expectSame(await ask(site, old.address, 'ws-f'), first, { server: next, via: [old.address] });
  });
});

/** An impostor: it has a name and a key, and answers every request with one refusal and one referral. */
interface Impostor {
  readonly address: string;
  readonly key: SigningKey;
  referral: string;
  /** Whether anybody has asked it for a license, and what was shown. */
  readonly asked: string[];
  readonly close: () => Promise<void>;
}

async function openImpostor(): Promise<Impostor> {
  const key = generateSigningKey(systemRandom, (publicKey) => licenseServerId(digest, publicKey));
  const asked: string[] = [];
  const impostor = { referral: '' };
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const card = request.url === '/v1/server';
      if (!card) asked.push(body);
      const { referral } = impostor;
      const refused = { code: 'license-moved', detail: 'It has moved.', next: 'Go.', details: { referral } };
      const answer = card ? { licenseServerId: key.kid, name: 'LS-X', activation: 'activated' } : refused;
      response.writeHead(card ? 200 : 409, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(impostor, {
    ...{ address: `http://127.0.0.1:${port}`, key, asked },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  });
}

describe('what is not followed', { concurrency: 1 }, () => {
  let site: Site;
  let real: Machine;
  let stranger: Machine;
  let one: Impostor;
  let other: Impostor;
  let root = '';

  /** What an impostor says, which is in order but for `changes`. */
  function says(from: Impostor, to: { id: string; address: string }, changes: Partial<Referral> = {}): void {
    const nowMs = Date.now();
    const claims: Referral = {
      ...{ t: 'referral', v: 1, iss: from.key.kid, root, agreement, prod: product, kind: 'device' },
      ...{ move: 'mv-1', target: to.id, urls: [to.address] },
      ...{ iat: isoTime(nowMs), exp: isoTime(nowMs + dayMs) },
      ...changes,
    };
    from.referral = signReferral(claims, from.key);
  }

  const refuses = async (servers: string, code: string, of: { device?: string; words?: RegExp } = {}) => {
    const { device = 'ws-1', words = /./ } = of;
    const { exit, refused } = await site.calyx.refused(...requestWords(site, servers, device));
    assert.deepEqual([exit, refused.code], [1, code], refused.message);
    assert.match(refused.message, words);
  };

  before(async () => {
    site = await openSite(100);
    const url = await site.clearinghouse.serve();
    real = await site.addServer('LS-REAL', '--clearinghouse', url);
    await real.done('server', 'activate', '--agreement', agreement);
    await real.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '5');
    await real.serve();
    const elsewhere = site.file('other-publisher');
    const instance = ['--instance', site.file('other-instance')];
    const made = await site.calyx.done<{ bundle: string }>(
      ...['clearinghouse', 'init', '--publisher', 'Other', '--data', elsewhere, ...instance],
    );
    stranger = await site.addServer('LS-STRANGER', '--bundle', made.bundle);
    await stranger.serve();
    [one, other] = await Promise.all([openImpostor(), openImpostor()]);
    const { bundle } = await arrive(site, real, 'ws-1');
    root = claimedRoots((bundle as { trustList: string }).trustList)[0]?.kid ?? '';
  });
  after(async () => {
    await Promise.all([one.close(), other.close()]);
    await site.close();
  });

  const toOther = (): { id: string; address: string } => ({ id: other.key.kid, address: other.address });

  it('two servers that refer to each other, and a server that refers to itself', async () => {
    says(one, toOther());
    says(other, { id: one.key.kid, address: one.address });
    await refuses(one.address, 'referral-loop');
    says(one, { id: one.key.kid, address: one.address });
    await refuses(one.address, 'referral-invalid');
  });

  it('a referral that is forged, altered, too old or of another server', async () => {
    says(one, toOther(), { iss: other.key.kid });
    await refuses(one.address, 'referral-invalid');
    says(other, toOther());
    one.referral = other.referral;
    await refuses(one.address, 'referral-invalid');
    says(one, toOther(), { iat: isoTime(Date.now() - 3 * dayMs), exp: isoTime(Date.now() - 2 * dayMs) });
    await refuses(one.address, 'referral-expired');
    says(one, toOther());
    one.referral = one.referral.replace(/.{40}$/, 'A'.repeat(40));
    await refuses(one.address, 'referral-invalid');
  });

  it('one to another publisher: it is not asked, or what it gives is not taken', async () => {
    const id = await idOf(stranger);
    says(one, { id, address: stranger.address }, { root: base64url(new Uint8Array(12)) });
    await refuses(one.address, 'referral-invalid', { words: /speaks for another publisher/ });
    says(one, { id, address: stranger.address });
    const words = /leads to is of another publisher/;
    await refuses(one.address, 'referral-invalid', { device: 'ws-nobody', words });
    assert.throws(() => readFileSync(site.file('ws-nobody.json')), { code: 'ENOENT' });
  });

  it('one where another server answers than it names: nothing is shown to that one', async () => {
    const before_ = other.asked.length;
    says(one, { id: await idOf(real), address: other.address });
    await refuses(one.address, 'referral-address-unknown');
    assert.equal(other.asked.length, before_);
  });

  it('and whatever comes of it, the license in hand stays as it is', async () => {
    const kept = readFileSync(site.file('ws-1.json'), 'utf8');
    says(one, toOther(), { iss: other.key.kid });
    const ended = await site.calyx.run(...requestWords(site, one.address, 'ws-1'));
    assert.equal(ended.exit, 1);
    assert.match(ended.stderr, /is valid until/);
    assert.equal(readFileSync(site.file('ws-1.json'), 'utf8'), kept);
    // A good server among those that were named is asked all the same.
    const license = await ask(site, `${one.address},${real.address}`, 'ws-1');
    assert.deepEqual([license.server, license.status], [real.address, 'unchanged']);
    writeFileSync(site.file('ws-1.json'), kept);
  });
});
