/**
 * A program whose disk fails: in each round one call to the disk fails, the next one in each following
 * round, from the opening of three programs to their closing. Each must stop with a failure of the store, and
 * opened again it has all that was acknowledged. `node faults.ts enospc|eio FIRST STRIDE DIR`
 */
import assert from 'node:assert/strict';
import { openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openClearinghouse } from '../../src/clearinghouse/app.ts';
import { exchangeMessages } from '../../src/clearinghouse/usecases/exchange.ts';
import type { Delivery } from '../../src/platform/delivery.ts';
import { readPayload } from '../../src/protocol/paseto.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { openServer } from '../../src/server/app.ts';
import { returnLicense } from '../../src/server/usecases/return-license.ts';
import { startMove } from '../../src/server/usecases/start-move.ts';
import { StoreFailure } from '../../src/store/port.ts';
import { Replay } from '../kill/replay.ts';
import { connect, idOf, installByContact, permanent } from '../world/acts.ts';
import type { World } from '../world/world.ts';
import { agreement, makeWorld, product, value } from '../world/world.ts';
import { followMove } from './follow-move.ts';
import { databaseOf, folderOf } from './images.ts';
import { lookAt } from './look.ts';
import type { Acknowledged } from './marks.ts';
import { Told } from './told.ts';

const [kind = '', first = '', stride = '', dir = ''] = process.argv.slice(2);
const orders = join(dir, 'disk-fails');
const order = openSync(orders, 'w');

/** Lets the call of this number fail from now on, or none; answers how many there were since the last order. */
function fail(at: number): number {
  writeSync(order, `${kind}:${at}`);
  return Number(readFileSync(orders, 'utf8'));
}

const world: World = await makeWorld(5000, { kit: false });
const made = [
  await world.addServer('one', { connected: true }),
  await world.addServer('other', { connected: true }),
] as const;
const ids = new Map([
  ['one', idOf(made[0])],
  ['other', idOf(made[1])],
]);
await connect(made[0], 20);
await connect(made[1], 0);
for (const each of [...made, world.clearinghouse]) await each.close();

const told = new Told();
const replays = new Map(['clearinghouse', 'one', 'other'].map((name) => [name, new Replay(name)]));
const acknowledge = (mark: Acknowledged): void => told.take(mark);
const served: { readonly holder: string; readonly sub: string }[] = [];

/** Opens all three, lets them work together, and closes them again, whatever happens on the way. */
async function round(number: number): Promise<void> {
  const closers: (() => Promise<void>)[] = [];
  try {
    const clearinghouse = await openClearinghouse(join(world.dir, 'ch'));
    closers.push(clearinghouse.close);
    const delivery: Delivery = {
      exchange: async ({ messages }) => {
        const answered = await exchangeMessages(clearinghouse.context, { messages, waitMs: 0 });
        return answered.ok ? { ok: true, value: answered.value.messages } : answered;
      },
    };
    const servers: OpenServer[] = [];
    for (const name of ids.keys()) {
      const server = await openServer(join(world.dir, name), { delivery });
      closers.push(server.close);
      servers.push(server);
    }
    const [one, other] = servers as [OpenServer, OpenServer];
    await installByContact(one, { quantity: 2 });
    const holder = `device-${number}`;
    const sub = String(readPayload((await permanent(one, holder)).token)?.['sub']);
    served.push({ holder, sub });
    acknowledge({ served: sub });
    await giveBack(one);
    const wanted = {
      agreement,
      to: idOf(other),
      product,
      type: 'device',
      quantity: 2,
      reason: 'replaced',
    } as const;
    const { id } = value(await startMove(one.context, { ...wanted, hold: false }));
    await followMove({ clearinghouse, from: one, to: other, names: ['one', 'other'] }, id, acknowledge);
  } finally {
    for (const close of closers.reverse()) await close().catch(() => undefined);
  }
}

/** Now and then the newest holder gives its CAL back. */
async function giveBack(one: OpenServer): Promise<void> {
  const last = served.at(-1);
  if (last === undefined || served.length % 3 !== 0) return;
  // From the moment of asking it may be gone.
  acknowledge({ gone: last.sub });
  value(await returnLicense(one.context, { product, type: 'device', holder: last.holder }));
}

/** Every failure of a disk must come out as a failure of the store. */
function isClean(error: unknown): boolean {
  return error instanceof StoreFailure;
}

let rounds = 0;
let stopped = 0;
for (let at = Number(first); ; at += Number(stride)) {
  rounds += 1;
  fail(at);
  let failure: unknown;
  try {
    await round(rounds);
  } catch (error) {
    failure = error;
  }
  const calls = fail(0);
  assert.ok(
    failure === undefined || isClean(failure),
    `call ${at}: ${failure instanceof Error ? failure.stack : failure}`,
  );
  if (failure !== undefined) stopped += 1;
  const seen = await lookAt({
    ids,
    fileOf: (name) => join(world.dir, folderOf(name), databaseOf(name)),
    replayOf: (name) => replays.get(name) ?? new Replay(name),
  });
  assert.equal(told.lostIn(seen, new Map()), undefined, `call ${at}`);
  if (calls < at) break;
}
await round(rounds + 1);
console.log(JSON.stringify({ rounds, stopped }));
await world.close();
