/** The moves in which everything fails once: each as an administrator and a representative do it. */
import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { confirmByTelephone } from '../../src/clearinghouse/usecases/desk-confirm.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import { ok } from '../../src/core/result.ts';
import { contactClearinghouse } from '../../src/server/usecases/contact.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { freezeByTelephone, releaseByTelephone } from '../../src/server/usecases/telephone-move.ts';
import { undoMove } from '../../src/server/usecases/undo-move.ts';
import * as acts from '../world/acts.ts';
import { agreement } from '../world/world.ts';
import type { Scene } from './scene.ts';
import type { Round, Scenario } from './steps.ts';
import { carry, contact, line, moveId, order, quiet, read, until } from './steps.ts';

async function byMessage(scene: Scene, round: Round): Promise<'next'> {
  await order(scene, { hold: false });
  await until(scene, 'closed', round);
  await quiet(scene, round);
  return 'next';
}

/** All that is unissued, and two of three with holders: the third holder stays. */
const some = 7;

async function ofAPart(scene: Scene): Promise<'both'> {
  await order(scene, { hold: false, quantity: some });
  await until(scene, 'closed', contact);
  await quiet(scene, contact);
  return 'both';
}

async function tried(scene: Scene): Promise<'next'> {
  await order(scene, { hold: true });
  await until(scene, 'installed', contact);
  scene.faults.begin();
  await order(scene, { hold: false, requestId: 'it-works' });
  await until(scene, 'closed', contact);
  await quiet(scene, contact);
  return 'next';
}

async function undone(scene: Scene): Promise<'old'> {
  await order(scene, { hold: true });
  const enough = async (): Promise<boolean> => (await scene.moveState()) === 'reserved';
  const first = () => contactClearinghouse(scene.old().context, { waitMs: 0 });
  await scene.insist('contact of old', first, enough);
  await scene.insist('desk cancel', async () => cancelMove(scene.desk(), await moveId(scene)));
  await until(scene, 'aborted', contact);
  await quiet(scene, contact);
  return 'old';
}

/** Who asks for the undoing, and how it is carried. */
interface Undoing {
  readonly by: 'desk' | 'old' | 'next';
  readonly round: Round;
}

/** The target was tried, by somebody who had no CAL: with the undo that one is a holder of the source. */
async function undoneLate(scene: Scene, { by, round }: Undoing): Promise<'old'> {
  await order(scene, { hold: true });
  await until(scene, 'installed', round);
  scene.tokens.set('newcomer', await acts.permanent(scene.next(), 'newcomer'));
  scene.faults.begin();
  await scene.insist('undo', async () => {
    const id = await moveId(scene);
    const undone = await (by === 'desk' ? cancelMove(scene.desk(), id) : undoMove(scene[by]().context, id));
    return undone.ok ? ok(null) : undone;
  });
  await until(scene, 'aborted', round);
  await quiet(scene, round);
  return 'old';
}

async function byTelephone(
  scene: Scene,
  of: { readonly end: 'deactivate' | 'release'; readonly quantity: number | 'all' },
): Promise<void> {
  const { end, quantity } = of;
  const ends = { from: acts.idOf(scene.old()), to: acts.idOf(scene.next()) };
  const wanted = {
    agreement,
    ...ends,
    ...line,
    quantity,
    reason: 'replaced',
    requestId: 'the-move',
  } as const;
  await scene.insist('desk move', () => startDeskMove(scene.desk(), wanted));
  const { to } = ends;
  const frozen = await scene.insist('freeze', () =>
    freezeByTelephone(scene.old().context, { ...line, to, quantity }),
  );
  const unissued = await scene.insist('frozen, to the desk', () =>
    confirmByTelephone(scene.desk(), { code: frozen?.code ?? '' }),
  );
  await read(scene, 'next', unissued?.code);
  for (const code of await (end === 'release' ? released(scene) : deactivated(scene))) {
    const held = await scene.insist('released, to the desk', () =>
      confirmByTelephone(scene.desk(), { code }),
    );
    await read(scene, 'next', held?.code);
  }
}

async function released(scene: Scene): Promise<readonly string[]> {
  const told = await scene.insist('release', () => releaseByTelephone(scene.old().context, line));
  return [told?.code ?? ''];
}

/** Asked again, it tells all codes that it has made, and they are all read again. */
async function deactivated(scene: Scene): Promise<readonly string[]> {
  const command = { returnUnissued: false, by: 'telephone' } as const;
  const told = await scene.insist('deactivate', () => deactivateServer(scene.old().context, command));
  return told?.codes.map(({ code }) => code) ?? [];
}

export const scenarios: readonly Scenario[] = [
  { name: 'by automatic connection', carrier: 'online', run: (scene) => byMessage(scene, contact) },
  { name: 'by files carried by hand', carrier: 'online', run: (scene) => byMessage(scene, carry) },
  { name: 'held to be tried, and confirmed', carrier: 'online', run: tried },
  { name: 'of a part, which leaves a holder behind', carrier: 'online', run: ofAPart },
  { name: 'undone before the grant', carrier: 'online', run: undone },
  {
    name: 'undone after the grant, at the desk',
    carrier: 'online',
    run: (scene) => undoneLate(scene, { by: 'desk', round: contact }),
  },
  {
    name: 'undone after the grant, as its source asks for it',
    carrier: 'online',
    run: (scene) => undoneLate(scene, { by: 'old', round: contact }),
  },
  {
    name: 'undone after the grant by files, as its target asks for it',
    carrier: 'online',
    run: (scene) => undoneLate(scene, { by: 'next', round: carry }),
  },
  {
    name: 'by telephone, and deactivated',
    carrier: 'telephone',
    run: async (scene) => {
      await byTelephone(scene, { end: 'deactivate', quantity: 'all' });
      return 'next';
    },
  },
  {
    name: 'of a part by telephone, and released',
    carrier: 'telephone',
    run: async (scene) => {
      await byTelephone(scene, { end: 'release', quantity: some });
      return 'both';
    },
  },
];
