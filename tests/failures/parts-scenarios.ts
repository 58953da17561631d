/**
 * Moves in parts in which everything fails once, where one move brings two unissued CALs and two with holders at most
 * (tests/failures/load.ts): of everything, from a dead source, and the codes of a server that is closed.
 */
import { quantityAtOnce } from '../../src/core/split.ts';
import { readStatus } from '../../src/server/usecases/status.ts';
import { bridge, declare, granted, opened } from './dead-scenarios.ts';
import type { Scene } from './scene.ts';
import type { Scenario } from './steps.ts';
import { alone, contact, deactivate, freeze, line, order, until } from './steps.ts';
import type { End } from './summary.ts';
import type { Beginning } from './template.ts';

const many: Beginning = { carrier: 'online', installed: 3, holders: ['ws-1', 'ws-2', 'ws-3'] };
const twoLines: Beginning = { carrier: 'online', installed: 2, holders: ['ws-1'], perUser: 2 };
const twoSources: Beginning = {
  ...{ carrier: 'online', installed: 2, holders: ['ws-1'] },
  third: { installed: 2, holders: [] },
};

/** As `server move --all` does it: as much as can go at once, and again while there is more. */
async function moveAll(scene: Scene): Promise<End> {
  const left = () =>
    scene.look(async () => {
      const { packs } = await readStatus(scene.server('old').context);
      const pack = packs.find(({ type, installed }) => type === line.type && installed > 0);
      if (pack === undefined) return undefined;
      const { unissued, issued, reserved, quarantined } = pack;
      return quantityAtOnce({ unissued, held: issued + reserved + quarantined });
    });
  for (let quantity = await left(); quantity !== undefined; quantity = await left()) {
    await order(scene, { quantity, requestId: null });
    for (const name of ['old', 'old', 'next', 'next'] as const) await contact(scene, name);
    // How a part comes over is the same as with any move: what is new is its end, and the next one.
    if (scene.faults.first() === 0) scene.faults.begin();
    await until(scene, 'closed', contact);
  }
  return ['next'];
}

async function deadInParts(scene: Scene): Promise<End> {
  await declare(scene, 'message');
  await bridge(scene);
  scene.faults.begin();
  await granted(scene);
  return opened(scene, alone);
}

/**
 * The target has room for one more unissued CAL, and a grant is under way to it: what another source has frozen for it
 * is refused, in use again where it was, and comes over when it is asked for once more.
 */
async function withoutRoom(scene: Scene): Promise<End> {
  await order(scene, {});
  await order(scene, { from: 'third' });
  for (const name of ['old', 'third', 'old'] as const) await contact(scene, name);
  scene.faults.begin();
  for (const name of ['third', 'third', 'next', 'next', 'old', 'old', 'next'] as const) {
    await contact(scene, name);
  }
  await order(scene, { from: 'third', requestId: 'once-more' });
  for (const name of ['third', 'third', 'next', 'next', 'third', 'third', 'next'] as const) {
    await contact(scene, name);
  }
  return ['next'];
}

async function closedByCodes(scene: Scene): Promise<End> {
  await freeze(scene);
  await freeze(scene, { type: 'user' });
  await deactivate(scene);
  return ['next'];
}

export const partsScenarios: readonly Scenario[] = [
  { name: 'of everything, in parts', beginning: many, run: moveAll },
  { name: 'from a dead source, in parts', beginning: many, silent: true, run: deadInParts },
  { name: 'to a target without room, and once more', beginning: twoSources, run: withoutRoom },
  { name: 'of two key packs, and deactivated by several codes', beginning: twoLines, run: closedByCodes },
];
