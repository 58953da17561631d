/**
 * The ten steps of the source document by telephone alone: the license servers know no clearinghouse,
 * and codes go from one command to the next as a voice would carry them.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import type { DeskAnswer, Installed, License, Status, Told } from './answers.ts';
import type { Holders } from './devices.ts';
import {
  arrive,
  arriveByCommand,
  ask,
  askPermanent,
  expectOneEach,
  holdersOf,
  populate,
  requestWords,
} from './devices.ts';
import type { Refused } from './program.ts';
import type { Books, Machine, Site } from './site.ts';
import { agreement, cals, expectBooks, openSite, readBooks } from './site.ts';

const groups = /^(?:[0-9A-Z]{5}-){6}[0-9A-Z]{5}$/;
const digitGroups = /^(?:\d{6}-){8}\d{6}$/;

/** As somebody types it who does not care for capitals and hyphens. */
const carelessly = (code: string): string => code.toLowerCase().replaceAll('-', ' ');

/** The code to be read out now. */
function readOut(answer: DeskAnswer, kind: string): string {
  assert.match(answer.code ?? '', groups);
  assert.match(answer.digits ?? '', digitGroups);
  assert.deepEqual(
    answer.codes.map((each) => [each.code, each.kind]),
    [[answer.code, kind]],
  );
  assert.equal(answer.spelled?.length, 7);
  assert.notEqual(answer.next, '');
  return answer.code ?? '';
}

/** The same for a code of a license server. */
function told(answer: Told, kind: string, amounts: readonly [unissued: number, held: number]): string {
  assert.match(answer.code, groups);
  assert.match(answer.digits, digitGroups);
  assert.deepEqual([answer.kind, answer.unissued, answer.held], [kind, ...amounts]);
  return answer.code;
}

interface Scene {
  readonly site: Site;
  readonly old: Machine;
  readonly oldId: string;
  next: Machine;
  nextId: string;
  /** What the 15 devices got from LS-OLD, and later the one that came to LS-NEW first. */
  readonly holders: Holders;
}

/** The whole desk, asked for `agreementWords`. */
async function askDeskFor(scene: Scene, agreementWords: readonly string[]): Promise<readonly string[]> {
  const { clearinghouse } = scene.site;
  const caller = ['--server-id', scene.oldId];
  const ends = ['--from', scene.oldId, '--to', scene.oldId];
  const order = [...cals, '--quantity', '5'];
  const answers = await Promise.all([
    clearinghouse.refused('desk', 'activate', ...agreementWords, ...caller),
    clearinghouse.refused('desk', 'key-pack', ...agreementWords, ...caller, ...order),
    clearinghouse.refused('desk', 'move', ...agreementWords, ...ends, ...order, '--reason', 'replaced'),
    clearinghouse.refused('desk', 'repeat', ...agreementWords, ...caller),
    clearinghouse.refused('desk', 'horizon', ...agreementWords, ...caller),
  ]);
  assert.ok(answers.every(({ exit }) => exit === 1));
  return [...new Set(answers.map(({ refused }) => refused.code))];
}

/** One group typed wrong: the group as it is right, and the code with it wrong. */
function mistype(code: string, group: number): { readonly right: string; readonly typed: string } {
  const all = code.split('-');
  const right = all[group - 1] ?? '';
  const wrong = `${right.slice(0, 2)}${right[2] === '3' ? 'B' : '3'}${right.slice(3)}`;
  return { right, typed: all.with(group - 1, wrong).join('-') };
}

/** What the refusal of a mistyped code offers: the code again with the group repaired. */
function takeRepair(refused: Refused, mistyped: { right: string; typed: string }): string {
  assert.equal(refused.code, 'code-mistyped');
  const wrong = refused['groups'] as readonly {
    readonly group: number;
    readonly typed: string;
    readonly repairs: readonly { readonly text: string }[];
  }[];
  assert.equal(wrong.length, 1);
  const [{ group, typed, repairs } = { group: 0, typed: '', repairs: [] }] = wrong;
  assert.equal(mistyped.typed.split('-')[group - 1], typed);
  assert.equal(repairs.length, 5);
  const offered = repairs.find(({ text }) => text === mistyped.right);
  assert.ok(offered, `${mistyped.right} is among ${JSON.stringify(repairs)}`);
  return mistyped.typed
    .split('-')
    .with(group - 1, offered.text)
    .join('-');
}

/** Nothing of a license server ever came in: no message and no file, on any way. */
function expectNeverCalled(clearinghouse: Machine, metrics: string): void {
  assert.match(metrics, /route="\/v1\/desk\/confirm"/);
  assert.doesNotMatch(metrics, /route="\/v1\/(?:messages|answers)"/);
  const database = new DatabaseSync(join(clearinghouse.data, 'clearinghouse.db'), { readOnly: true });
  try {
    assert.deepEqual({ ...database.prepare('select count(*) as n from received_messages').get() }, { n: 0 });
    const methods = database.prepare('select distinct method from servers').all();
    assert.deepEqual(
      methods.map(({ method }) => method === 'automatic'),
      methods.map(() => false),
    );
  } finally {
    database.close();
  }
}

async function setTheScene(): Promise<Scene> {
  const site = await openSite(1000);
  await site.clearinghouse.serve();
  const old = await site.addServer('LS-OLD', '--kit', site.kit);
  await old.serve();
  const { licenseServerId: oldId } = await old.status();
  return { site, old, oldId, next: old, nextId: oldId, holders: new Map() };
}

/** The old license server as it has served for a year: 40 CALs by telephone, 15 of them issued. */
async function buildThePast({ site, old, oldId, holders }: Scene): Promise<void> {
  const { clearinghouse } = site;
  const caller = ['--agreement', agreement, '--server-id', oldId];
  const activation = await clearinghouse.done<DeskAnswer>('desk', 'activate', ...caller);
  const activated = await old.done<Status>(
    ...['server', 'activate', '--code', readOut(activation, 'activation')],
  );
  assert.deepEqual([activated.activation, activated.assurance], ['activated', 'slot']);
  const pack = await clearinghouse.done<DeskAnswer & { quantity: number; total: number }>(
    ...['desk', 'key-pack', ...caller, ...cals, '--quantity', '40'],
  );
  assert.deepEqual([pack.quantity, pack.total], [40, 40]);
  const code = carelessly(readOut(pack, 'key-pack'));
  const { added, installed } = await old.done<Installed>('server', 'install', '--code', code);
  assert.deepEqual([added, installed], [40, 40]);
  for (const each of await populate(site, old.address, { count: 15, byCommand: 3 })) holders.set(...each);
}

const settled: Books = { clearinghouse: [1000, 960, 40, 0, 0, 0], 'LS-OLD': [40, 15, 25, 0, 0, 0] };
const nothingYet = { ...settled, 'LS-NEW': [0, 0, 0, 0, 0, 0] };

describe('the ten steps by telephone', { concurrency: 1 }, () => {
  let scene: Scene;
  let packCode = '';
  let earlyBird: License;
  const servers = (): readonly Machine[] => [scene.old, scene.next];
  const expect = async (books: Books): Promise<void> => expectBooks(scene.site, servers(), books);

  before(async () => {
    scene = await setTheScene();
  });
  after(() => scene.site.close());

  it('an old license server: 40 CALs installed by telephone, 15 of them issued', async () => {
    await buildThePast(scene);
    await expectBooks(scene.site, [scene.old], settled);
  });

  it('the documents: without the agreement number nothing is given', async () => {
    assert.deepEqual(await askDeskFor(scene, []), ['agreement-missing']);
    // A horizon and codes that were given before are asked for by the server's own papers: it has none of these.
    const wrong = await askDeskFor(scene, ['--agreement', '9999999']);
    assert.deepEqual(wrong.toSorted(), ['agreement-unknown', 'not-activated']);
    const order = ['server', 'install', ...cals, '--quantity', '5'];
    assert.equal((await scene.old.refused(...order)).refused.code, 'agreement-missing');
    await expectBooks(scene.site, [scene.old], settled);
  });

  it('step 1: install Terminal Services Licensing on the target server', async () => {
    scene.next = await scene.site.addServer('LS-NEW', '--kit', scene.site.kit);
    await scene.next.serve();
    const status = await scene.next.status();
    scene.nextId = status.licenseServerId;
    assert.match(scene.nextId, groups);
    assert.notEqual(scene.nextId, scene.oldId);
    assert.deepEqual([status.activation, status.assurance, status.horizon], ['not-activated', 'none', null]);
    assert.deepEqual([status.kits, status.packs], [[agreement], []]);
    // Not activated, it gives temporary licenses only.
    const { status: http, body } = await ask(scene.next.address, 'ws-early');
    assert.deepEqual([http, body.kind, body.unit], [201, 'temporary', null]);
    await expect(nothingYet);
  });

  it('step 2: activate the license server', async () => {
    const wizard = await scene.next.done<{ licenseServerId: string; digits: string }>('server', 'activate');
    assert.equal(wizard.licenseServerId, scene.nextId);
    assert.match(wizard.digits, digitGroups);
    // The License Server ID is read in its digits, and typed in one piece.
    const caller = ['--agreement', agreement, '--server-id', wizard.digits.replaceAll('-', '')];
    const answer = await scene.site.clearinghouse.done<DeskAnswer>('desk', 'activate', ...caller);
    assert.equal(answer.codes[0]?.for, scene.nextId);
    const code = carelessly(readOut(answer, 'activation'));
    const wrong = await scene.old.refused('server', 'activate', '--code', code);
    assert.equal(wrong.refused.code, 'code-not-for-this-server');
    const status = await scene.next.done<Status>('server', 'activate', '--code', code);
    assert.deepEqual([status.activation, status.assurance], ['activated', 'slot']);
    assert.match(status.horizon ?? '', /^\d{4}-\d\d-\d\d$/);
    await expect(nothingYet);
  });

  it('step 3: the license server is there in the snap-in, activated and empty', async () => {
    const status = await scene.next.status();
    assert.deepEqual([status.name, status.activation, status.packs], ['LS-NEW', 'activated', []]);
    const page = await scene.next.page('server', 'status');
    for (const words of ['LS-NEW', scene.nextId, 'activated']) assert.ok(page.includes(words), page);
    await expect(nothingYet);
  });

  it('step 4: in the Installation method list, Telephone', async () => {
    const set = await scene.next.done<{ method: string }>('server', 'method', 'telephone');
    assert.equal(set.method, 'telephone');
    const { method, clearinghouseUrl } = await scene.next.status();
    assert.deepEqual([method, clearinghouseUrl], ['telephone', null]);
    await expect(nothingYet);
  });

  it('step 5: Install Licenses shows what to do, and installs nothing by itself', async () => {
    const page = await scene.next.page('server', 'install');
    assert.match(page, /Read this License Server ID to the clearinghouse/);
    assert.match(page, /calyx server install/);
    await expect(nothingYet);
  });

  it('step 6: the Obtain Client License Key Pack dialog has the License Server ID', async () => {
    const dialog = await scene.next.done<{ licenseServerId: string; digits: string; spelled: unknown[] }>(
      ...['server', 'install'],
    );
    assert.equal(dialog.licenseServerId, scene.nextId);
    assert.match(dialog.digits, digitGroups);
    assert.equal(dialog.spelled.length, 7);
    await expect(nothingYet);
  });

  it('step 7: the representative gives a new CAL Key Pack ID for the License Server ID', async () => {
    const { clearinghouse } = scene.site;
    const all = [...cals, '--quantity', 'all'];
    const ends = ['--from', carelessly(scene.oldId), '--to', scene.nextId, '--reason', 'replaced'];
    const started = await clearinghouse.done<DeskAnswer>(
      'desk',
      'move',
      '--agreement',
      agreement,
      ...ends,
      ...all,
    );
    assert.deepEqual([started.code, started.codes], [null, []]);
    const freeze = ['server', 'move', '--freeze', '--to', carelessly(scene.nextId), ...all];
    const frozen = await scene.old.done<Told>(...freeze);
    const code = told(frozen, 'frozen', [25, 15]);
    // The note was lost: the same command says the same code, and freezes no more.
    assert.equal((await scene.old.done<Told>(...freeze)).code, code);
    await expect({ ...nothingYet, 'LS-OLD': [40, 0, 0, 40, 0, 0] });
    const answer = await clearinghouse.done<DeskAnswer & Told>(
      'desk',
      'confirm',
      ...carelessly(code).split(' '),
    );
    assert.deepEqual([answer.kind, answer.unissued, answer.held], ['frozen', 25, 15]);
    packCode = readOut(answer, 'key-pack');
    assert.match(packCode, /^[67]/);
    await expect({
      clearinghouse: [1000, 960, 0, 40, 0, 0],
      'LS-OLD': [40, 0, 0, 40, 0, 0],
      'LS-NEW': [0, 0, 0, 0, 0, 0],
    });
  });

  it('step 7, meanwhile: holders are served at the old server, and no frozen CAL is given out', async () => {
    const { site, old, holders } = scene;
    for (const [device, first] of holders) {
      const license = await askPermanent(old.address, device);
      assert.deepEqual([license.status, license.origin], ['unchanged', first.origin], device);
    }
    const kept = await site.calyx.done<License>(...requestWords(site, old.address, 'ws-1'));
    assert.deepEqual([kept.status, kept.kind], ['unchanged', 'permanent']);
    const late = await ask(old.address, 'ws-late');
    assert.equal(late.body.kind, 'temporary');
    await expect({
      clearinghouse: [1000, 960, 0, 40, 0, 0],
      'LS-OLD': [40, 0, 0, 40, 0, 0],
      'LS-NEW': [0, 0, 0, 0, 0, 0],
    });
  });

  it('step 8: type the CAL Key Pack ID, at first with a mistake', async () => {
    const mistyped = mistype(packCode, 3);
    const before_ = await scene.next.status();
    const { exit, refused } = await scene.next.refused('server', 'install', '--code', mistyped.typed);
    assert.equal(exit, 1);
    const repaired = takeRepair(refused, mistyped);
    assert.equal(repaired, packCode);
    assert.deepEqual(await scene.next.status(), before_);
    packCode = repaired;
    await expect({
      clearinghouse: [1000, 960, 0, 40, 0, 0],
      'LS-OLD': [40, 0, 0, 40, 0, 0],
      'LS-NEW': [0, 0, 0, 0, 0, 0],
    });
  });

  it('step 9: the client access licenses were installed successfully', async () => {
    const page = await scene.next.page('server', 'install', '--code', carelessly(packCode), '--yes');
    assert.match(page, /The client access licenses were installed successfully/);
    const again = await scene.next.refused('server', 'install', '--code', packCode);
    const { code, added, installed } = again.refused;
    assert.deepEqual([again.exit, code, added, installed], [1, 'already-applied', 25, 25]);
    const elsewhere = await scene.old.refused('server', 'install', '--code', packCode);
    assert.match(elsewhere.refused.code, /^code-/);
    await expect({
      clearinghouse: [1000, 960, 0, 40, 0, 0],
      'LS-OLD': [40, 0, 0, 40, 0, 0],
      'LS-NEW': [25, 0, 25, 0, 0, 0],
    });
  });

  it('step 10, first: verify that the new license server is functioning correctly', async () => {
    const { site, next, holders } = scene;
    // A device that was never anywhere: the unissued CALs may be given out once they were tried.
    holders.set('ws-new', await arriveByCommand(site, next.address, 'ws-new'));
    // A holder of the old server asks with its token before the reserve is here.
    const first = holders.get('ws-1');
    earlyBird = await site.calyx.done<License>(...requestWords(site, next.address, 'ws-1'));
    assert.equal(earlyBird.origin, first?.origin);
    // Without its token it would be a new device here.
    const nameless = await ask(next.address, 'ws-2');
    assert.equal(nameless.body.kind, 'temporary');
    await expect({
      clearinghouse: [1000, 960, 0, 40, 0, 0],
      'LS-OLD': [40, 0, 0, 40, 0, 0],
      'LS-NEW': [25, 2, 23, 0, 0, 0],
    });
  });

  it('step 10: deactivate the old license server', async () => {
    const { old, next, oldId, nextId, site } = scene;
    const closed = await old.done<Told & { activation: string; codes: readonly Told[] }>(
      ...['server', 'deactivate', '--code-out'],
    );
    assert.deepEqual([closed.activation, closed.codes.length], ['deactivated', 1]);
    const code = told(closed, 'deactivated', [25, 15]);
    await expect({
      clearinghouse: [1000, 960, 0, 40, 0, 0],
      'LS-OLD': [0, 0, 0, 0, 0, 0],
      'LS-NEW': [25, 2, 23, 0, 0, 0],
    });
    // The representative takes it in by its digits, for the caller whose License Server ID it is.
    const answer = await site.clearinghouse.done<DeskAnswer & Told>(
      ...['desk', 'confirm', closed.digits, '--server-id', oldId],
    );
    assert.deepEqual([answer.kind, answer.unissued, answer.held], ['deactivated', 25, 15]);
    const held = readOut(answer, 'held-key-pack');
    assert.match(held, /^[89]/);
    assert.equal(answer.codes[0]?.for, nextId);
    // A second representative is read the same code, and gives the same answer.
    const again = await site.clearinghouse.done<DeskAnswer>('desk', 'confirm', code);
    assert.equal(again.code, held);
    assert.equal((await next.refused('server', 'install', '--code', held)).refused.code, 'source-needed');
    const from = ['--from', carelessly(oldId)];
    const digits = answer.digits ?? '';
    const { added, installed } = await next.done<Installed>('server', 'install', '--code', digits, ...from);
    assert.deepEqual([added, installed], [15, 40]);
    await expect({
      clearinghouse: [1000, 960, 40, 0, 0, 0],
      'LS-OLD': [0, 0, 0, 0, 0, 0],
      'LS-NEW': [40, 2, 24, 0, 14, 0],
    });
  });

  it('step 10, after it: the old license server gives out nothing more', async () => {
    const { old, site } = scene;
    assert.equal((await old.status()).activation, 'deactivated');
    assert.deepEqual(await holdersOf(old), []);
    const gone = await Promise.all(['ws-3', 'ws-stranger'].map((device) => ask(old.address, device)));
    assert.deepEqual(
      gone.map(({ status, body }) => [status, body.code]),
      [
        [409, 'license-moved'],
        [409, 'deactivated'],
      ],
    );
    const { refused } = await site.calyx.refused(...requestWords(site, old.address, 'ws-2'));
    assert.equal(refused.code, 'license-moved');
    const closed = await old.done<Told>('server', 'deactivate', '--code-out');
    assert.equal(closed.kind, 'deactivated');
    await expect({
      clearinghouse: [1000, 960, 40, 0, 0, 0],
      'LS-OLD': [0, 0, 0, 0, 0, 0],
      'LS-NEW': [40, 2, 24, 0, 14, 0],
    });
  });

  it('in the end every device holds exactly one CAL, the one it had, and can prove it offline', async () => {
    const { site, next, old, holders } = scene;
    const kept = await site.calyx.done<License>(...requestWords(site, next.address, 'ws-1'));
    assert.deepEqual([kept.status, kept.origin], ['unchanged', earlyBird.origin]);
    const came = await site.calyx.done<License>(...requestWords(site, next.address, 'ws-2'));
    assert.deepEqual([came.kind, came.origin], ['permanent', holders.get('ws-2')?.origin]);
    await expectOneEach(site, { holders, where: next, servers: [old, next] });
    await expect({
      clearinghouse: [1000, 960, 40, 0, 0, 0],
      'LS-OLD': [0, 0, 0, 0, 0, 0],
      'LS-NEW': [40, 16, 24, 0, 0, 0],
    });
    holders.set('ws-17', await arrive(next.address, 'ws-17'));
    const books = await readBooks(site, [next]);
    assert.deepEqual(books['LS-NEW'], [40, 17, 23, 0, 0, 0]);
  });

  it('all of that without a single message between the license servers and the clearinghouse', async () => {
    const { site, old, next } = scene;
    for (const server of [old, next]) {
      const { clearinghouseUrl, lastContactAt } = await server.status();
      assert.deepEqual([clearinghouseUrl, lastContactAt], [null, null], server.name);
    }
    const metrics = await fetch(`${site.clearinghouse.address}/metrics`);
    expectNeverCalled(site.clearinghouse, await metrics.text());
    for (const machine of [old, next, site.clearinghouse]) await machine.stop();
    await expect({
      clearinghouse: [1000, 960, 40, 0, 0, 0],
      'LS-OLD': [0, 0, 0, 0, 0, 0],
      'LS-NEW': [40, 17, 23, 0, 0, 0],
    });
  });
});
