/** What is refused of moves, returns and deactivations, at the desk and on the servers themselves. */
import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { showMove as showDeskMove } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { makeKit } from '../../src/clearinghouse/usecases/make-kit.ts';
import type { MoveOrder as DeskOrder } from '../../src/clearinghouse/usecases/start-move.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { returnByTelephone } from '../../src/server/usecases/give-back.ts';
import { requestActivation, requestInstall } from '../../src/server/usecases/requests.ts';
import { addKit, setMethod } from '../../src/server/usecases/settings.ts';
import type { MoveOrder } from '../../src/server/usecases/start-move.ts';
import { showMove, startMove } from '../../src/server/usecases/start-move.ts';
import {
  freezeByTelephone,
  heartbeatByTelephone,
  releaseByTelephone,
} from '../../src/server/usecases/telephone-move.ts';
import * as acts from '../world/acts.ts';
import type { World } from '../world/world.ts';
import { agreement, makeWorld, product, value } from '../world/world.ts';
import type { Attempt, Row } from './table.ts';
import { refuses } from './table.ts';

interface Stage {
  readonly world: World;
  /** 40 per device, 3 of them issued, and one agreement more with the same product. */
  readonly old: OpenServer;
  readonly next: OpenServer;
  /** 10 per device, 4 of them frozen for `next` by telephone, the desk has read it. */
  readonly mover: OpenServer;
  readonly bare: OpenServer;
  readonly closed: OpenServer;
  readonly move: string;
}

const second = 'AG-2';
const line = { product, type: 'device' } as const;
const statement = 'Ann Lee: the disk is gone';
const dead = { reason: 'dead', quantity: 'all', statement } as const;

async function makeStage(): Promise<Stage> {
  const world = await makeWorld(200);
  const { context } = world.clearinghouse;
  await acts.sell(world, { agreement: second, quantity: 20 });
  const kit = value(await makeKit(context, second)).file;
  const [old, next, mover, closed] = (await Promise.all(
    ['LS-OLD', 'LS-NEW', 'LS-MOVER', 'LS-CLOSED'].map((name) => world.addServer(name, { kit: true })),
  )) as [OpenServer, OpenServer, OpenServer, OpenServer];
  const bare = await world.addServer('LS-BARE');
  value(await addKit(old.context, kit));
  await acts.setUp(world, old, 40);
  await acts.activate(world, old, second);
  await acts.permanents(old, ['ws-1', 'ws-2', 'ws-3']);
  await acts.setUp(world, next, 0);
  await acts.setUp(world, mover, 10);
  await acts.setUp(world, closed, 0);
  value(await deactivateServer(closed.context, { returnUnissued: false, by: 'telephone' }));
  const move = await acts.deskMove(world, { from: mover, to: next }, 4);
  const frozen = value(await freezeByTelephone(mover.context, { ...line, to: acts.idOf(next), quantity: 4 }));
  await acts.confirm(world, frozen.code);
  return { world, old, next, mover, bare, closed, move };
}

/** A move that the desk would start but for what is changed. */
function deskMove(stage: Stage, change: Partial<DeskOrder>): Attempt {
  const ends = { from: acts.idOf(stage.old), to: acts.idOf(stage.next) };
  const order = {
    agreement,
    ...ends,
    ...line,
    quantity: 5,
    reason: 'replaced',
    requestId: acts.newRequest(),
  } as const;
  return () => startDeskMove(stage.world.clearinghouse.context, { ...order, ...change });
}

/** A move that a server would ask for but for what is changed. */
function serverMove(stage: Stage, change: Partial<MoveOrder>, by: OpenServer = stage.old): Attempt {
  const order = {
    agreement,
    to: acts.idOf(stage.next),
    ...line,
    quantity: 5,
    reason: 'replaced',
    hold: false,
  } as const;
  return () => startMove(by.context, { ...order, ...change });
}

const wrongQuantities = [0, -3, 2.5];

const atTheDesk: readonly Row<Stage>[] = [
  {
    name: 'a move of a server to itself',
    attempt: (stage) => deskMove(stage, { to: acts.idOf(stage.old).toLowerCase() }),
    refused: (stage) => ({ code: 'move-to-itself', licenseServerId: acts.idOf(stage.old) }),
  },
  {
    name: 'a move of more than is committed to the source',
    attempt: (stage) => deskMove(stage, { quantity: 41 }),
    refused: { code: 'move-more-than-there-is', asked: 41, available: 40 },
  },
  {
    name: 'a move from a server that has nothing',
    attempt: (stage) =>
      deskMove(stage, { from: acts.idOf(stage.next), to: acts.idOf(stage.old), quantity: 'all' }),
    refused: { code: 'move-more-than-there-is', available: 0 },
  },
  ...wrongQuantities.map(
    (quantity): Row<Stage> => ({
      name: `a move of ${quantity}`,
      attempt: (stage) => deskMove(stage, { quantity }),
      refused: { code: 'quantity-invalid', quantity },
    }),
  ),
  {
    name: 'a second move of the line while one is open',
    attempt: (stage) => deskMove(stage, { from: acts.idOf(stage.mover), quantity: 2 }),
    refused: (stage) => ({ code: 'move-open', move: stage.move, state: 'granted' }),
  },
  {
    name: 'a move from a server that no longer functions, without a word of what happened',
    attempt: (stage) => deskMove(stage, { reason: 'dead', quantity: 'all' }),
    refused: { code: 'invalid-input', field: 'statement' },
  },
  {
    name: 'a part of a server that no longer functions',
    attempt: (stage) => deskMove(stage, { reason: 'dead', statement }),
    refused: { code: 'invalid-input', field: 'quantity' },
  },
  {
    name: 'a move from a dead server that nobody knows',
    attempt: (stage) => deskMove(stage, { ...dead, from: acts.idOf(stage.bare), to: acts.idOf(stage.next) }),
    refused: (stage) => ({ code: 'server-unknown', licenseServerId: acts.idOf(stage.bare) }),
  },
  {
    name: 'a move from a dead server to itself',
    attempt: (stage) => deskMove(stage, { ...dead, to: acts.idOf(stage.old) }),
    refused: (stage) => ({ code: 'move-to-itself', licenseServerId: acts.idOf(stage.old) }),
  },
  {
    name: 'a move from a dead server to one that is not activated',
    attempt: (stage) => deskMove(stage, { ...dead, to: acts.idOf(stage.bare) }),
    refused: (stage) => ({ code: 'server-unknown', licenseServerId: acts.idOf(stage.bare) }),
  },
  {
    name: 'a move from a dead server that had nothing',
    attempt: (stage) => deskMove(stage, { ...dead, from: acts.idOf(stage.closed), to: acts.idOf(stage.old) }),
    refused: { code: 'move-more-than-there-is', available: 0 },
  },
  {
    name: 'a move under an agreement that nobody knows',
    attempt: (stage) => deskMove(stage, { agreement: '1111111' }),
    refused: { code: 'agreement-unknown', agreement: '1111111' },
  },
  {
    name: 'a move to a server that nobody knows',
    attempt: (stage) => deskMove(stage, { to: acts.idOf(stage.bare) }),
    refused: (stage) => ({ code: 'server-unknown', licenseServerId: acts.idOf(stage.bare) }),
  },
  {
    name: 'a move to a server that is not activated under that agreement',
    attempt: (stage) => deskMove(stage, { agreement: second }),
    refused: { code: 'not-activated', agreement: second },
  },
  {
    name: 'a move of a product that the agreement does not have',
    attempt: (stage) => deskMove(stage, { product: 'ts-2008' }),
    refused: { code: 'line-unknown', agreement, product: 'ts-2008' },
  },
  {
    name: 'a move with a number that its program does not have',
    attempt: (stage) => deskMove(stage, { license: '12345678' }),
    refused: { code: 'program-field-wrong', program: 'Select License' },
  },
  {
    name: 'the idempotency key of another move',
    attempt: async (stage) => {
      value(await deskMove(stage, { requestId: 'used', quantity: 1 })());
      return deskMove(stage, { requestId: 'used', quantity: 2 });
    },
    refused: { code: 'idempotency-key-reused' },
  },
  {
    name: 'the undoing of a move by telephone whose freeze was read out',
    attempt: (stage) => () => cancelMove(stage.world.clearinghouse.context, stage.move),
    refused: (stage) => ({
      code: 'undo-too-late',
      ...{ move: stage.move, state: 'granted', carrier: 'telephone', quantity: 4 },
      ...{ source: acts.idOf(stage.mover), target: acts.idOf(stage.next) },
    }),
  },
  {
    name: 'a move that there is not',
    attempt: (stage) => () => showDeskMove(stage.world.clearinghouse.context, 'mv-none'),
    refused: { code: 'move-unknown', move: 'mv-none' },
  },
];

const onTheServer: readonly Row<Stage>[] = [
  {
    name: 'a move without an agreement number',
    attempt: (stage) => serverMove(stage, { agreement: undefined }),
    refused: { code: 'agreement-missing' },
  },
  {
    name: 'an activation without an agreement number',
    attempt:
      ({ bare }) =>
      () =>
        requestActivation(bare.context, { agreement: undefined }),
    refused: { code: 'agreement-missing' },
  },
  {
    name: 'a key pack without an agreement number',
    attempt:
      ({ old }) =>
      () =>
        requestInstall(old.context, { agreement: ' ', ...line, quantity: 1 }),
    refused: { code: 'agreement-missing' },
  },
  {
    name: 'a key pack of a server that is not activated',
    attempt:
      ({ bare }) =>
      () =>
        requestInstall(bare.context, { agreement, ...line, quantity: 1 }),
    refused: { code: 'not-activated', agreement },
  },
  {
    name: 'a key pack of a server that is deactivated',
    attempt:
      ({ closed }) =>
      () =>
        requestInstall(closed.context, { agreement, ...line, quantity: 1 }),
    refused: { code: 'deactivated' },
  },
  ...[0, -1, 0.5, 65_536, 200_000_000].map(
    (quantity): Row<Stage> => ({
      name: `a key pack of ${quantity}, before it is sent`,
      attempt:
        ({ old }) =>
        () =>
          requestInstall(old.context, { agreement, ...line, quantity }),
      refused: { code: 'quantity-invalid', quantity, most: 65_535 },
    }),
  ),
  ...[{ product: 'Terminal Server' }, { authorization: '' }, { license: 'x'.repeat(41) }].map(
    (change): Row<Stage> => ({
      name: `a key pack that no message can ask for: ${JSON.stringify(change).slice(0, 40)}`,
      attempt:
        ({ old }) =>
        () =>
          requestInstall(old.context, { agreement, ...line, quantity: 1, ...change }),
      refused: { code: 'invalid-input', field: 'install' },
    }),
  ),
  {
    name: 'the automatic method without an address',
    attempt:
      ({ bare }) =>
      () =>
        setMethod(bare.context, { method: 'automatic' }),
    refused: { code: 'no-clearinghouse-address' },
  },
  {
    name: 'a move to this very server',
    attempt: (stage) => serverMove(stage, { to: acts.idOf(stage.old).replaceAll('-', '') }),
    refused: (stage) => ({ code: 'move-to-itself', licenseServerId: acts.idOf(stage.old) }),
  },
  {
    name: 'a move of more than there is',
    attempt: (stage) => serverMove(stage, { quantity: 41 }),
    refused: { code: 'move-more-than-there-is', asked: 41, available: 40 },
  },
  ...wrongQuantities.map(
    (quantity): Row<Stage> => ({
      name: `a move of ${quantity}, on the server`,
      attempt: (stage) => serverMove(stage, { quantity }),
      refused: { code: 'quantity-invalid', quantity },
    }),
  ),
  {
    name: 'a move of a product that is not here',
    attempt: (stage) => serverMove(stage, { product: 'ts-2008' }),
    refused: { code: 'line-unknown', product: 'ts-2008' },
  },
  {
    name: 'a move by a server that is not activated',
    attempt: (stage) => serverMove(stage, {}, stage.bare),
    refused: { code: 'not-activated', agreement },
  },
  {
    name: 'a move by a server that is deactivated',
    attempt: (stage) => serverMove(stage, {}, stage.closed),
    refused: { code: 'deactivated' },
  },
  {
    name: 'a move because this server no longer functions',
    attempt: (stage) => serverMove(stage, { reason: 'dead' }),
    refused: { code: 'invalid-input', field: 'reason' },
  },
  {
    name: 'a move while units are frozen for one by telephone',
    attempt: (stage) => serverMove(stage, { quantity: 2 }, stage.mover),
    refused: { code: 'move-open', state: 'frozen' },
  },
  {
    name: 'a move that this server does not know',
    attempt:
      ({ old }) =>
      () =>
        showMove(old.context, 'mv-none'),
    refused: { code: 'move-unknown', move: 'mv-none' },
  },
];

function freeze(stage: Stage, change: object, by: OpenServer = stage.mover): Attempt {
  const order = { ...line, to: acts.idOf(stage.next), quantity: 2 };
  return () => freezeByTelephone(by.context, { ...order, ...change });
}

const byTelephone: readonly Row<Stage>[] = [
  {
    name: 'a freeze of a product that two agreements have, without saying which',
    attempt: (stage) => freeze(stage, {}, stage.old),
    refused: { code: 'agreement-missing' },
  },
  {
    name: 'a heartbeat of two agreements at once',
    attempt:
      ({ old }) =>
      () =>
        heartbeatByTelephone(old.context, undefined),
    refused: { code: 'agreement-missing' },
  },
  {
    name: 'a heartbeat of a server that is not activated',
    attempt:
      ({ bare }) =>
      () =>
        heartbeatByTelephone(bare.context, undefined),
    refused: { code: 'not-activated', agreement: null },
  },
  {
    name: 'a freeze for this very server',
    attempt: (stage) => freeze(stage, { to: acts.idOf(stage.mover) }),
    refused: (stage) => ({ code: 'move-to-itself', licenseServerId: acts.idOf(stage.mover) }),
  },
  {
    name: 'a second freeze of the line, of another quantity',
    attempt: (stage) => freeze(stage, { quantity: 5 }),
    refused: { code: 'move-open', state: 'frozen' },
  },
  {
    name: 'a second freeze of the line, for another server',
    attempt: (stage) => freeze(stage, { to: acts.idOf(stage.old), quantity: 4 }),
    refused: { code: 'move-open', state: 'frozen' },
  },
  {
    name: 'a freeze of more than there is',
    attempt: (stage) => freeze(stage, { agreement, quantity: 41 }, stage.old),
    refused: { code: 'move-more-than-there-is', asked: 41, available: 40 },
  },
  ...wrongQuantities.map(
    (quantity): Row<Stage> => ({
      name: `a freeze of ${quantity}`,
      attempt: (stage) => freeze(stage, { agreement, quantity }, stage.old),
      refused: { code: 'quantity-invalid', quantity },
    }),
  ),
  {
    name: 'a release of what was never frozen',
    attempt:
      ({ old }) =>
      () =>
        releaseByTelephone(old.context, { ...line, agreement }),
    refused: { code: 'nothing-frozen', product, type: 'device' },
  },
  {
    name: 'a return of what is frozen',
    attempt:
      ({ mover }) =>
      () =>
        returnByTelephone(mover.context, { ...line, quantity: 7 }),
    refused: { code: 'move-more-than-there-is', asked: 7, available: 6 },
  },
  ...wrongQuantities.map(
    (quantity): Row<Stage> => ({
      name: `a return of ${quantity}`,
      attempt:
        ({ mover }) =>
        () =>
          returnByTelephone(mover.context, { ...line, quantity }),
      refused: { code: 'quantity-invalid', quantity },
    }),
  ),
  {
    name: 'deactivation while holders remain',
    attempt:
      ({ old }) =>
      () =>
        deactivateServer(old.context, { returnUnissued: true, by: 'telephone' }),
    refused: { code: 'holders-remain', issued: 3, unissued: 37, reserved: 0 },
  },
  {
    name: 'deactivation while unissued CALs remain that are not to be given back',
    attempt:
      ({ mover }) =>
      () =>
        deactivateServer(mover.context, { returnUnissued: false, by: 'telephone' }),
    refused: { code: 'holders-remain', issued: 0, unissued: 6, reserved: 0 },
  },
  {
    name: 'deactivation of a server that was never activated',
    attempt:
      ({ bare }) =>
      () =>
        deactivateServer(bare.context, { returnUnissued: true, by: 'telephone' }),
    refused: { code: 'not-activated', agreement: null },
  },
  {
    name: 'deactivation by message while a move by telephone is open',
    attempt:
      ({ mover }) =>
      () =>
        deactivateServer(mover.context, { returnUnissued: true, by: 'message' }),
    refused: { code: 'move-open', state: 'frozen' },
  },
  {
    name: 'a certificate while a move by telephone is open',
    attempt:
      ({ mover }) =>
      () =>
        requestActivation(mover.context, { agreement }),
    refused: { code: 'move-open', state: 'frozen' },
  },
  {
    name: 'a freeze by telephone while a certificate is under way',
    attempt: async (stage) => {
      value(await requestActivation(stage.old.context, { agreement }));
      return freeze(stage, { agreement }, stage.old);
    },
    refused: { code: 'answer-pending', waitingFor: 'the certificate' },
  },
  {
    name: 'a return by telephone while a certificate is under way',
    attempt:
      ({ old }) =>
      () =>
        returnByTelephone(old.context, { ...line, agreement, quantity: 1 }),
    refused: { code: 'answer-pending', waitingFor: 'the certificate' },
  },
];

export function movesAreRefused(): void {
  refuses('of moves, returns and endings is refused', makeStage, [
    ...atTheDesk,
    ...onTheServer,
    ...byTelephone,
  ]);
}
