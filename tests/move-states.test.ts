/**
 * Every state of a move as people are shown it (docs/moves.md, "What is awaited, and from whom"): at the desk, and in
 * the lists of both ends, with whom something is awaited from.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { showMove } from '../src/clearinghouse/usecases/desk-moves.ts';
import type { OpenServer } from '../src/server/app.ts';
import { listMoves } from '../src/server/usecases/start-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { undoMove } from '../src/server/usecases/undo-move.ts';
import * as acts from './world/acts.ts';
import type { Pair } from './world/dead.ts';
import { assertAll, closeWorlds, declare, line, pair } from './world/dead.ts';
import { value } from './world/world.ts';

after(closeWorlds);

const shown = (move: { readonly state: string; readonly awaited: { readonly from: string } } | undefined) =>
  move === undefined ? '-' : `${move.state}: ${move.awaited.from}`;

/** At the desk, on the source and on the target. */
async function seen({ world, source, target }: Pair, id: string): Promise<readonly string[]> {
  const desk = await showMove(world.clearinghouse.context, id);
  const on = async (server: OpenServer) =>
    shown((await listMoves(server.context)).find((move) => move.id === id));
  return [shown(desk.ok ? desk.value : undefined), await on(source), await on(target)];
}

type Step = readonly [act: () => Promise<unknown>, ...shown: string[]];

/** Each act, and what is shown after it. */
async function walk(at: Pair, id: string, steps: readonly Step[]): Promise<void> {
  for (const [number, [act, ...expected]] of steps.entries()) {
    await act();
    assert.deepEqual(await seen(at, id), expected, `step ${number + 1}`);
  }
  await assertAll(at.world);
}

describe('a move as it is shown', () => {
  it('by messages, held and finished', async () => {
    const at = await pair();
    const { world, source, target } = at;
    const id = await acts.askMove(source, target, { hold: true });
    await walk(at, id, [
      [async () => undefined, '-', 'requested: clearinghouse', '-'],
      [() => acts.answerTo(world, source), 'reserved: source', 'requested: clearinghouse', '-'],
      [() => acts.contact(source), 'reserved: source', 'frozen: administrator', '-'],
      [() => acts.contact(source), 'granted: target', 'frozen: administrator', '-'],
      [() => acts.contact(target), 'granted: target', 'frozen: administrator', 'provisional: administrator'],
      [
        () => acts.contact(target),
        'installed: administrator',
        'frozen: administrator',
        'provisional: administrator',
      ],
      [
        () => acts.askMove(source, target),
        'installed: administrator',
        'frozen: target',
        'provisional: administrator',
      ],
      [() => acts.contact(source), 'committed: source', 'closed: nobody', 'provisional: administrator'],
      [() => acts.contact(target), 'committed: source', 'closed: nobody', 'final: source'],
      [() => acts.contact(source), 'closed: nobody', 'closed: nobody', 'final: source'],
      [() => acts.contact(target), 'closed: nobody', 'closed: nobody', 'closed: nobody'],
    ]);
  });

  it('undone after the grant, as its source has asked', async () => {
    const at = await pair();
    const { source, target } = at;
    const id = await acts.askMove(source, target);
    await acts.contact(source, source);
    await walk(at, id, [
      [
        async () => value(await undoMove(source.context, id)),
        'granted: target',
        'frozen: clearinghouse',
        '-',
      ],
      [() => acts.contact(source), 'aborting: target', 'frozen: target', '-'],
      [() => acts.contact(target), 'aborting: target', 'frozen: target', 'relinquished: nobody'],
      [() => acts.contact(target), 'aborted: nobody', 'frozen: target', 'relinquished: nobody'],
      [() => acts.contact(source), 'aborted: nobody', 'undone: nobody', 'relinquished: nobody'],
    ]);
  });

  it('undone at the desk, when its source has given up', async () => {
    const at = await pair();
    const { world, source, target } = at;
    const id = await acts.askMove(source, target, { hold: true });
    await acts.contact(source, source, target, target);
    await walk(at, id, [
      [
        async () => value(await cancelMove(world.clearinghouse.context, id)),
        ...['aborting: target', 'frozen: administrator', 'provisional: administrator'],
      ],
      [
        () => acts.closeByContact(source, false),
        ...['returning: target', 'closed: nobody', 'provisional: administrator'],
      ],
      // Licenses may run on what it gave up; that they end is waited for by nobody's doing.
      [() => acts.contact(target, target), 'closed: nobody', 'closed: nobody', 'relinquished: nobody'],
    ]);
  });

  it('to be undone, when its target has passed the CALs on by a code: it goes on to its end', async () => {
    const at = await pair();
    const { world, source, target } = at;
    const third = await world.addServer('LS-THIRD', { connected: true });
    await acts.connect(third, 0);
    const id = await acts.askMove(source, target);
    await acts.contact(source, source);
    // A later position of the free chain brings what the grant is still on its way with.
    await acts.install(world, target, { quantity: 1 });
    const order = { ...line, to: acts.idOf(third), quantity: 'all' } as const;
    value(await freezeByTelephone(target.context, order));
    await walk(at, id, [
      [
        async () => value(await undoMove(source.context, id)),
        ...['granted: target', 'frozen: clearinghouse', '-'],
      ],
      [() => acts.contact(source), 'aborting: target', 'frozen: target', '-'],
      [() => acts.contact(target), ...['aborting: target', 'frozen: target', 'provisional: clearinghouse']],
      [() => acts.contact(target), 'committed: source', 'frozen: target', 'final: source'],
      [() => acts.contact(source), 'committed: source', 'closed: nobody', 'final: source'],
      [() => acts.contact(source), 'closed: nobody', 'closed: nobody', 'final: source'],
      [() => acts.contact(target), 'closed: nobody', 'closed: nobody', 'closed: nobody'],
    ]);
  });

  it('by telephone, where its target knows of a key pack only', async () => {
    const at = await pair();
    const { world, source, target } = at;
    const id = await acts.deskMove(world, { from: source, to: target });
    const order = { ...line, to: acts.idOf(target), quantity: 'all' } as const;
    const frozen = async () => value(await freezeByTelephone(source.context, order));
    const released = async () => value(await releaseByTelephone(source.context, line));
    const own = async () => shown((await listMoves(source.context)).at(-1));
    assert.deepEqual(await seen(at, id), ['reserved: source', '-', '-']);
    const { code } = await frozen();
    assert.equal(await own(), 'frozen: source');
    await acts.confirm(world, code);
    assert.deepEqual(await seen(at, id), ['granted: source', '-', '-']);
    const release = await released();
    assert.equal(await own(), 'closed: nobody');
    await acts.confirm(world, release.code);
    assert.deepEqual(await seen(at, id), ['closed: nobody', '-', '-']);
  });

  it('of a source that no longer functions', async () => {
    const at = await pair();
    const { world, target } = at;
    const id = await declare(at);
    await walk(at, id, [
      [async () => undefined, 'dead-wait: source', '-', 'dead-wait: source'],
      [
        async () => value(await approveMove(world.clearinghouse.context, { move: id, by: 'Cat Ode' })),
        ...['fenced: target', '-', 'dead-wait: source'],
      ],
      [() => acts.contact(target), 'fenced: target', '-', 'provisional: clearinghouse'],
      [() => acts.contact(target), 'closed: nobody', '-', 'closed: nobody'],
    ]);
  });
});
