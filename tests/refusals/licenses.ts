/** What a license server refuses of clients: no CAL, no product, no time left, nothing to return. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import type { CalType } from '../../src/core/product.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { initServer, openServer } from '../../src/server/app.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import { returnLicense, validateLicense } from '../../src/server/usecases/return-license.ts';
import { setHosts } from '../../src/server/usecases/settings.ts';
import { freezeByTelephone, releaseByTelephone } from '../../src/server/usecases/telephone-move.ts';
import * as acts from '../world/acts.ts';
import { differences, takeSnapshot } from '../world/snapshot.ts';
import type { World } from '../world/world.ts';
import { makeWorld, product, value } from '../world/world.ts';
import type { Attempt, Row } from './table.ts';
import { daysAway, refuses } from './table.ts';

interface Stage {
  readonly world: World;
  /** Two per user, all issued; none per device. */
  readonly server: OpenServer;
  /** One per device, issued to ws-1; ws-2 has signed in. */
  readonly devices: OpenServer;
  readonly bare: OpenServer;
  readonly closed: OpenServer;
  /** Gave its CAL, with its holder ws-9, to `devices`; has another one, frozen for ws-8. */
  readonly moved: OpenServer;
}

const users = 'U-1';

async function makeStage(): Promise<Stage> {
  const world = await makeWorld(100);
  await acts.sell(world, { agreement: users, type: 'user', quantity: 10 });
  const server = await world.addServer('LS', { connected: true });
  await acts.activateByContact(server, users);
  await acts.installByContact(server, { agreement: users, type: 'user', quantity: 2 });
  for (const holder of ['ada', 'grace'])
    value(await requestLicense(server.context, { product, type: 'user', holder }));
  const devices = await world.addServer('LS-DEVICES', { kit: true });
  await acts.setUp(world, devices, 1);
  await acts.permanent(devices, 'ws-1');
  await acts.permanent(devices, 'ws-2');
  const bare = await world.addServer('LS-BARE');
  const closed = await world.addServer('LS-CLOSED', { kit: true });
  await acts.setUp(world, closed, 0);
  value(await deactivateServer(closed.context, { returnUnissued: false, by: 'telephone' }));
  const moved = await world.addServer('LS-MOVED', { kit: true });
  await acts.setUp(world, moved, 1);
  await acts.permanent(moved, 'ws-9');
  await moveAll(world, moved, devices);
  await acts.install(world, moved, { quantity: 1 });
  await acts.permanent(moved, 'ws-8');
  const line = { product, type: 'device', to: acts.idOf(devices), quantity: 'all' } as const;
  value(await freezeByTelephone(moved.context, line));
  return { world, server, devices, bare, closed, moved };
}

async function moveAll(world: World, from: OpenServer, to: OpenServer): Promise<void> {
  await acts.deskMove(world, { from, to });
  const line = { product, type: 'device' } as const;
  const order = { ...line, to: acts.idOf(to), quantity: 'all' } as const;
  await acts.confirm(world, value(await freezeByTelephone(from.context, order)).code);
  await acts.confirm(world, value(await releaseByTelephone(from.context, line)).code);
}

function asks(server: OpenServer, type: CalType, holder: string): Attempt {
  return () => requestLicense(server.context, { product, type, holder });
}

const requests: readonly Row<Stage>[] = [
  {
    name: 'a license for a third user where two are installed',
    attempt: ({ server }) => asks(server, 'user', 'joan'),
    refused: { code: 'none-available', product, type: 'user', installed: 2, unissued: 0 },
    recorded: ['LS.events+:21'],
  },
  {
    name: 'the same again within the hour, which is not written down again',
    attempt: ({ server }) => asks(server, 'user', 'joan'),
    refused: { code: 'none-available', installed: 2, unissued: 0 },
  },
  {
    name: 'a product that is not installed',
    attempt:
      ({ server }) =>
      () =>
        requestLicense(server.context, { product: 'ts-2099', type: 'user', holder: 'ada' }),
    refused: { code: 'product-not-installed', product: 'ts-2099' },
    recorded: ['LS.events+:22'],
  },
  {
    name: 'a user on a server that is not activated',
    attempt: ({ bare }) => asks(bare, 'user', 'ada'),
    refused: { code: 'not-activated', agreement: null },
  },
  {
    name: 'a CAL of a type that is not given out yet',
    attempt: ({ server }) => asks(server, 'concurrent', 'seat-1'),
    refused: { code: 'type-not-supported', type: 'concurrent' },
  },
  ...(['device', 'user'] as const).map(
    (type): Row<Stage> => ({
      name: `a license per ${type} of a deactivated server`,
      attempt: ({ closed }) => asks(closed, type, 'ws-1'),
      refused: { code: 'deactivated' },
    }),
  ),
  {
    name: 'a device whose temporary license has ended, and that has not signed in',
    attempt: async ({ world, bare }) => {
      value(await asks(bare, 'device', 'ws-7')());
      return () => daysAway(world.clock, 91, asks(bare, 'device', 'ws-7'));
    },
    refused: { code: 'temporary-used-up', product },
  },
  {
    name: 'an eleventh temporary license beyond the CALs that are installed',
    attempt: async ({ devices }) => {
      for (let index = 0; index < 9; index += 1) value(await asks(devices, 'device', `guest-${index}`)());
      return asks(devices, 'device', 'one-too-many');
    },
    refused: { code: 'temporary-cap', product, cap: 10 },
  },
  {
    name: 'a holder whose CAL has moved to another server',
    attempt: ({ moved }) => asks(moved, 'device', 'ws-9'),
    refused: ({ devices }) => ({ code: 'license-moved', product, licenseServerId: acts.idOf(devices) }),
  },
  {
    name: 'a token of another server that was altered',
    attempt: async ({ server, devices }) => {
      const license = value(
        await requestLicense(devices.context, { product, type: 'device', holder: 'ws-1' }),
      );
      const at = 60;
      const token =
        license.token.slice(0, at) +
        (license.token.charAt(at) === 'A' ? 'B' : 'A') +
        license.token.slice(at + 1);
      const source = { token, bundle: JSON.parse(license.bundleText) as unknown };
      return () => requestLicense(server.context, { product, type: 'user', holder: 'new', source });
    },
    refused: { code: 'source-token-invalid' },
  },
];

const returns: readonly Row<Stage>[] = [
  {
    name: 'the return of a license that nobody has',
    attempt:
      ({ server }) =>
      () =>
        returnLicense(server.context, { product, type: 'user', holder: 'nobody' }),
    refused: { code: 'license-unknown', product, holder: 'nobody' },
  },
  {
    name: 'the sign-in of a device that never asked',
    attempt:
      ({ server }) =>
      () =>
        validateLicense(server.context, { product, type: 'device', holder: 'nobody' }),
    refused: { code: 'license-unknown', product, holder: 'nobody' },
  },
  {
    name: 'the return of a license that is frozen for a move',
    attempt:
      ({ moved }) =>
      () =>
        returnLicense(moved.context, { product, type: 'device', holder: 'ws-8' }),
    refused: { code: 'move-open', state: 'frozen' },
  },
  {
    name: 'a device that has signed in, when its temporary license has ended and no CAL is free',
    attempt: async ({ world, devices }) => {
      // ws-1 comes every five days and renews in time, so that its CAL does not come back.
      for (let day = 0; day < 95; day += 5) {
        world.clock.advanceDays(5);
        value(await asks(devices, 'device', 'ws-1')());
      }
      return asks(devices, 'device', 'ws-2');
    },
    refused: { code: 'none-available', product, type: 'device', unissued: 0 },
    recorded: ['LS-DEVICES.events+:21'],
  },
];

/** Over HTTP, because who asks is known there alone. */
function hostsAreLimited(): void {
  it('refuses a host that is not in its list, and changes nothing', async () => {
    const world = await makeWorld(10, { kit: false });
    const server = await world.addServer('LS');
    value(await setHosts(server.context, ['10.0.0.7']));
    const url = `/v1/licenses/${product}/devices/ws-1`;
    const ask = (remoteAddress: string) => server.app.inject({ method: 'PUT', url, remoteAddress });
    const start = await takeSnapshot(world.programs());
    const answer = await ask('10.0.0.9');
    assert.deepEqual(
      [answer.statusCode, (answer.json() as { code: string }).code],
      [403, 'host-not-allowed'],
    );
    assert.deepEqual(differences(start, await takeSnapshot(world.programs())), []);
    assert.equal((await ask('::ffff:10.0.0.7')).statusCode, 201);
    assert.equal((await ask('10.0.0.7')).statusCode, 200);
    await world.close();
  });
}

function newerDatabasesAreLeftAlone(): void {
  it('refuses a database of a newer version, and leaves the file as it is', async () => {
    const world = await makeWorld(10, { kit: false });
    const dir = join(world.dir, 'LS-NEWER');
    await initServer({ dir, name: 'LS-NEWER', bundle: world.bundle });
    const file = join(dir, 'license-server.db');
    const db = new DatabaseSync(file);
    db.exec("insert into schema_migrations (part, number, name) values ('server', 999, 'server-999-later')");
    db.close();
    rmSync(`${file}-sum`);
    const before = readFileSync(file);
    await assert.rejects(openServer(dir), { name: 'StoreFailure', code: 'too-new' });
    assert.ok(readFileSync(file).equals(before));
    await world.close();
  });
}

export function clientsAreRefused(): void {
  refuses('a license server refuses, of clients,', makeStage, [...requests, ...returns]);
  describe('a license server', () => {
    hostsAreLimited();
    newerDatabasesAreLeftAlone();
  });
}
