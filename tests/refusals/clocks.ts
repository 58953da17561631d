/**
 * Clocks that lie, a year back and a year ahead: on a license server with codes, with a connection, with
 * files, and on the clearinghouse. And what a server with a wrong clock goes on doing for its holders.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { answerFile } from '../../src/clearinghouse/usecases/exchange.ts';
import { makeKit } from '../../src/clearinghouse/usecases/make-kit.ts';
import { dayMs } from '../../src/core/time.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { applyAnswerFile } from '../../src/server/usecases/apply-message.ts';
import { contactClearinghouse } from '../../src/server/usecases/contact.ts';
import { requestFile } from '../../src/server/usecases/outbox.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import { requestInstall } from '../../src/server/usecases/requests.ts';
import { validateLicense } from '../../src/server/usecases/return-license.ts';
import { addKit } from '../../src/server/usecases/settings.ts';
import { freezeByTelephone } from '../../src/server/usecases/telephone-move.ts';
import * as acts from '../world/acts.ts';
import type { TestClock, World } from '../world/world.ts';
import { agreement, makeClock, makeWorld, product, refusalOf, value } from '../world/world.ts';
import type { Row } from './table.ts';
import { daysAway, refuses } from './table.ts';

interface Stage {
  readonly world: World;
  /** The clock of the servers alone. */
  readonly clock: TestClock;
  /** By kit and codes: 10 per device, 5 per user, some of both issued. */
  readonly server: OpenServer;
  /** By certificate: 5 per user, its horizon three months away. */
  readonly connected: OpenServer;
  readonly fresh: OpenServer;
  readonly pack: string;
}

async function makeStage(): Promise<Stage> {
  const world = await makeWorld(100, { kit: false });
  const clock = makeClock();
  const { context } = world.clearinghouse;
  await acts.sell(world, { type: 'user', quantity: 50 });
  const kit = value(await makeKit(context, agreement)).file;
  const server = await world.addServer('LS', { clock });
  value(await addKit(server.context, kit));
  await acts.setUp(world, server, 10);
  await acts.install(world, server, { quantity: 5, type: 'user' });
  await acts.permanents(server, ['ws-1']);
  value(await requestLicense(server.context, { product, type: 'user', holder: 'ada' }));
  await signIn(server, 'ws-2');
  const pack = await acts.packCode(world, server, { quantity: 3 });
  const connected = await world.addServer('LS-CONNECTED', { clock, connected: true });
  await acts.connect(connected, 0);
  value(await requestInstall(connected.context, { agreement, product, type: 'user', quantity: 5 }));
  await acts.contact(connected, connected);
  const fresh = await world.addServer('LS-FRESH', { clock });
  value(await addKit(fresh.context, kit));
  return { world, clock, server, connected, fresh, pack };
}

/** A device with a temporary license that has signed in: the next request would give it a CAL. */
async function signIn(server: OpenServer, holder: string): Promise<void> {
  value(await requestLicense(server.context, { product, type: 'device', holder }));
  value(await validateLicense(server.context, { product, type: 'device', holder }));
}

const ada = (holder: string) => ({ product, type: 'user', holder }) as const;

const behind: readonly Row<Stage>[] = [
  {
    name: 'an activation code a year before the kit was made',
    attempt: async ({ world, clock, fresh }) => {
      const text = await acts.activationCode(world, fresh);
      return () => daysAway(clock, -365, () => applyCode(fresh.context, { text, confirmed: true }));
    },
    refused: { code: 'clock-behind' },
  },
  {
    name: 'a license for a new user, a year back',
    attempt:
      ({ clock, server }) =>
      () =>
        daysAway(clock, -365, () => requestLicense(server.context, ada('grace'))),
    refused: { code: 'clock-behind' },
    recorded: ['LS.events+:5016'],
  },
  {
    name: 'a license for a new user, two days back',
    attempt:
      ({ clock, server }) =>
      () =>
        daysAway(clock, -2, () => requestLicense(server.context, ada('grace'))),
    refused: { code: 'clock-behind' },
    recorded: ['LS.events+:5016'],
  },
  {
    name: 'a key pack, a year back',
    attempt:
      ({ clock, server, pack }) =>
      () =>
        daysAway(clock, -365, () => applyCode(server.context, { text: pack, confirmed: true })),
    refused: { code: 'clock-behind' },
  },
  {
    name: 'a freeze, a year back',
    attempt:
      ({ clock, server, connected }) =>
      () =>
        daysAway(clock, -365, () =>
          freezeByTelephone(server.context, {
            product,
            type: 'device',
            to: acts.idOf(connected),
            quantity: 2,
          }),
        ),
    refused: { code: 'clock-behind' },
  },
  {
    name: 'a contact, a year back',
    attempt:
      ({ clock, connected }) =>
      () =>
        daysAway(clock, -365, () => contactClearinghouse(connected.context, { waitMs: 0 })),
    refused: { code: 'clock-behind' },
    recorded: sent('LS-CONNECTED'),
  },
  {
    name: 'a contact, a week back',
    attempt:
      ({ clock, connected }) =>
      () =>
        daysAway(clock, -7, () => contactClearinghouse(connected.context, { waitMs: 0 })),
    refused: { code: 'clock-behind' },
    recorded: sent('LS-CONNECTED'),
  },
  {
    name: 'an answer file on a server whose clock is a year back',
    attempt: async ({ world, clock, connected }) => {
      const file = await acts.answerTo(world, connected);
      return () => daysAway(clock, -365, () => applyAnswerFile(connected.context, file));
    },
    refused: { code: 'clock-behind' },
  },
  {
    name: 'a request file from a clock that is a year back',
    attempt: async ({ world, clock, connected }) => {
      const file = await daysAway(clock, -365, () => requestFile(connected.context));
      return () => answerFile(world.clearinghouse.context, file);
    },
    refused: { code: 'message-expired' },
  },
];

/** A contact that was numbered, and may be refused. */
function sent(name: string): readonly string[] {
  return [`${name}.meta~:sealedContact`, `${name}.meta~:seq`];
}

const ahead: readonly Row<Stage>[] = [
  {
    name: 'a contact, a year ahead',
    attempt:
      ({ clock, connected }) =>
      () =>
        daysAway(clock, 365, () => contactClearinghouse(connected.context, { waitMs: 0 })),
    refused: { code: 'clock-ahead' },
    recorded: sent('LS-CONNECTED'),
  },
  {
    name: 'a request file from a clock that is a year ahead',
    attempt: async ({ world, clock, connected }) => {
      const file = await daysAway(clock, 365, () => requestFile(connected.context));
      return () => answerFile(world.clearinghouse.context, file);
    },
    refused: { code: 'clock-ahead' },
  },
  {
    name: 'an answer file on a server whose clock is a year ahead',
    attempt: async ({ world, clock, connected }) => {
      const file = await acts.answerTo(world, connected);
      return () => daysAway(clock, 365, () => applyAnswerFile(connected.context, file));
    },
    refused: { code: 'message-expired' },
  },
  {
    name: 'a license for a new user, a year ahead of a certificate of three months',
    attempt:
      ({ clock, connected }) =>
      () =>
        daysAway(clock, 365, () => requestLicense(connected.context, ada('grace'))),
    refused: { code: 'horizon-passed' },
  },
  {
    name: 'a license for a new user, 15 months ahead of a kit of 13',
    attempt:
      ({ clock, server }) =>
      () =>
        daysAway(clock, 457, () => requestLicense(server.context, ada('grace'))),
    refused: { code: 'horizon-passed' },
  },
];

const clearinghouse: readonly Row<Stage>[] = [
  {
    name: 'a contact with a clearinghouse that is a year back',
    attempt:
      ({ world, connected }) =>
      () =>
        daysAway(world.clock, -365, () => contactClearinghouse(connected.context, { waitMs: 0 })),
    refused: { code: 'clock-ahead' },
    recorded: sent('LS-CONNECTED'),
  },
  {
    name: 'a contact with a clearinghouse that is a year ahead',
    attempt:
      ({ world, connected }) =>
      () =>
        daysAway(world.clock, 365, () => contactClearinghouse(connected.context, { waitMs: 0 })),
    refused: { code: 'clock-behind' },
    recorded: sent('LS-CONNECTED'),
  },
  {
    name: 'a request file at a clearinghouse that is a year ahead',
    attempt: async ({ world, connected }) => {
      const file = await requestFile(connected.context);
      return () => daysAway(world.clock, 365, () => answerFile(world.clearinghouse.context, file));
    },
    refused: { code: 'message-expired' },
  },
  {
    name: 'a request file at a clearinghouse that is a year back',
    attempt: async ({ world, connected }) => {
      const file = await requestFile(connected.context);
      return () => daysAway(world.clock, -365, () => answerFile(world.clearinghouse.context, file));
    },
    refused: { code: 'clock-ahead' },
  },
];

export function lyingClocksAreRefused(): void {
  refuses('with a clock that lies it refuses', makeStage, [...behind, ...ahead, ...clearinghouse]);
  describe('a license server whose clock was set back', () => {
    let stage: Stage;
    before(async () => {
      stage = await makeStage();
    });
    after(async () => stage.world.close());

    it('goes on serving its holders, and bridges with the temporary licenses that there are', async () => {
      const { clock, server } = stage;
      await daysAway(clock, -365, async () => {
        const device = value(
          await requestLicense(server.context, { product, type: 'device', holder: 'ws-1' }),
        );
        assert.deepEqual([device.status, device.kind], ['unchanged', 'permanent']);
        assert.equal(value(await requestLicense(server.context, ada('ada'))).status, 'unchanged');
        const waiting = value(
          await requestLicense(server.context, { product, type: 'device', holder: 'ws-2' }),
        );
        assert.deepEqual([waiting.status, waiting.kind], ['unchanged', 'temporary']);
      });
      assert.equal((await acts.permanent(server, 'ws-2')).kind, 'permanent');
    });

    it('is found out after a restart, too', async () => {
      const { clock, server } = stage;
      server.context.cache.seen = null;
      const request = () => requestLicense(server.context, ada('grace'));
      assert.equal(refusalOf(await daysAway(clock, -2, request)).code, 'clock-behind');
    });

    it('lives a time down that its clock once ran ahead, at its next contact, and not by an old answer', async () => {
      const { world, clock, connected } = stage;
      const { context } = connected;
      const request = (holder: string) => requestLicense(context, ada(holder));
      const old = await acts.answerTo(world, connected);
      // A month ahead it gave something out; set right, it is behind what it has seen.
      await daysAway(clock, 30, async () => value(await request('ada')));
      assert.equal(refusalOf(await request('grace')).code, 'clock-behind');
      await applyAnswerFile(context, old);
      assert.equal(refusalOf(await request('grace')).code, 'clock-behind');
      value(await contactClearinghouse(context, { waitMs: 0 }));
      assert.equal(value(await request('grace')).kind, 'permanent');
      // And what was seen since counts: the clock cannot be turned back by an answer kept for that.
      const kept = await acts.answerTo(world, connected);
      await daysAway(clock, 30, async () => value(await request('joan')));
      await applyAnswerFile(context, kept);
      assert.equal(refusalOf(await request('mary')).code, 'clock-behind');
      assert.ok(context.cache.seen !== null && context.cache.seen.newestMs > clock.nowMs() + 29 * dayMs);
    });
  });
}
