/** The moves in which everything fails once: each as an administrator and a representative do it. */
import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { ok } from '../../src/core/result.ts';
import { contactClearinghouse } from '../../src/server/usecases/contact.ts';
import { undoMove } from '../../src/server/usecases/undo-move.ts';
import * as acts from '../world/acts.ts';
import type { Scene } from './scene.ts';
import type { Round, Scenario } from './steps.ts';
import { carry, contact, deactivate, freeze, moveId, order, quiet, release, until } from './steps.ts';
import type { End } from './summary.ts';
import { online, telephone } from './template.ts';

async function byMessage(scene: Scene, round: Round): Promise<End> {
  await order(scene, {});
  await until(scene, 'closed', round);
  await quiet(scene, round);
  return ['next'];
}

/** All that is unissued, and two of three with holders: the third holder stays. */
const some = 7;

async function ofAPart(scene: Scene): Promise<End> {
  await order(scene, { quantity: some });
  await until(scene, 'closed', contact);
  await quiet(scene, contact);
  return ['old', 'next'];
}

async function tried(scene: Scene): Promise<End> {
  await order(scene, { hold: true });
  await until(scene, 'installed', contact);
  scene.faults.begin();
  await order(scene, { requestId: 'it-works' });
  await until(scene, 'closed', contact);
  await quiet(scene, contact);
  return ['next'];
}

async function undone(scene: Scene): Promise<End> {
  await order(scene, { hold: true });
  const enough = async (): Promise<boolean> => (await scene.moveState()) === 'reserved';
  const first = () => contactClearinghouse(scene.server('old').context, { waitMs: 0 });
  await scene.insist('contact of old', first, enough);
  await scene.insist('desk cancel', async () => cancelMove(scene.desk(), await moveId(scene)));
  await until(scene, 'aborted', contact);
  await quiet(scene, contact);
  return ['old'];
}

/** Who asks for the undoing, and how it is carried. */
interface Undoing {
  readonly by: 'desk' | 'old' | 'next';
  readonly round: Round;
}

/** The target was tried, by somebody who had no CAL: with the undo that one is a holder of the source. */
async function undoneLate(scene: Scene, { by, round }: Undoing): Promise<End> {
  await order(scene, { hold: true });
  await until(scene, 'installed', round);
  scene.tokens.set('newcomer', await scene.look(() => acts.permanent(scene.server('next'), 'newcomer')));
  scene.faults.begin();
  await scene.insist('undo', async () => {
    const id = await moveId(scene);
    const undone = await (by === 'desk'
      ? cancelMove(scene.desk(), id)
      : undoMove(scene.server(by).context, id));
    return undone.ok ? ok(null) : undone;
  });
  await until(scene, 'aborted', round);
  await quiet(scene, round);
  return ['old'];
}

export const scenarios: readonly Scenario[] = [
  { name: 'by automatic connection', beginning: online, run: (scene) => byMessage(scene, contact) },
  { name: 'by files carried by hand', beginning: online, run: (scene) => byMessage(scene, carry) },
  { name: 'held to be tried, and confirmed', beginning: online, run: tried },
  { name: 'of a part, which leaves a holder behind', beginning: online, run: ofAPart },
  { name: 'undone before the grant', beginning: online, run: undone },
  {
    name: 'undone after the grant, at the desk',
    beginning: online,
    run: (scene) => undoneLate(scene, { by: 'desk', round: contact }),
  },
  {
    name: 'undone after the grant, as its source asks for it',
    beginning: online,
    run: (scene) => undoneLate(scene, { by: 'old', round: contact }),
  },
  {
    name: 'undone after the grant by files, as its target asks for it',
    beginning: online,
    run: (scene) => undoneLate(scene, { by: 'next', round: carry }),
  },
  {
    name: 'by telephone, and deactivated',
    beginning: telephone,
    run: async (scene) => {
      await freeze(scene);
      await deactivate(scene);
      return ['next'];
    },
  },
  {
    name: 'of a part by telephone, and released',
    beginning: telephone,
    run: async (scene) => {
      await freeze(scene, { quantity: some });
      await release(scene);
      return ['old', 'next'];
    },
  },
];
