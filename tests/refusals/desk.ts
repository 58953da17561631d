/** What the desk of the clearinghouse refuses: agreements, quantities, servers and repeated keys. */
import { addAgreement } from '../../src/clearinghouse/usecases/agreements.ts';
import { activateByTelephone } from '../../src/clearinghouse/usecases/desk-activate.ts';
import { giveHorizonCode } from '../../src/clearinghouse/usecases/desk-horizon.ts';
import type { KeyPackCall } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { grantKeyPack } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { repeatCodes } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { makeKit } from '../../src/clearinghouse/usecases/make-kit.ts';
import { addProduct } from '../../src/clearinghouse/usecases/products.ts';
import type { MoveOrder } from '../../src/clearinghouse/usecases/start-move.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import type { OpenServer } from '../../src/server/app.ts';
import {
  activateByContact,
  activationCode,
  idOf,
  installByContact,
  newRequest,
  permanents,
  setUp,
} from '../world/acts.ts';
import type { World } from '../world/world.ts';
import { agreement, makeWorld, product, value } from '../world/world.ts';
import type { Attempt, Row } from './table.ts';
import { refuses } from './table.ts';

interface Stage {
  readonly world: World;
  readonly server: OpenServer;
  readonly stranger: OpenServer;
  /** A source that was declared dead, as that was entered. */
  readonly declared: MoveOrder;
}

const open = 'OPEN-77';
const authorization = 'ABCDE-12345-F6789';
const license = '1234 5678';

async function makeStage(): Promise<Stage> {
  const world = await makeWorld(100);
  const { context } = world.clearinghouse;
  const order = { number: open, program: 'open', customer: 'Fabrikam', product, type: 'user', quantity: 50 };
  value(await addAgreement(context, { ...order, authorization, license, requestId: 'open' }));
  value(await makeKit(context, open));
  value(await addAgreement(context, { ...order, number: 'NO-KIT', program: 'select', requestId: 'no-kit' }));
  const server = await world.addServer('LS', { kit: true });
  await setUp(world, server, 40);
  await permanents(server, ['ws-1', 'ws-2']);
  value(await activateByTelephone(context, { agreement: open, serverId: idOf(server) }));
  for (const name of ['LS-2', 'LS-3', 'LS-4']) await activationCode(world, await world.addServer(name));
  const stranger = await world.addServer('LS-5', { kit: true });
  return { world, server, stranger, declared: await declareOne(world) };
}

async function declareOne(world: World): Promise<MoveOrder> {
  const pack = { agreement: 'NO-KIT', product, type: 'user' } as const;
  const [dead, next] = [
    await world.addServer('LS-DEAD', { connected: true }),
    await world.addServer('LS-NEXT', { connected: true }),
  ];
  for (const server of [dead, next]) await activateByContact(server, pack.agreement);
  await installByContact(dead, { ...pack, quantity: 1 });
  const declared: MoveOrder = {
    ...{ ...pack, from: idOf(dead), to: idOf(next), quantity: 'all' },
    ...{ reason: 'dead', statement: 'Ann Lee: the disk failed', by: 'Ben Roe', requestId: 'dead' },
  };
  value(await startDeskMove(world.clearinghouse.context, declared));
  return declared;
}

/** A key pack that would be granted but for what is changed. */
function keyPack(stage: Stage, change: Partial<KeyPackCall>): Attempt {
  const call = { agreement, serverId: idOf(stage.server), product, type: 'device', quantity: 10 };
  return () =>
    grantKeyPack(stage.world.clearinghouse.context, { ...call, requestId: newRequest(), ...change });
}

const openPack = { agreement: open, type: 'user' };

const agreements: readonly Row<Stage>[] = [
  {
    name: 'a wrong agreement number, for a key pack',
    attempt: (stage) => keyPack(stage, { agreement: '1111111' }),
    refused: { code: 'agreement-unknown', agreement: '1111111' },
  },
  {
    name: 'a wrong agreement number, for an activation',
    attempt: (stage) => () =>
      activateByTelephone(stage.world.clearinghouse.context, {
        agreement: '1111111',
        serverId: idOf(stage.server),
      }),
    refused: { code: 'agreement-unknown', agreement: '1111111' },
  },
  {
    name: 'no agreement number, for a key pack',
    attempt: (stage) => keyPack(stage, { agreement: ' ' }),
    refused: { code: 'agreement-missing' },
  },
  {
    name: 'no agreement number, for an activation',
    attempt: (stage) => () =>
      activateByTelephone(stage.world.clearinghouse.context, { agreement: '', serverId: idOf(stage.server) }),
    refused: { code: 'agreement-missing' },
  },
  {
    name: 'an agreement number of other characters than one can have',
    attempt: (stage) => keyPack(stage, { agreement: '49/65' }),
    refused: { code: 'invalid-input', field: 'agreement' },
  },
  {
    name: 'an agreement entered again for another customer',
    attempt: (stage) => () =>
      addAgreement(stage.world.clearinghouse.context, {
        ...{
          number: agreement,
          program: 'select',
          customer: 'Northwind',
          product,
          type: 'device',
          quantity: 1,
        },
        requestId: newRequest(),
      }),
    refused: { code: 'agreement-exists', agreement },
  },
  {
    name: 'an agreement for a product that nobody knows',
    attempt: (stage) => () =>
      addAgreement(stage.world.clearinghouse.context, {
        ...{
          number: 'NEW',
          program: 'select',
          customer: 'Contoso',
          product: 'ts-1999',
          type: 'device',
          quantity: 1,
        },
        requestId: newRequest(),
      }),
    refused: { code: 'product-unknown', product: 'ts-1999', known: [product] },
  },
  {
    name: 'a product entered again as another version',
    attempt: (stage) => () =>
      addProduct(stage.world.clearinghouse.context, {
        id: product,
        name: 'Other',
        family: 'ts',
        version: 10,
      }),
    refused: { code: 'product-exists', product },
  },
  {
    name: 'an activation without a kit',
    attempt: (stage) => () =>
      activateByTelephone(stage.world.clearinghouse.context, {
        agreement: 'NO-KIT',
        serverId: idOf(stage.server),
      }),
    refused: { code: 'kit-missing', agreement: 'NO-KIT' },
  },
  {
    name: 'an activation beyond the slots of the kit',
    attempt: (stage) => () =>
      activateByTelephone(stage.world.clearinghouse.context, { agreement, serverId: idOf(stage.stranger) }),
    refused: { code: 'kit-full', agreement, slots: 4 },
  },
];

const fields: readonly Row<Stage>[] = [
  {
    name: 'Open License without its authorization number',
    attempt: (stage) => keyPack(stage, { ...openPack, license }),
    refused: { code: 'program-field-missing', program: 'Open License', field: 'authorization number' },
  },
  {
    name: 'Open License without its license number',
    attempt: (stage) => keyPack(stage, { ...openPack, authorization }),
    refused: { code: 'program-field-missing', program: 'Open License', field: 'license number' },
  },
  {
    name: 'Open License with a license number that is not on its paper',
    attempt: (stage) => keyPack(stage, { ...openPack, authorization, license: '87654321' }),
    refused: { code: 'program-field-wrong', program: 'Open License', field: 'license number' },
  },
  {
    name: 'Open License with an authorization number that cannot be one',
    attempt: (stage) => keyPack(stage, { ...openPack, authorization: 'ABC', license }),
    refused: {
      code: 'program-field-wrong',
      field: 'authorization number',
      expected: '15 letters and digits',
    },
  },
  {
    name: 'a program that has no license number, with one',
    attempt: (stage) => keyPack(stage, { license }),
    refused: { code: 'program-field-wrong', program: 'Select License' },
  },
  {
    name: 'an Open License entered without its numbers',
    attempt: (stage) => () =>
      addAgreement(stage.world.clearinghouse.context, {
        ...{ number: 'OPEN-78', program: 'open', customer: 'Fabrikam', product, type: 'user', quantity: 5 },
        requestId: newRequest(),
      }),
    refused: { code: 'program-field-missing', program: 'Open License', field: 'authorization number' },
  },
];

const quantities: readonly Row<Stage>[] = [
  {
    name: 'more than the agreement has in hand',
    attempt: (stage) => keyPack(stage, { quantity: 61 }),
    refused: { code: 'quantity-above-agreement', agreement, product, asked: 61, inHand: 60, entitled: 100 },
  },
  ...[0, -5, 1.5, Number.NaN, 65_536, Number.MAX_SAFE_INTEGER + 1].map(
    (quantity): Row<Stage> => ({
      name: `a key pack of ${quantity}`,
      attempt: (stage) => keyPack(stage, { quantity }),
      refused: { code: 'quantity-invalid', quantity, most: 65_535 },
    }),
  ),
  ...[0, -5, 1.5, 1e12].map(
    (quantity): Row<Stage> => ({
      name: `an agreement for ${quantity}`,
      attempt: (stage) => () =>
        addAgreement(stage.world.clearinghouse.context, {
          ...{ number: agreement, program: 'select', customer: 'Contoso', product, type: 'device', quantity },
          requestId: newRequest(),
        }),
      refused: { code: 'quantity-invalid', quantity },
    }),
  ),
  {
    name: 'a product that the agreement does not have',
    attempt: (stage) => keyPack(stage, { product: 'ts-2008' }),
    refused: { code: 'line-unknown', agreement, product: 'ts-2008', type: 'device' },
  },
  {
    name: 'a type that the agreement does not have',
    attempt: (stage) => keyPack(stage, { type: 'user' }),
    refused: { code: 'line-unknown', agreement, product, type: 'user' },
  },
  {
    name: 'a type that there is not',
    attempt: (stage) => keyPack(stage, { type: 'seat' }),
    refused: { code: 'invalid-input', field: 'type' },
  },
];

const servers: readonly Row<Stage>[] = [
  {
    name: 'a key pack for a License Server ID that was never activated',
    attempt: (stage) => keyPack(stage, { serverId: idOf(stage.stranger) }),
    refused: (stage) => ({ code: 'server-unknown', licenseServerId: idOf(stage.stranger) }),
  },
  {
    name: 'a horizon code for a License Server ID that was never activated',
    attempt: (stage) => () =>
      giveHorizonCode(stage.world.clearinghouse.context, { agreement, serverId: idOf(stage.stranger) }),
    refused: (stage) => ({ code: 'server-unknown', licenseServerId: idOf(stage.stranger) }),
  },
  {
    name: 'codes read again for a License Server ID that was never activated',
    attempt: (stage) => () =>
      repeatCodes(stage.world.clearinghouse.context, { agreement, serverId: idOf(stage.stranger) }),
    refused: (stage) => ({ code: 'server-unknown', licenseServerId: idOf(stage.stranger) }),
  },
  {
    name: 'a key pack under an agreement that the server was not activated for',
    attempt: (stage) => keyPack(stage, { agreement: 'NO-KIT', type: 'user' }),
    refused: { code: 'not-activated', agreement: 'NO-KIT' },
  },
  {
    name: 'another code in the place of a License Server ID',
    attempt: async (stage) => {
      const code = await activationCode(stage.world, stage.server);
      return keyPack(stage, { serverId: code });
    },
    refused: { code: 'code-wrong-kind', expected: 'license-server-id', found: 'activation' },
  },
];

const keys: readonly Row<Stage>[] = [
  {
    name: 'the idempotency key of a key pack for another quantity',
    attempt: async (stage) => {
      value(await keyPack(stage, { requestId: 'used', quantity: 2 })());
      return keyPack(stage, { requestId: 'used', quantity: 3 });
    },
    refused: { code: 'idempotency-key-reused' },
  },
  ...(
    [
      ['another statement', { statement: 'Ann Lee: it burnt' }],
      ['another person who enters it', { by: 'Cat Ode' }],
      ['another reason', { reason: 'replaced' }],
    ] as const
  ).map(
    ([what, change]): Row<Stage> => ({
      name: `the idempotency key of a dead source with ${what}`,
      attempt: async (stage) => {
        // Entered again as it was, it is the same declaration.
        value(await startDeskMove(stage.world.clearinghouse.context, stage.declared));
        return () => startDeskMove(stage.world.clearinghouse.context, { ...stage.declared, ...change });
      },
      refused: { code: 'idempotency-key-reused' },
    }),
  ),
  {
    name: 'the idempotency key of an agreement for another quantity',
    attempt: async (stage) => {
      const { context } = stage.world.clearinghouse;
      const order = {
        number: 'TWICE',
        program: 'select',
        customer: 'Contoso',
        product,
        type: 'device',
        requestId: 'twice',
      };
      value(await addAgreement(context, { ...order, quantity: 1 }));
      return () => addAgreement(context, { ...order, quantity: 2 });
    },
    refused: { code: 'idempotency-key-reused' },
  },
];

export function deskRefuses(): void {
  refuses('the desk refuses', makeStage, [...agreements, ...fields, ...quantities, ...servers, ...keys]);
}
