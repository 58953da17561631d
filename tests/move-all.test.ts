/**
 * Every key pack of a license server in one command, on real processes: killed anywhere and given again it
 * goes on to the same end, which is a source without CALs that is deactivated.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from './in-time.ts';
import type { Move, Status } from './ten-steps/answers.ts';
import { arrive, askPermanent } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, cals, openSite, product } from './ten-steps/site.ts';

interface Report {
  readonly verdict: string;
  readonly missing: readonly string[];
  readonly findings: readonly unknown[];
}

const users: readonly string[] = ['--product', product, '--type', 'user'];
const second = '7000001';

let site: Site;
let old: Machine;
let next: Machine;

async function buy(number: string, line: readonly string[], quantity: string): Promise<void> {
  const paper = ['--number', number, '--program', 'select', '--customer', 'Contoso', '--quantity', quantity];
  await site.clearinghouse.done('clearinghouse', 'agreement', 'add', ...paper, ...line);
}

/** Installed, issued, unissued, held and reserved, of each line that has any. */
async function packsOf(machine: Machine): Promise<readonly (readonly (string | number)[])[]> {
  const { packs } = await machine.status();
  return packs
    .map((pack) => [
      ...[`${pack.agreement}/${pack.type}`, pack.installed, pack.issued, pack.unissued, pack.held],
      pack.reserved,
    ])
    .sort();
}

async function deskStates(): Promise<readonly string[]> {
  const { items } = await site.clearinghouse.get<{ items: readonly Move[] }>('/v1/desk/moves?limit=100');
  return items.map(({ state }) => state).sort();
}

before(async () => {
  site = await openSite(100);
  await buy(agreement, users, '30');
  await buy(second, cals, '20');
  const url = await site.clearinghouse.serve();
  [old, next] = await Promise.all([
    site.addServer('LS-OLD', '--clearinghouse', url),
    site.addServer('LS-NEW', '--clearinghouse', url),
  ]);
  await Promise.all([old.serve(), next.serve()]);
  for (const server of [old, next]) {
    for (const number of [agreement, second]) {
      await server.done('server', 'activate', '--agreement', number);
    }
  }
  for (const [number, line, quantity] of [
    [agreement, cals, '40'],
    [agreement, users, '12'],
    [second, cals, '7'],
  ] as const) {
    await old.done('server', 'install', '--agreement', number, ...line, '--quantity', quantity);
  }
  await next.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '3');
});

after(() => site.close());

describe('server move --all', { concurrency: 1 }, () => {
  it('says what it does not take before anything is started', async () => {
    const all = ['server', 'move', '--to', next.address, '--all'];
    for (const words of [
      [...all, ...cals],
      [...all, '--quantity', '3'],
      [...all, '--hold', '--deactivate'],
      [...all, '--freeze', '--deactivate'],
      ['server', 'move', '--all'],
      ['server', 'move', '--to', next.address, ...cals, '--quantity', '3', '--deactivate'],
    ]) {
      const { exit } = await old.begin(...words).ended;
      assert.equal(exit, 2, words.join(' '));
    }
    assert.deepEqual(await deskStates(), []);
  });

  it('killed in the middle (kill -9), the source as well, and given again it comes to the same end', async () => {
    const first = await arrive(old.address, 'ws-1');
    const words = ['server', 'move', '--to', next.address, '--all', '--deactivate'];
    const { licenseServerId: to } = await next.status();
    // The target is away, so that no move can end before the kill.
    await next.stop();
    const byId = words.with(3, to);
    const killed = old.begin(...byId);
    await until('the moves are granted', async () => (await deskStates()).includes('granted') || undefined);
    killed.child.kill('SIGKILL');
    assert.equal((await killed.ended).exit, null);
    await old.kill();
    const waiting = await old.refused(...byId, '--wait', '1');
    assert.deepEqual([waiting.exit, waiting.refused.code], [1, 'answer-pending']);
    assert.match(String(waiting.refused['command']), / --all --deactivate$/);
    await next.serve();
    const again = old.begin(...words.with(3, next.address));
    await until('one of them is over', async () => (await deskStates()).includes('closed') || undefined);
    again.child.kill('SIGKILL');
    await again.ended;
    await old.serve();
    const done = await old.done<Status & { moved: number }>(...words.with(3, next.address));
    assert.equal(done.activation, 'deactivated');
    assert.deepEqual(await deskStates(), ['closed', 'closed', 'closed']);
    assert.deepEqual(await packsOf(old), [
      [`${agreement}/device`, 0, 0, 0, 0, 0],
      [`${agreement}/user`, 0, 0, 0, 0, 0],
      [`${second}/device`, 0, 0, 0, 0, 0],
    ]);
    assert.deepEqual(await packsOf(next), [
      [`${agreement}/device`, 43, 0, 42, 0, 1],
      [`${agreement}/user`, 12, 0, 12, 0, 0],
      [`${second}/device`, 7, 0, 7, 0, 0],
    ]);
    assert.equal((await askPermanent(next.address, 'ws-1')).origin, first.origin);
    const once = await old.done<Status & { moved: number }>(...words.with(3, next.address));
    assert.deepEqual([once.activation, once.moved], ['deactivated', 0]);
    assert.equal((await deskStates()).length, 3);
    // The source stated all of them before it was closed, and nothing is lost by any.
    const { items } = await site.clearinghouse.done<{ items: readonly Move[] }>('desk', 'moves');
    for (const { id } of items) {
      const report = await until('the target has stated it', async () => {
        const found = await site.clearinghouse.done<Report>('move', 'report', id);
        return found.missing.length === 0 ? found : undefined;
      });
      assert.deepEqual([report.verdict, report.findings], ['ok', []]);
    }
  });

  it('back again without deactivating, one agreement first and then the rest', async () => {
    await old.done('server', 'activate', '--agreement', agreement);
    await old.done('server', 'activate', '--agreement', second);
    const words = ['server', 'move', '--to', old.address, '--all'];
    const one = await next.done<{ moves: readonly Move[]; moved: number }>(...words, '--agreement', second);
    assert.deepEqual([one.moves.length, one.moved], [1, 7]);
    const held = await next.done<{ moves: readonly Move[]; moved: number }>(...words, '--hold');
    assert.deepEqual([held.moves.map(({ state }) => state), held.moved], [['frozen', 'frozen'], 0]);
    const rest = await next.done<{ moves: readonly Move[]; moved: number; reports: readonly Report[] }>(
      ...words,
    );
    assert.deepEqual(
      rest.reports.map(({ verdict, missing }) => [verdict, missing]),
      rest.moves.map(() => ['ok', []]),
    );
    assert.deepEqual(
      [rest.moves.map(({ id }) => id).sort(), rest.moved],
      [held.moves.map(({ id }) => id).sort(), 55],
    );
    assert.deepEqual(await packsOf(next), [
      [`${agreement}/device`, 0, 0, 0, 0, 0],
      [`${agreement}/user`, 0, 0, 0, 0, 0],
      [`${second}/device`, 0, 0, 0, 0, 0],
    ]);
    const nothing = await next.refused(...words);
    assert.equal(nothing.refused.code, 'move-more-than-there-is');
  });
});
