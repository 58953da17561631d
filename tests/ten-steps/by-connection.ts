/**
 * The same steps by automatic connection: one command for each act, also where it is interrupted, held
 * back, killed, or given to a source that does not run as a service.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../in-time.ts';
import type { Installed, License, Move, Rehearsed, Status } from './answers.ts';
import type { Holders } from './devices.ts';
import { arrive, ask, askPermanent, expectOneEach, holdersOf, populate } from './devices.ts';
import type { Books, Machine, Site } from './site.ts';
import { agreement, cals, expectBooks, openSite } from './site.ts';

/** Whether a rehearsal has reached its target, where, and how that address was known. */
const reachOf = (move: Rehearsed | undefined): readonly unknown[] => [
  ...[move?.target.reached, move?.target.url, move?.target.knownFrom],
];

interface Scene {
  readonly site: Site;
  readonly old: Machine;
  readonly next: Machine;
  readonly holders: Holders;
}

async function setTheScene(): Promise<Scene> {
  const site = await openSite(100);
  const url = await site.clearinghouse.serve();
  const [old, next] = await Promise.all([
    // One is told the address when it is made, the other later.
    site.addServer('LS-OLD'),
    site.addServer('LS-NEW', '--clearinghouse', url),
  ]);
  await Promise.all([old.serve(), next.serve()]);
  return { site, old, next, holders: new Map() };
}

const moveWords = (to: string, quantity: number | 'all', ...more: readonly string[]): readonly string[] => [
  ...['server', 'move', '--to', to, '--agreement', agreement, ...cals, '--quantity', String(quantity)],
  ...more,
];

/**
 * Holders ask the source all the time, as their hosts would, and once it says that their license has
 * moved they ask the target: nobody may be without an answer, or get another CAL than the own.
 */
function askAllTheTime(holders: Holders, ends: { readonly from: string; readonly to: string }) {
  let over = false;
  let asked = 0;
  const one = async ([device, first]: [string, License]): Promise<void> => {
    const { status, body } = await ask(ends.from, device);
    asked += 1;
    if (status !== 200) assert.equal(body.code, 'license-moved', JSON.stringify(body));
    const license = status === 200 ? body : await askPermanent(ends.to, device);
    assert.deepEqual([license.kind, license.origin], ['permanent', first.origin], device);
  };
  const running = (async (): Promise<number> => {
    while (!over) await Promise.all([...holders].map(one));
    return asked;
  })();
  running.catch(() => undefined);
  return async (): Promise<number> => {
    over = true;
    return running;
  };
}

/** A moment in the life of the newest move, as the clearinghouse sees it. */
async function moveReaches(clearinghouse: Machine, states: readonly string[]): Promise<string> {
  return until(`a move that is ${states.join(' or ')}`, async () => {
    const { items } = await clearinghouse.get<{ items: readonly Move[] }>('/v1/desk/moves?limit=100');
    return items.map(({ state }) => state).find((state) => states.includes(state));
  });
}

/** Gives a command and kills its process once `moment` has come. */
async function killAt(
  machine: Machine,
  words: readonly string[],
  moment: () => Promise<unknown>,
): Promise<void> {
  const started = machine.begin(...words);
  await moment();
  started.child.kill('SIGKILL');
  const { exit, stdout } = await started.ended;
  assert.deepEqual([exit, stdout], [null, ''], 'it was killed before it had anything to say');
}

const noCals = [0, 0, 0, 0, 0, 0];

describe('the ten steps by automatic connection', { concurrency: 1 }, () => {
  let scene: Scene;
  const expect = async (books: Books): Promise<void> =>
    expectBooks(scene.site, [scene.old, scene.next], books);

  before(async () => {
    scene = await setTheScene();
  });
  after(() => scene.site.close());

  it('steps 1 to 4: both servers are activated by connection', async () => {
    const { site, old, next } = scene;
    const nameless = await next.refused('server', 'activate');
    assert.equal(nameless.refused.code, 'agreement-missing');
    const unknown = await next.refused('server', 'activate', '--agreement', '9999999');
    assert.equal(unknown.refused.code, 'agreement-unknown');
    const url = site.clearinghouse.address;
    const set = await old.done<Status>('server', 'method', 'automatic', '--clearinghouse', url);
    assert.deepEqual([set.method, set.clearinghouseUrl], ['automatic', url]);
    for (const server of [old, next]) {
      const status = await server.done<Status>('server', 'activate', '--agreement', agreement);
      assert.deepEqual([status.activation, status.assurance], ['activated', 'key'], server.name);
    }
    await expect({ clearinghouse: [100, 100, 0, 0, 0, 0], 'LS-OLD': noCals, 'LS-NEW': noCals });
  });

  it('steps 5 to 9: one command installs 40 CALs', async () => {
    const { old, site, holders } = scene;
    const order = ['server', 'install', '--agreement', agreement, ...cals, '--quantity'];
    const { added, installed } = await old.done<Installed>(...order, '40');
    assert.deepEqual([added, installed], [40, 40]);
    const greedy = await old.refused(...order, '61');
    const { code, asked, inHand, entitled } = greedy.refused;
    assert.deepEqual([greedy.exit, code], [1, 'quantity-above-agreement']);
    assert.deepEqual([asked, inHand, entitled], [61, 60, 100]);
    for (const each of await populate(site, old.address, { count: 6, byCommand: 1 })) holders.set(...each);
    await expect({ clearinghouse: [100, 60, 40, 0, 0, 0], 'LS-OLD': [40, 6, 34, 0, 0, 0], 'LS-NEW': noCals });
  });

  it('the rehearsal of a move asks all three, tells what it comes to, and changes nothing', async () => {
    const { old, next } = scene;
    const words = moveWords(next.address, 'all', '--dry-run');
    const { dryRun, moves } = await old.done<{ dryRun: boolean; moves: readonly Rehearsed[] }>(...words);
    const [move] = moves;
    assert.deepEqual([dryRun, moves.length, move?.unissued, move?.held, move?.asks], [true, 1, 34, 6, []]);
    const after = { inHand: 60, source: 0, target: 40, inTransit: 0, quarantined: 0 };
    assert.deepEqual(move?.clearinghouse.books?.after, after);
    assert.deepEqual(reachOf(move), [true, next.address, 'command']);
    const page = await old.page(...words);
    for (const said of [
      'nothing was changed',
      '34 unissued, 6 with holders',
      'In transit',
      'Horizon',
      'Versions',
    ]) {
      assert.ok(page.includes(said), page);
    }
    const much = await old.refused(...moveWords(next.address, 41, '--dry-run'));
    assert.equal(much.refused.code, 'move-more-than-there-is');
    await expect({ clearinghouse: [100, 60, 40, 0, 0, 0], 'LS-OLD': [40, 6, 34, 0, 0, 0], 'LS-NEW': noCals });
    assert.deepEqual((await old.done<{ items: readonly Move[] }>('server', 'move', '--status')).items, []);
  });

  it('the rehearsal by ID alone says that no address of the target is known, and when it was heard', async () => {
    const { old, next } = scene;
    const words = moveWords((await next.status()).licenseServerId, 'all', '--dry-run');
    const [move] = (await old.done<{ moves: readonly Rehearsed[] }>(...words)).moves;
    assert.deepEqual(reachOf(move), [false, null, null]);
    assert.match(move?.target.lastContactAt ?? '', /^20\d\d-\d\d-\d\dT/);
    const page = (await old.page(...words)).replaceAll(/\s+/g, ' ');
    assert.match(
      page,
      /Target: not asked: no address of it is known here or at the clearinghouse; .* heard of it last/,
    );
  });

  it('one command moves everything, and every holder is served at every moment', async () => {
    const { old, next, holders } = scene;
    const stop = askAllTheTime(holders, { from: old.address, to: next.address });
    const moved = await old.done<Move>(...moveWords(next.address, 'all'));
    assert.deepEqual([moved.state, moved.unissued, moved.held, moved.moved], ['closed', 34, 6, 40]);
    assert.ok((await stop()) >= holders.size);
    for (const [device, first] of holders) {
      assert.equal((await askPermanent(next.address, device)).origin, first.origin, device);
    }
    await expect({ clearinghouse: [100, 60, 40, 0, 0, 0], 'LS-OLD': noCals, 'LS-NEW': [40, 6, 34, 0, 0, 0] });
    const empty = await old.refused(...moveWords(next.address, 1));
    assert.equal(empty.refused.code, 'move-more-than-there-is');
  });

  it('--hold stops before the commit: the target is tried, and the same command finishes the move', async () => {
    const { old, next, holders } = scene;
    const held = await next.done<Move>(...moveWords(old.address, 36, '--hold'));
    assert.deepEqual([held.state, held.unissued, held.held, held.moved], ['frozen', 34, 2, 0]);
    await until(
      'the target has its CALs',
      async () => (await old.get<Status>('/v1/admin/status')).packs[0]?.unissued === 34 || undefined,
    );
    // The target gives out what nobody had; the holders of the source may stay, or come already.
    holders.set('ws-new', await arrive(old.address, 'ws-new'));
    for (const [device, first] of holders) {
      const where = device === 'ws-new' ? old : next;
      assert.equal((await askPermanent(where.address, device)).origin, first.origin, device);
    }
    await expect({
      clearinghouse: [100, 60, 4, 36, 0, 0],
      'LS-OLD': [36, 1, 33, 0, 2, 0],
      'LS-NEW': [40, 4, 0, 36, 0, 0],
    });
    const again = await next.done<Move>(...moveWords(old.address, 36, '--hold'));
    assert.deepEqual([again.id, again.state, again.moved], [held.id, 'frozen', 0]);
    const other = await next.refused(...moveWords(old.address, 4));
    assert.equal(other.refused.code, 'move-open');
    const moved = await next.done<Move>(...moveWords(old.address, 36));
    assert.deepEqual([moved.id, moved.state, moved.moved], [held.id, 'closed', 36]);
    await expect({
      clearinghouse: [100, 60, 40, 0, 0, 0],
      'LS-OLD': [36, 1, 33, 0, 2, 0],
      'LS-NEW': [4, 4, 0, 0, 0, 0],
    });
    assert.equal((await holdersOf(next)).length, 4);
  });

  it('--undo brings the CALs of an open move back, and says how when it is too late', async () => {
    const { old, next } = scene;
    const before = {
      clearinghouse: [100, 60, 40, 0, 0, 0],
      'LS-OLD': [36, 1, 33, 0, 2, 0],
      'LS-NEW': [4, 4, 0, 0, 0, 0],
    } as const;
    const held = await old.done<Move>(...moveWords(next.address, 10, '--hold'));
    await until(
      'the target has its CALs',
      async () => (await next.get<Status>('/v1/admin/status')).packs[0]?.unissued === 10 || undefined,
    );
    const undone = await old.done<Move>('server', 'move', '--undo');
    assert.deepEqual([undone.id, undone.state], [held.id, 'undone']);
    await expect(before);
    const again = await old.done<Move>('server', 'move', '--undo', held.id);
    assert.deepEqual([again.id, again.state], [held.id, 'undone']);
    const { items } = await next.done<{ items: readonly Move[] }>('server', 'move', '--status');
    const gone = items.findLast(({ state }) => state === 'closed');
    const late = await next.refused('server', 'move', '--undo', gone?.id ?? '');
    const { code, message } = late.refused;
    assert.deepEqual([late.exit, code], [1, 'undo-too-late'], String(message));
    const { licenseServerId: back } = await next.status();
    assert.equal(late.refused['source'], back);
    assert.match(
      String(late.refused['next']),
      new RegExp(`^Move them back\\. On .*: calyx server move --to ${back}`),
    );
    await expect(before);
  });

  it('the source need not run: the command does its part and the target’s service the other', async () => {
    const { old, next, holders } = scene;
    const { licenseServerId: to } = await next.status();
    const rehearsed = async (): Promise<readonly unknown[]> => {
      const words = moveWords(to, 'all', '--dry-run');
      return reachOf((await old.done<{ moves: readonly Rehearsed[] }>(...words)).moves[0]);
    };
    // By its ID alone it is looked for where it was before.
    const { address } = next;
    assert.deepEqual(await rehearsed(), [true, address, 'here']);
    await next.stop();
    assert.deepEqual(await rehearsed(), [false, address, 'here']);
    const moved = await next.done<Move>(...moveWords(old.address, 'all'));
    assert.deepEqual([moved.state, moved.unissued, moved.held, moved.moved], ['closed', 0, 4, 4]);
    await expect({ clearinghouse: [100, 60, 40, 0, 0, 0], 'LS-OLD': [40, 1, 33, 0, 6, 0], 'LS-NEW': noCals });
    for (const [device, first] of holders) {
      assert.equal((await askPermanent(old.address, device)).origin, first.origin, device);
    }
    await expect({ clearinghouse: [100, 60, 40, 0, 0, 0], 'LS-OLD': [40, 7, 33, 0, 0, 0], 'LS-NEW': noCals });
  });

  it('the command is killed (kill -9) while the source serves: the same command ends the same move', async () => {
    const { site, old, next } = scene;
    const { licenseServerId: to } = await next.status();
    // The target is away, so that the move cannot end before the kill.
    await killAt(old, moveWords(to, 10), () => moveReaches(site.clearinghouse, ['granted']));
    const waiting = await old.refused(...moveWords(to, 10, '--wait', '1'));
    assert.deepEqual([waiting.exit, waiting.refused.code], [1, 'answer-pending']);
    await expect({
      clearinghouse: [100, 60, 30, 10, 0, 0],
      'LS-OLD': [40, 7, 23, 10, 0, 0],
      'LS-NEW': noCals,
    });
    await next.serve();
    const moved = await old.done<Move>(...moveWords(to, 10));
    assert.deepEqual([moved.state, moved.moved], ['closed', 10]);
    await expect({
      clearinghouse: [100, 60, 40, 0, 0, 0],
      'LS-OLD': [30, 7, 23, 0, 0, 0],
      'LS-NEW': [10, 0, 10, 0, 0, 0],
    });
  });

  it('the same where the killed command was the source itself, twice', async () => {
    const { site, old, next } = scene;
    await Promise.all([old.stop(), next.stop()]);
    const { licenseServerId: to } = await next.status();
    const words = moveWords(to, 'all');
    const { clearinghouse } = site;
    await killAt(old, words, () => moveReaches(clearinghouse, ['reserved', 'frozen', 'granted']));
    await killAt(old, words, () => moveReaches(clearinghouse, ['granted']));
    await next.serve();
    const moved = await old.done<Move>(...words);
    assert.deepEqual([moved.state, moved.moved], ['closed', 30]);
    await expect({ clearinghouse: [100, 60, 40, 0, 0, 0], 'LS-OLD': noCals, 'LS-NEW': [40, 0, 33, 0, 7, 0] });
  });

  it('step 10: deactivate the old license server', async () => {
    const { old, next, site } = scene;
    await old.serve();
    const closed = await old.done<{ activation: string }>('server', 'deactivate');
    assert.equal(closed.activation, 'deactivated');
    // Told twice it is still closed, and the clearinghouse knows.
    await old.done('server', 'deactivate');
    assert.equal((await old.status()).activation, 'deactivated');
    const refused = await ask(old.address, 'ws-1');
    assert.deepEqual([refused.status, refused.body.code], [409, 'license-moved']);
    const back = await next.refused(...moveWords(old.address, 1));
    assert.deepEqual([back.exit, back.refused.code], [1, 'server-closed']);
    // The measure of "never called" in the walk by telephone can tell the difference.
    const metrics = await fetch(`${site.clearinghouse.address}/metrics`);
    assert.match(await metrics.text(), /route="\/v1\/messages"/);
  });

  it('in the end every device holds exactly one CAL, the one it had, and can prove it offline', async () => {
    const { site, old, next, holders } = scene;
    await expectOneEach(site, { holders, where: next, servers: [old, next] });
    await expect({ clearinghouse: [100, 60, 40, 0, 0, 0], 'LS-OLD': noCals, 'LS-NEW': [40, 7, 33, 0, 0, 0] });
    for (const machine of [old, next, site.clearinghouse]) await machine.stop();
  });
});
