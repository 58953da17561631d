/**
 * Moves from a source that no longer functions, in which everything fails once: declared, waited for, released early
 * or undone; and the source that speaks again, before its CALs were granted and after (protocol §2.5).
 */
import assert from 'node:assert/strict';
import { approveMove } from '../../src/clearinghouse/usecases/approve-release.ts';
import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { listMoves, repeatCodes } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import { ok } from '../../src/core/result.ts';
import { msOfIso } from '../../src/core/time.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { declareDead } from '../../src/server/usecases/declare-dead.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import * as acts from '../world/acts.ts';
import { agreement } from '../world/world.ts';
import type { Scene } from './scene.ts';
import type { Round, Scenario } from './steps.ts';
import { alone, contact, line, moveId, quiet, read, until } from './steps.ts';
import type { End } from './summary.ts';
import { online, telephone } from './template.ts';

const statement = 'Ann Lee: the disk burnt on Monday';

/** On the server that takes its place; by message the clearinghouse is told, and the answer waited for. */
export async function declare(scene: Scene, by: 'message' | 'telephone'): Promise<void> {
  const order = {
    agreement,
    from: acts.idOf(scene.server('old')),
    ...line,
    statement,
    by,
    requestId: 'dead',
  } as const;
  await scene.insist('declare', () => declareDead(scene.server('next').context, order));
  if (by === 'telephone') return;
  await until(scene, 'dead-wait', alone);
  await quiet(scene, alone);
}

/** The one holder who comes while the CALs wait. Whoever does not come then has no claim later on. */
export async function bridge(scene: Scene): Promise<void> {
  const [holder, ...others] = scene.tokens.keys();
  for (const other of others) scene.tokens.delete(other);
  const shown = scene.tokens.get(holder ?? '');
  assert.ok(holder !== undefined && shown !== undefined);
  const request = { ...line, holder, source: acts.sourceOf(shown) } as const;
  const gap = await scene.insist('gap license', () => requestLicense(scene.server('next').context, request));
  assert.equal(gap?.kind, 'temporary');
}

/** Beyond a day of the declaration. */
async function pass(scene: Scene, until: 'horizon' | 'opensAt'): Promise<void> {
  const [move] = (await scene.look(() => listMoves(scene.desk(), { after: '', limit: 1 }))).items;
  scene.clock.set((msOfIso(move?.deadSource?.[until] ?? '') ?? 0) + 1000);
}

/** The horizon of the source passes, and the new server has its CALs. */
export async function granted(scene: Scene): Promise<void> {
  await pass(scene, 'horizon');
  await until(scene, 'closed', alone);
  await quiet(scene, alone);
}

/** Every lease of the source has ended, and the CALs are everybody's. */
export async function opened(scene: Scene, round: Round): Promise<End> {
  await pass(scene, 'opensAt');
  await quiet(scene, round);
  return ['next'];
}

async function waitedFor(scene: Scene): Promise<End> {
  await declare(scene, 'message');
  await bridge(scene);
  await granted(scene);
  return opened(scene, alone);
}

async function speaksInTime(scene: Scene): Promise<End> {
  await declare(scene, 'message');
  scene.faults.begin();
  await until(scene, 'closed', contact);
  await quiet(scene, contact);
  return ['next'];
}

/** The server that was to have its CALs was deactivated meanwhile: it has them again. */
async function speaksForNobody(scene: Scene): Promise<End> {
  await declare(scene, 'message');
  const closing = { returnUnissued: true, by: 'message' } as const;
  await scene.insist('deactivate', () => deactivateServer(scene.server('next').context, closing));
  await quiet(scene, alone);
  scene.faults.begin();
  await until(scene, 'aborted', contact);
  await quiet(scene, contact);
  return ['old'];
}

async function speaksTooLate(scene: Scene): Promise<End> {
  await declare(scene, 'message');
  await bridge(scene);
  await granted(scene);
  scene.faults.begin();
  await quiet(scene, contact);
  await quiet(scene, contact);
  return opened(scene, contact);
}

async function releasedEarly(scene: Scene): Promise<End> {
  await declare(scene, 'message');
  await bridge(scene);
  scene.faults.begin();
  await approve(scene);
  await until(scene, 'closed', alone);
  await quiet(scene, alone);
  return ['next'];
}

async function approve(scene: Scene): Promise<string> {
  const approved = await scene.insist('desk approve', async () =>
    approveMove(scene.desk(), { move: await moveId(scene), by: 'Cat Ode' }),
  );
  return approved?.code ?? '';
}

async function givenUp(scene: Scene): Promise<End> {
  await declare(scene, 'message');
  scene.faults.begin();
  await scene.insist('desk cancel', async () => {
    const undone = await cancelMove(scene.desk(), await moveId(scene));
    return undone.ok ? ok(null) : undone;
  });
  await until(scene, 'aborted', contact);
  await quiet(scene, contact);
  return ['old'];
}

/** Declared on the new server for its holders' sake, and at the desk for the CALs. */
async function declareAtDesk(scene: Scene): Promise<void> {
  await declare(scene, 'telephone');
  const ends = { from: acts.idOf(scene.server('old')), to: acts.idOf(scene.server('next')) };
  const order = { agreement, ...ends, ...line, quantity: 'all', reason: 'dead', statement } as const;
  await scene.insist('desk move', () =>
    startDeskMove(scene.desk(), { ...order, by: 'Ben Roe', requestId: 'the-move' }),
  );
  await bridge(scene);
}

async function readOut(scene: Scene): Promise<End> {
  await declareAtDesk(scene);
  await pass(scene, 'horizon');
  const told = await scene.insist('desk repeat', async () => {
    await listMoves(scene.desk(), { after: '', limit: 1 });
    return repeatCodes(scene.desk(), { agreement, serverId: acts.idOf(scene.server('next')) });
  });
  const code = told?.codes.find(({ kind }) => kind === 'held-key-pack')?.code;
  await read(scene, { on: 'next', code });
  // By code the target counts the longest lease from the typing.
  scene.clock.advanceDays(90);
  return ['next'];
}

async function readOutEarly(scene: Scene): Promise<End> {
  await declareAtDesk(scene);
  scene.faults.begin();
  await read(scene, { on: 'next', code: await approve(scene) });
  return ['next'];
}

export const deadScenarios: readonly Scenario[] = [
  {
    name: 'from a dead source, when its horizon has passed',
    beginning: online,
    silent: true,
    run: waitedFor,
  },
  { name: 'from a dead source that speaks in time', beginning: online, run: speaksInTime },
  {
    name: 'from a dead source that speaks when nobody can have its CALs',
    beginning: online,
    run: speaksForNobody,
  },
  {
    name: 'from a dead source that speaks too late',
    beginning: online,
    refusedOften: true,
    run: speaksTooLate,
  },
  { name: 'from a dead source, released early', beginning: online, silent: true, run: releasedEarly },
  { name: 'from a dead source, given up at the desk', beginning: online, run: givenUp },
  { name: 'from a dead source by telephone', beginning: telephone, run: readOut },
  { name: 'from a dead source by telephone, released early', beginning: telephone, run: readOutEarly },
];
