/** Several moves in which everything fails once: side by side, one after another, onward and back, and mixed. */
import { grantKeyPack } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { ok } from '../../src/core/result.ts';
import { undoMove } from '../../src/server/usecases/undo-move.ts';
import * as acts from '../world/acts.ts';
import { agreement } from '../world/world.ts';
import type { Scene } from './scene.ts';
import type { Scenario } from './steps.ts';
import { contact, freeze, freezeOnly, inTurn, line, order, read, release, tell } from './steps.ts';
import type { End } from './summary.ts';
import type { Beginning } from './template.ts';

/** One CAL that is unissued, and one that has a holder. */
const few = { installed: 2, holders: ['ws-1'] } as const;
const twoLines: Beginning = { carrier: 'online', ...few, perUser: 1 };
const twoSources: Beginning = { carrier: 'online', ...few, third: { installed: 2, holders: ['ws-9'] } };
const three: Beginning = { carrier: 'online', ...few, third: { installed: 0, holders: [] } };
const two: Beginning = { carrier: 'online', ...few };
const byCodes: Beginning = { carrier: 'telephone', ...few, third: { installed: 0, holders: [] } };

async function sideBySide(scene: Scene): Promise<End> {
  await order(scene, {});
  await order(scene, { type: 'user', requestId: 'the-other' });
  await inTurn(scene, 'closed', ['old', 'old', 'next', 'next', 'old', 'old', 'next']);
  return ['next'];
}

async function intoOne(scene: Scene): Promise<End> {
  await order(scene, {});
  await order(scene, { from: 'third' });
  await inTurn(scene, 'committed', ['old', 'third', 'old', 'third', 'next', 'next']);
  await inTurn(scene, 'closed', ['old', 'third', 'old', 'third', 'next']);
  return ['next'];
}

/** What is unissued goes on while the source has still to give up. */
async function onward(scene: Scene): Promise<End> {
  await order(scene, {});
  await inTurn(scene, 'committed', ['old', 'old', 'next', 'next']);
  scene.faults.begin();
  await order(scene, { from: 'next', to: 'third', quantity: 1 });
  await inTurn(scene, 'committed', ['next', 'next', 'third', 'third']);
  await inTurn(scene, 'closed', ['old', 'next', 'old', 'next', 'third']);
  return ['next'];
}

/** What has a holder goes on when the source has given up; so it does where it goes back. */
async function further(scene: Scene, to: 'third' | 'old'): Promise<End> {
  await order(scene, {});
  await inTurn(scene, 'closed', ['old', 'old', 'next', 'next', 'old', 'old', 'next']);
  scene.faults.begin();
  await order(scene, { from: 'next', to });
  await inTurn(scene, 'closed', ['next', 'next', to, to, 'next', 'next', to]);
  return [to];
}

/** The holder is not seen on the way: it shows the third server what the first one gave it. */
async function furtherByCode(scene: Scene, to: 'third' | 'old'): Promise<End> {
  await freeze(scene);
  await release(scene);
  await freeze(scene, { from: 'next', to });
  await release(scene, { from: 'next', to });
  return [to];
}

/**
 * A grant is under way; a later key pack by code has brought what is unissued of it, and that was frozen for a move by
 * telephone. The undo that is asked for then comes too late.
 */
async function passedOn(scene: Scene): Promise<End> {
  const move = await order(scene, {});
  await inTurn(scene, 'granted', ['old', 'old']);
  const pack = { agreement, serverId: acts.idOf(scene.server('next')), ...line, quantity: 1 };
  const told = await scene.insist('key pack', () =>
    grantKeyPack(scene.desk(), { ...pack, requestId: 'one-more' }),
  );
  await read(scene, { on: 'next', code: told?.code });
  const frozen = await freezeOnly(scene, { from: 'next', to: 'third' });
  scene.faults.begin();
  await scene.insist('undo', async () => {
    const undone = await undoMove(scene.server('old').context, move);
    return undone.ok ? ok(null) : undone;
  });
  for (const name of ['old', 'next', 'next', 'old', 'old', 'next'] as const) await contact(scene, name);
  await tell(scene, frozen, { on: 'third', from: 'next' });
  await release(scene, { from: 'next', to: 'third' });
  await inTurn(scene, 'closed', ['next', 'third']);
  return ['next'];
}

export const severalScenarios: readonly Scenario[] = [
  { name: 'of two key packs side by side', beginning: twoLines, run: sideBySide },
  { name: 'of two sources into one target', beginning: twoSources, run: intoOne },
  { name: 'onward, while the source still has to give up', beginning: three, run: onward },
  { name: 'onward, with its holder', beginning: three, run: (scene) => further(scene, 'third') },
  { name: 'back again', beginning: two, run: (scene) => further(scene, 'old') },
  { name: 'onward by telephone', beginning: byCodes, run: (scene) => furtherByCode(scene, 'third') },
  { name: 'back again by telephone', beginning: byCodes, run: (scene) => furtherByCode(scene, 'old') },
  { name: 'undone when its CALs have gone on by a code', beginning: three, run: passedOn },
];
