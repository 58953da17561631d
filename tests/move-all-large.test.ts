/**
 * A license server with more CALs of a product than one move brings, on real processes: what is refused, in which words,
 * and `server move --all`, which moves it all by itself (protocol §3.4).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Move as AnyMove, Status } from './ten-steps/answers.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, cals, openSite } from './ten-steps/site.ts';

type Move = AnyMove & { readonly quantity: number | 'all' };

const most = 65_535;
const total = most + 2000;

let site: Site;
let old: Machine;
let next: Machine;

/** A page in one line, wherever it was broken. */
const flat = (page: string): string => page.replaceAll(/\s+/g, ' ');

const installed = async (machine: Machine): Promise<readonly number[]> =>
  (await machine.status()).packs.map((pack) => pack.installed);

before(async () => {
  site = await openSite(200_000);
  const url = await site.clearinghouse.serve();
  [old, next] = await Promise.all([
    site.addServer('LS-OLD', '--clearinghouse', url),
    site.addServer('LS-NEW', '--clearinghouse', url),
  ]);
  await Promise.all([old.serve(), next.serve()]);
  for (const server of [old, next]) await server.done('server', 'activate', '--agreement', agreement);
  for (const quantity of [most, total - most]) {
    const order = ['--agreement', agreement, ...cals, '--quantity', String(quantity)];
    await old.done('server', 'install', ...order);
  }
});

after(() => site.close());

describe('more CALs than one move brings', { concurrency: 1 }, () => {
  it('are refused before anything is frozen, in words that say how they are moved', async () => {
    const words = ['server', 'move', '--to', next.address, '--agreement', agreement, ...cals];
    for (const more of [[], ['--dry-run'], ['--freeze']]) {
      const { exit, refused } = await old.refused(...words, '--quantity', 'all', ...more);
      assert.deepEqual(
        [exit, refused.code, refused['asked'], refused['most']],
        [1, 'move-too-large', total, most],
      );
      assert.match(refused.message, /Nothing was frozen/);
      assert.match(String(refused['next']), /--quantity 65535, and again/);
    }
    const [{ licenseServerId: from }, { licenseServerId: to }] = [await old.status(), await next.status()];
    const desk = ['desk', 'move', '--from', from, '--to', to, '--agreement', agreement, ...cals];
    const asked = ['--quantity', 'all', '--reason', 'replaced'];
    assert.ok(await site.clearinghouse.done('desk', 'move', ...desk.slice(2), ...asked, '--dry-run'));
    assert.deepEqual(
      (await old.status()).packs.map(({ held }) => held),
      [0],
    );
  });

  it('all move in one command, by several moves, and the server is deactivated', async () => {
    const words = ['server', 'move', '--to', next.address, '--all'];
    const rehearsed = await old.done<{ moves: readonly Move[] }>(...words, '--dry-run');
    assert.deepEqual(
      rehearsed.moves.map(({ quantity }) => quantity),
      [most],
    );
    assert.match(
      flat(await old.page(...words, '--dry-run')),
      /65535 of .* go with this move, and the others by further moves/,
    );
    const done = await old.done<Status & { moved: number; moves: readonly Move[] }>(...words, '--deactivate');
    assert.deepEqual([done.moved, done.activation], [total, 'deactivated']);
    assert.deepEqual(
      done.moves.map(({ quantity, state }) => [quantity, state]),
      [
        [most, 'closed'],
        ['all', 'closed'],
      ],
    );
    assert.deepEqual([await installed(old), await installed(next)], [[0], [total]]);
  });

  it('freeze in parts by telephone, and the page says how it goes on', async () => {
    const { licenseServerId: to } = await old.status();
    const words = ['server', 'move', '--to', to, '--all', '--freeze'];
    const { unissued } = await next.done<{ unissued: number }>(...words);
    assert.equal(unissued, most);
    const page = flat(await next.page(...words));
    assert.match(
      page,
      /65535 of .* go with this move.*Give this command again then.*server move .*--release/,
    );
  });
});
