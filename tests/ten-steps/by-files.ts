/**
 * The same steps by files carried by hand: at first the clearinghouse does not even run, and every file
 * may come twice, altered, cut off, or to the wrong place.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import type { Installed, License, Move, Status } from './answers.ts';
import type { Holders } from './devices.ts';
import { arrive, askPermanent, expectOneEach, populate } from './devices.ts';
import type { Books, Machine, Site } from './site.ts';
import { agreement, cals, expectBooks, openSite } from './site.ts';

interface Scene {
  readonly site: Site;
  readonly old: Machine;
  /** Does not run as a service before somebody asks it for a license. */
  readonly next: Machine;
  readonly holders: Holders;
}

interface Carried {
  readonly requestFile: string;
}

const noCals = [0, 0, 0, 0, 0, 0];
const orderOf = (quantity: number): readonly string[] => [
  ...['--agreement', agreement, ...cals, '--quantity', String(quantity)],
];

/** The stick goes to the clearinghouse and comes back with the answer. */
async function carry(site: Site, request: string, name: string): Promise<string> {
  const out = site.file(`${name}.answer`);
  const answered = await site.clearinghouse.done<{ out: string; messages: number }>(
    ...['clearinghouse', 'answer', request, '--out', out],
  );
  assert.equal(answered.out, out);
  assert.ok(answered.messages > 0);
  return out;
}

/** Writes a request with a command of a server, and has it answered. */
async function roundTrip(site: Site, server: Machine, words: readonly string[]): Promise<string> {
  const name = `${server.name}-${words[1]}`;
  const request = site.file(`${name}.request`);
  const asked = await server.done<Carried>(...words, '--request-out', request);
  assert.equal(asked.requestFile, request);
  return carry(site, request, name);
}

/** Everything that a database holds, but for what a look itself changes. */
function contentOf(machine: Machine, file: string): string {
  const database = new DatabaseSync(join(machine.data, file), { readOnly: true });
  try {
    const tables = database.prepare("select name from sqlite_master where type = 'table'").all();
    const content = tables.map(({ name }) => [name, database.prepare(`select * from ${name}`).all()]);
    return JSON.stringify(content, (_, value) => (value instanceof Uint8Array ? [...value] : value));
  } finally {
    database.close();
  }
}

/** Must be refused with one of `codes`, and must not change a single row. */
async function refusesFile(
  machine: Machine,
  words: readonly string[],
  codes: readonly string[],
): Promise<void> {
  const file = machine.kind === 'server' ? 'license-server.db' : 'clearinghouse.db';
  const before_ = contentOf(machine, file);
  const { exit, refused } = await machine.refused(...words);
  assert.equal(exit, 1);
  assert.ok(codes.includes(refused.code), `${refused.code}: ${refused.message}`);
  assert.equal(contentOf(machine, file), before_, refused.code);
}

/** A character of the longest text in a file replaced by another of the same kind. */
function altered(text: string): string {
  const place = text.indexOf('v4.public.') + 200;
  return `${text.slice(0, place)}${text[place] === 'A' ? 'B' : 'A'}${text.slice(place + 1)}`;
}

/** The three ways in which a file is spoiled on its way. */
function spoil(site: Site, path: string): readonly string[] {
  const text = readFileSync(path, 'utf8');
  const spoiled = { altered: altered(text), short: text.slice(0, text.length / 2), empty: '' };
  return Object.entries(spoiled).map(([name, content]) => {
    const file = site.file(`${name}.file`);
    writeFileSync(file, content);
    return file;
  });
}

const damaged = ['file-damaged', 'file-other-kind'];

/** A round of a move: apply the answer, write what is to be told. */
async function applyAndTell(machine: Machine, answer: string, request: string): Promise<Move & Carried> {
  return machine.done<Move & Carried>(...['server', 'move', '--response', answer, '--request-out', request]);
}

/** A move by files from its first request to the end; after each stage `look` sees the books. */
async function moveByFiles(
  { site, old, next }: Scene,
  quantity: number,
  look: (stage: 'frozen' | 'granted' | 'closed') => Promise<void>,
): Promise<{ readonly released: string }> {
  const { licenseServerId: to } = await next.status();
  const file = (step: string): string => site.file(`move-${quantity}-${step}`);
  const order = ['server', 'move', '--to', to, ...orderOf(quantity)];
  const started = await old.done<Move>(...order, '--request-out', file('1.request'));
  assert.equal(started.state, 'requested');
  const freeze = await carry(site, file('1.request'), `move-${quantity}-1`);
  const frozen = await applyAndTell(old, freeze, file('2.request'));
  assert.deepEqual([frozen.id, frozen.state], [started.id, 'frozen']);
  await look('frozen');
  const grant = await carry(site, file('2.request'), `move-${quantity}-2`);
  const granted = await applyAndTell(next, grant, file('3.request'));
  assert.deepEqual([granted.id, granted.state], [started.id, 'provisional']);
  await look('granted');
  const release = await carry(site, file('3.request'), `move-${quantity}-3`);
  const released = await applyAndTell(old, release, file('4.request'));
  assert.deepEqual([released.id, released.state], [started.id, 'closed']);
  const end = await carry(site, file('4.request'), `move-${quantity}-4`);
  await next.done<Move>('server', 'move', '--response', end);
  await look('closed');
  return { released: release };
}

describe('the ten steps by files', { concurrency: 1 }, () => {
  let scene: Scene;
  let release = '';
  const expect = async (books: Books): Promise<void> =>
    expectBooks(scene.site, [scene.old, scene.next], books);

  before(async () => {
    const site = await openSite(100);
    const [old, next] = await Promise.all([site.addServer('LS-OLD'), site.addServer('LS-NEW')]);
    await old.serve();
    scene = { site, old, next, holders: new Map() };
  });
  after(() => scene.site.close());

  it('steps 1 to 4: both servers are activated by a request file and its answer', async () => {
    const { site, old, next } = scene;
    for (const server of [old, next]) {
      const set = await server.done<Status>('server', 'method', 'web');
      assert.equal(set.method, 'web');
      const wanted = site.file(`${server.name}.nameless`);
      const nameless = await server.refused('server', 'activate', '--request-out', wanted);
      assert.equal(nameless.refused.code, 'agreement-missing');
      assert.equal(statSync(wanted, { throwIfNoEntry: false }), undefined);
      const answer = await roundTrip(site, server, ['server', 'activate', '--agreement', agreement]);
      const status = await server.done<Status>('server', 'activate', '--response', answer);
      assert.deepEqual([status.activation, status.assurance], ['activated', 'key'], server.name);
    }
    await expect({ clearinghouse: [100, 100, 0, 0, 0, 0], 'LS-OLD': noCals, 'LS-NEW': noCals });
  });

  it('steps 5 to 9: 40 CALs come in a file; given again it adds nothing, and writes its receipt again', async () => {
    const { site, old, holders } = scene;
    const answer = await roundTrip(site, old, ['server', 'install', ...orderOf(40)]);
    const receipt = site.file('installed.receipt');
    const install = ['server', 'install', '--response', answer, '--request-out', receipt];
    const { added, installed } = await old.done<Installed>(...install);
    assert.deepEqual([added, installed], [40, 40]);
    rmSync(receipt);
    const again = await old.refused(...install);
    assert.deepEqual([again.exit, again.refused.code], [1, 'already-applied']);
    assert.deepEqual([again.refused['added'], again.refused['installed']], [40, 40]);
    assert.equal(again.refused['requestFile'], receipt);
    await carry(site, receipt, 'receipt');
    for (const each of await populate(site, old.address, { count: 15, byCommand: 1 })) holders.set(...each);
    await expect({
      clearinghouse: [100, 60, 40, 0, 0, 0],
      'LS-OLD': [40, 15, 25, 0, 0, 0],
      'LS-NEW': noCals,
    });
  });

  it('a file that was altered, cut off or meant for another is refused, and nothing is changed', async () => {
    const { site, old, next } = scene;
    const name = site.file('order.request');
    await old.done('server', 'install', ...orderOf(5), '--request-out', name);
    for (const file of spoil(site, name)) {
      const words = ['clearinghouse', 'answer', file, '--out', site.file('never.answer')];
      await refusesFile(site.clearinghouse, words, damaged);
    }
    const answer = await carry(site, name, 'order');
    for (const file of spoil(site, answer)) {
      await refusesFile(old, ['server', 'install', '--response', file], damaged);
    }
    // Mail for another server; a request where an answer belongs; an answer where a request does.
    await refusesFile(
      next,
      ['server', 'install', '--response', answer],
      ['message-invalid', 'message-not-for-us'],
    );
    await refusesFile(old, ['server', 'install', '--response', name], ['file-other-kind']);
    const backwards = ['clearinghouse', 'answer', answer, '--out', site.file('never.answer')];
    await refusesFile(site.clearinghouse, backwards, ['file-other-kind']);
    assert.equal(statSync(site.file('never.answer'), { throwIfNoEntry: false }), undefined);
    // The good one is still good.
    const { added, installed } = await old.done<Installed>('server', 'install', '--response', answer);
    assert.deepEqual([added, installed], [5, 45]);
    await expect({
      clearinghouse: [100, 55, 45, 0, 0, 0],
      'LS-OLD': [45, 15, 30, 0, 0, 0],
      'LS-NEW': noCals,
    });
  });

  it('a file of another publisher is refused, and nothing is changed', async () => {
    const { site, old } = scene;
    const other = await openSite(10);
    try {
      const foreign = await other.addServer('LS-FOREIGN');
      const answer = await roundTrip(other, foreign, ['server', 'activate', '--agreement', agreement]);
      await refusesFile(
        old,
        ['server', 'install', '--response', answer],
        ['message-untrusted', 'message-not-for-us'],
      );
      await foreign.done('server', 'activate', '--response', answer);
      // This clearinghouse cannot know whose server that is: it answers, and gives nothing.
      const request = join(other.dir, 'foreign.request');
      await foreign.done('server', 'install', ...orderOf(5), '--request-out', request);
      const wrongAnswer = await carry(site, request, 'foreign');
      await refusesFile(foreign, ['server', 'install', '--response', wrongAnswer], ['message-untrusted']);
      const { packs } = await foreign.status();
      assert.deepEqual(packs, []);
      await expect({
        clearinghouse: [100, 55, 45, 0, 0, 0],
        'LS-OLD': [45, 15, 30, 0, 0, 0],
        'LS-NEW': noCals,
      });
    } finally {
      await other.close();
    }
  });

  it('a part of the CALs moves by files: 35 of 45, of which 5 have holders', async () => {
    const { old, next, holders, site } = scene;
    // From here on it runs: the same commands go through the service.
    await site.clearinghouse.serve();
    const done = await moveByFiles(scene, 35, async (stage) => {
      for (const device of stage === 'closed' ? [] : ['ws-1', 'ws-15']) {
        const license = await askPermanent(old.address, device);
        assert.deepEqual([license.status, license.origin], ['unchanged', holders.get(device)?.origin]);
      }
      if (stage === 'frozen') {
        await expect({
          clearinghouse: [100, 55, 45, 0, 0, 0],
          'LS-OLD': [45, 10, 0, 35, 0, 0],
          'LS-NEW': noCals,
        });
      }
      if (stage === 'granted') {
        await expect({
          clearinghouse: [100, 55, 10, 35, 0, 0],
          'LS-OLD': [45, 10, 0, 35, 0, 0],
          'LS-NEW': [35, 0, 30, 0, 5, 0],
        });
        await next.serve();
        holders.set('ws-new', await arrive(next.address, 'ws-new'));
      }
    });
    release = done.released;
    await expect({
      clearinghouse: [100, 55, 45, 0, 0, 0],
      'LS-OLD': [10, 10, 0, 0, 0, 0],
      'LS-NEW': [35, 1, 29, 0, 5, 0],
    });
  });

  it('a file of the move given again is refused, and its receipt is written again', async () => {
    const { site, old } = scene;
    const receipt = site.file('again.receipt');
    const { exit, refused } = await old.refused(
      ...['server', 'move', '--response', release, '--request-out', receipt],
    );
    assert.deepEqual([exit, refused.code, refused['requestFile']], [1, 'already-applied', receipt]);
    await carry(site, receipt, 'again');
    await expect({
      clearinghouse: [100, 55, 45, 0, 0, 0],
      'LS-OLD': [10, 10, 0, 0, 0, 0],
      'LS-NEW': [35, 1, 29, 0, 5, 0],
    });
  });

  it('the rest moves likewise, and finds its holders again', async () => {
    const { old } = scene;
    const early = await old.refused(
      'server',
      'deactivate',
      '--return',
      '--request-out',
      scene.site.file('no'),
    );
    assert.deepEqual([early.refused.code, early.refused['issued']], ['holders-remain', 10]);
    await moveByFiles(scene, 10, async () => undefined);
    await expect({
      clearinghouse: [100, 55, 45, 0, 0, 0],
      'LS-OLD': noCals,
      'LS-NEW': [45, 1, 29, 0, 15, 0],
    });
  });

  it('step 10: deactivate --return gives back what was bought for the old server too late', async () => {
    const { site, old } = scene;
    const bought = await roundTrip(site, old, ['server', 'install', ...orderOf(7)]);
    await old.done<Installed>('server', 'install', '--response', bought);
    await expect({
      clearinghouse: [100, 48, 52, 0, 0, 0],
      'LS-OLD': [7, 0, 7, 0, 0, 0],
      'LS-NEW': [45, 1, 29, 0, 15, 0],
    });
    const report = site.file('deactivated.request');
    const left = await old.refused('server', 'deactivate', '--request-out', report);
    assert.deepEqual([left.refused.code, left.refused['unissued']], ['holders-remain', 7]);
    const words = ['server', 'deactivate', '--return', '--request-out', report];
    assert.equal((await old.done<Status>(...words)).activation, 'deactivated');
    // The stick was lost: the same command writes the report again.
    rmSync(report);
    await old.done(...words);
    const answer = await carry(site, report, 'deactivated');
    const closed = await old.done<Status>('server', 'deactivate', '--response', answer);
    assert.equal(closed.activation, 'deactivated');
    await expect({
      clearinghouse: [100, 55, 45, 0, 0, 0],
      'LS-OLD': noCals,
      'LS-NEW': [45, 1, 29, 0, 15, 0],
    });
  });

  it('in the end every device holds exactly one CAL, the one it had, and can prove it offline', async () => {
    const { site, old, next, holders } = scene;
    const first: License | undefined = holders.get('ws-1');
    assert.equal((await askPermanent(next.address, 'ws-1')).origin, first?.origin);
    await expectOneEach(site, { holders, where: next, servers: [old, next] });
    await expect({
      clearinghouse: [100, 55, 45, 0, 0, 0],
      'LS-OLD': noCals,
      'LS-NEW': [45, 16, 29, 0, 0, 0],
    });
    for (const machine of [old, next, site.clearinghouse]) await machine.stop();
  });
});
