/** The moves in which everything fails once: each as an administrator and a representative do it. */
import assert from 'node:assert/strict';
import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { confirmByTelephone } from '../../src/clearinghouse/usecases/desk-confirm.ts';
import { listMoves } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { answerFile } from '../../src/clearinghouse/usecases/exchange.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import { ok } from '../../src/core/result.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { applyAnswerFile } from '../../src/server/usecases/apply-message.ts';
import { contactClearinghouse } from '../../src/server/usecases/contact.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { requestFile } from '../../src/server/usecases/outbox.ts';
import { startMove } from '../../src/server/usecases/start-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../../src/server/usecases/telephone-move.ts';
import { undoMove } from '../../src/server/usecases/undo-move.ts';
import * as acts from '../world/acts.ts';
import { agreement, product } from '../world/world.ts';
import type { Scene, Template } from './scene.ts';

export interface Scenario {
  readonly name: string;
  readonly carrier: Template['carrier'];
  /** Runs it, and answers which server has the CALs at the end. */
  readonly run: (scene: Scene) => Promise<'old' | 'next'>;
}

const line = { product, type: 'device' } as const;

/** More rounds than any move needs, a failure included. */
const mostRounds = 12;

async function order(scene: Scene, hold: boolean, requestId = 'the-move'): Promise<void> {
  const to = acts.idOf(scene.next());
  const wanted = { agreement, to, ...line, quantity: 'all', reason: 'replaced', hold, requestId } as const;
  await scene.insist('server move', () => startMove(scene.old().context, wanted));
}

async function contact(scene: Scene, name: 'old' | 'next'): Promise<void> {
  await scene.insist(`contact of ${name}`, () => contactClearinghouse(scene[name]().context, { waitMs: 0 }));
}

/** A stick goes from a server to the clearinghouse and back to both. */
async function carry(scene: Scene, name: 'old' | 'next'): Promise<void> {
  const file = await scene.insist(`request file of ${name}`, async () =>
    ok(await requestFile(scene[name]().context)),
  );
  const answer = await scene.insist('answer file', () => answerFile(scene.desk(), file ?? ''));
  for (const reader of ['old', 'next'] as const) {
    await scene.insist(`answer file read by ${reader}`, async () => {
      const read = await applyAnswerFile(scene[reader]().context, answer?.file ?? '');
      // The stick carries mail for both: that there is none for one of them, or nothing new, is no failure.
      return !read.ok && ['message-invalid', 'already-applied'].includes(read.error.code) ? ok(null) : read;
    });
  }
}

type Round = (scene: Scene, name: 'old' | 'next') => Promise<void>;

async function until(scene: Scene, state: string, round: Round): Promise<void> {
  for (let count = 0; count < mostRounds; count += 1) {
    if (count > 0 && (await scene.moveState()) === state) return;
    await round(scene, 'old');
    await round(scene, 'next');
  }
  assert.equal(await scene.moveState(), state);
}

/** Until everything that was said is known to have been heard. */
async function quiet(scene: Scene, round: Round): Promise<void> {
  await round(scene, 'old');
  await round(scene, 'next');
}

/** What the end is compared at: with no mail left on its way, the statements after a move included. */
export async function settle(scene: Scene): Promise<void> {
  for (let round = 0; round < 3; round += 1) await quiet(scene, contact);
}

async function byMessage(scene: Scene, round: Round): Promise<'next'> {
  await order(scene, false);
  await until(scene, 'closed', round);
  await quiet(scene, round);
  return 'next';
}

async function tried(scene: Scene): Promise<'next'> {
  await order(scene, true);
  await until(scene, 'installed', contact);
  scene.faults.begin();
  await order(scene, false, 'it-works');
  await until(scene, 'closed', contact);
  await quiet(scene, contact);
  return 'next';
}

async function undone(scene: Scene): Promise<'old'> {
  await order(scene, true);
  const enough = async (): Promise<boolean> => (await scene.moveState()) === 'reserved';
  const first = () => contactClearinghouse(scene.old().context, { waitMs: 0 });
  await scene.insist('contact of old', first, enough);
  await scene.insist('desk cancel', async () => cancelMove(scene.desk(), await moveId(scene)));
  await until(scene, 'aborted', contact);
  await quiet(scene, contact);
  return 'old';
}

async function moveId(scene: Scene): Promise<string> {
  const [move] = (await listMoves(scene.desk(), { after: '', limit: 1 })).items;
  return move?.id ?? '';
}

/** The target was tried, by somebody who had no CAL: with the undo that one is a holder of the source. */
async function undoneLate(scene: Scene, by: 'desk' | 'source'): Promise<'old'> {
  await order(scene, true);
  await until(scene, 'installed', contact);
  scene.tokens.set('newcomer', await acts.permanent(scene.next(), 'newcomer'));
  scene.faults.begin();
  await scene.insist('undo', async () => {
    const id = await moveId(scene);
    const undone = await (by === 'desk' ? cancelMove(scene.desk(), id) : undoMove(scene.old().context, id));
    return undone.ok ? ok(null) : undone;
  });
  await until(scene, 'aborted', contact);
  await quiet(scene, contact);
  return 'old';
}

/** Types a code where there is one; one that was typed before is refused in words. */
async function read(scene: Scene, name: 'old' | 'next', code: string | null | undefined): Promise<void> {
  const from = acts.idOf(scene.old());
  await scene.insist(`code typed on ${name}`, async () => {
    const typed = await applyCode(scene[name]().context, { text: code ?? '', from, confirmed: true });
    return !typed.ok && typed.error.code === 'already-applied' ? ok(null) : typed;
  });
}

async function byTelephone(scene: Scene, end: 'deactivate' | 'release'): Promise<'next'> {
  const ends = { from: acts.idOf(scene.old()), to: acts.idOf(scene.next()) };
  const wanted = {
    agreement,
    ...ends,
    ...line,
    quantity: 'all',
    reason: 'replaced',
    requestId: 'the-move',
  } as const;
  await scene.insist('desk move', () => startDeskMove(scene.desk(), wanted));
  const { to } = ends;
  const frozen = await scene.insist('freeze', () =>
    freezeByTelephone(scene.old().context, { ...line, to, quantity: 'all' }),
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
  return 'next';
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
  { name: 'undone before the grant', carrier: 'online', run: undone },
  {
    name: 'undone after the grant, at the desk',
    carrier: 'online',
    run: (scene) => undoneLate(scene, 'desk'),
  },
  {
    name: 'undone after the grant, as its source asks for it',
    carrier: 'online',
    run: (scene) => undoneLate(scene, 'source'),
  },
  {
    name: 'by telephone, and deactivated',
    carrier: 'telephone',
    run: (scene) => byTelephone(scene, 'deactivate'),
  },
  { name: 'by telephone, and released', carrier: 'telephone', run: (scene) => byTelephone(scene, 'release') },
];
