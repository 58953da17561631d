/** What an administrator and a representative do in the moves in which everything fails once, step by step. */
import assert from 'node:assert/strict';
import { listMoves } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { answerFile } from '../../src/clearinghouse/usecases/exchange.ts';
import { ok } from '../../src/core/result.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { applyAnswerFile } from '../../src/server/usecases/apply-message.ts';
import { contactClearinghouse } from '../../src/server/usecases/contact.ts';
import { requestFile } from '../../src/server/usecases/outbox.ts';
import { startMove } from '../../src/server/usecases/start-move.ts';
import * as acts from '../world/acts.ts';
import { agreement, product } from '../world/world.ts';
import type { End, Scene, Template } from './scene.ts';

export interface Scenario {
  readonly name: string;
  readonly carrier: Template['carrier'];
  /** The old server is never heard of again: it takes no part in the end. */
  readonly silent?: boolean;
  /** It is refused whatever it says, and says it again where it has not heard that: that is counted by nobody. */
  readonly refusedOften?: boolean;
  /** Runs it, and answers which server has the CALs at the end. */
  readonly run: (scene: Scene) => Promise<End>;
}

export const line = { product, type: 'device' } as const;

/** More rounds than any move needs, a failure included. */
const mostRounds = 12;

interface Ordered {
  readonly hold: boolean;
  readonly quantity?: number;
  readonly requestId?: string;
}

export async function order(scene: Scene, ordered: Ordered): Promise<void> {
  const { hold, quantity = 'all', requestId = 'the-move' } = ordered;
  const wanted = { agreement, to: acts.idOf(scene.next()), ...line, quantity, reason: 'replaced' } as const;
  await scene.insist('server move', () => startMove(scene.old().context, { ...wanted, hold, requestId }));
}

export async function contact(scene: Scene, name: 'old' | 'next'): Promise<void> {
  await scene.insist(`contact of ${name}`, () => contactClearinghouse(scene[name]().context, { waitMs: 0 }));
}

/** A stick goes from a server to the clearinghouse and back to both. */
export async function carry(scene: Scene, name: 'old' | 'next'): Promise<void> {
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

export type Round = (scene: Scene, name: 'old' | 'next') => Promise<void>;

export async function until(scene: Scene, state: string, round: Round): Promise<void> {
  for (let count = 0; count < mostRounds; count += 1) {
    if (count > 0 && (await scene.moveState()) === state) return;
    await round(scene, 'old');
    await round(scene, 'next');
  }
  assert.equal(await scene.moveState(), state);
}

/** The old server is not heard of: the new one alone contacts the clearinghouse. */
export async function alone(scene: Scene, name: 'old' | 'next'): Promise<void> {
  if (name === 'next') await contact(scene, name);
}

/** Until everything that was said is known to have been heard. */
export async function quiet(scene: Scene, round: Round): Promise<void> {
  await round(scene, 'old');
  await round(scene, 'next');
}

/** What the end is compared at: with no mail left on its way, the statements after a move included. */
export async function settle(scene: Scene, { carrier, silent }: Scenario): Promise<void> {
  if (carrier === 'telephone') return;
  for (let round = 0; round < 3; round += 1) await quiet(scene, silent === true ? alone : contact);
}

/** Types a code where there is one; one that was typed before is refused in words. */
export async function read(
  scene: Scene,
  name: 'old' | 'next',
  code: string | null | undefined,
): Promise<void> {
  const from = acts.idOf(scene.old());
  await scene.insist(`code typed on ${name}`, async () => {
    const typed = await applyCode(scene[name]().context, { text: code ?? '', from, confirmed: true });
    return !typed.ok && typed.error.code === 'already-applied' ? ok(null) : typed;
  });
}

export async function moveId(scene: Scene): Promise<string> {
  const [move] = (await listMoves(scene.desk(), { after: '', limit: 1 })).items;
  return move?.id ?? '';
}
