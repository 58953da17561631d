/**
 * A license server that is killed in the middle of a move, with real processes: what was on trial on the target is
 * the target's when the horizon has passed, and what was left comes after it (protocol §2.5).
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { until } from './in-time.ts';
import type { License, Status } from './ten-steps/answers.ts';
import { arrive, ask, askPermanent } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { addPair, agreement, cals, expectBooks, openSite, readBooks } from './ten-steps/site.ts';

interface DeskMove {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly awaited: { readonly from: string; readonly text: string };
  readonly deadSource: { readonly horizon: string; readonly opensAt: string } | null;
}

describe('a license server that is killed in the middle of a move', () => {
  let site: Site;
  let old: Machine;
  let next: Machine;
  let oldId = '';
  let held: License;

  before(async () => {
    site = await openSite(100, { clock: true });
    ({ old, next } = await addPair(site, 20));
    held = await arrive(old.address, 'pc-1');
    oldId = (await old.status()).licenseServerId;
  });
  after(() => site.close());

  const deskMoves = async (): Promise<readonly DeskMove[]> =>
    (await site.clearinghouse.done<{ items: readonly DeskMove[] }>('desk', 'moves')).items;
  const deskMove = async (reason: string): Promise<DeskMove> => {
    const move = (await deskMoves()).find((each) => each.reason === reason);
    assert.ok(move, reason);
    return move;
  };

  it('can be declared dead, and the desk says how the move will end', async () => {
    const { licenseServerId } = await next.status();
    const order = ['--to', licenseServerId, '--agreement', agreement, ...cals, '--quantity', '20', '--hold'];
    await old.done('server', 'move', ...order);
    await until('the target has them on trial', async () =>
      (await deskMoves())[0]?.state === 'installed' ? true : undefined,
    );
    await old.kill();
    rmSync(old.data, { recursive: true });
    const declared = await next.done<{ state: string }>(
      ...['server', 'move', '--from', oldId, '--reason', 'dead', '--agreement', agreement, ...cals],
      ...['--quantity', 'all', '--statement', 'Ann Lee: the machine burnt down'],
    );
    assert.equal(declared.state, 'dead-wait');
    const { deadSource } = await deskMove('dead');
    const { state, awaited } = await deskMove('replaced');
    assert.equal(state, 'installed');
    assert.match(awaited.text, new RegExp(`source was declared.*${deadSource?.horizon.slice(0, 10)}`));
    assert.deepEqual((await readBooks(site, [next])).clearinghouse, [100, 80, 0, 20, 0, 0]);
    const { body } = await ask(next.address, 'pc-1', held);
    assert.deepEqual([body.kind, body.origin], ['permanent', held.origin]);
  });

  it('leaves everything to the target when its horizon has passed, and no move is open', async () => {
    const { deadSource } = await deskMove('dead');
    site.setClock(Date.parse(deadSource?.horizon ?? '') + 60_000);
    await until('both moves are over', async () => {
      const moves = await deskMoves();
      return moves.every(({ awaited }) => awaited.from === 'nobody') ? true : undefined;
    });
    assert.equal((await deskMove('replaced')).state, 'closed');
    await expectBooks(site, [next], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-NEW': [20, 1, 19, 0, 0, 0],
    });
    await until('the target knows it', async () => {
      const { items } = await next.done<{ items: readonly { state: string }[] }>(
        'server',
        'move',
        '--status',
      );
      return items.every(({ state }) => ['closed', 'undone'].includes(state)) ? true : undefined;
    });
  });

  it('has no CAL fewer for it, and the holder keeps its own', async () => {
    const { deadSource } = await deskMove('dead');
    site.setClock(Date.parse(deadSource?.opensAt ?? '') + 60_000);
    const own = await askPermanent(next.address, 'pc-1');
    assert.equal(own.origin, held.origin);
    await expectBooks(site, [next], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-NEW': [20, 1, 19, 0, 0, 0],
    });
    const { packs } = await next.get<Status>('/v1/admin/status');
    assert.equal(packs[0]?.installed, 20);
  });
});
