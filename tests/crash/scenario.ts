/**
 * A program for crash images: a clearinghouse and license servers over real files, whose every answer is
 * acknowledged by a line in a file that the recorder marks. `node scenario.ts issue|move SEED ACTS DIR [FAULT]`
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { readPayload } from '../../src/protocol/paseto.ts';
import type { OpenServer } from '../../src/server/app.ts';
import type { LicenseAnswer } from '../../src/server/usecases/request-license.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import { returnLicense, validateLicense } from '../../src/server/usecases/return-license.ts';
import { startMove } from '../../src/server/usecases/start-move.ts';
import { Chance } from '../kill/random.ts';
import { connect, contact, idOf, installByContact, permanent } from '../world/acts.ts';
import type { World } from '../world/world.ts';
import { agreement, makeWorld, product, value } from '../world/world.ts';
import { followMove } from './follow-move.ts';
import type { Acknowledged, Claim } from './marks.ts';

const [scenario = '', seed = '', acts = '', dir = '', fault] = process.argv.slice(2);
const chance = new Chance(Number(seed));
const marks = openSync(join(dir, 'acknowledged'), 'a');

/** One write, so that it is one mark: whatever it tells of has been answered. */
function acknowledge(mark: Acknowledged): void {
  writeSync(marks, `${JSON.stringify(mark)}\n`);
}

const world = await makeWorld(1000, { kit: false });
const one = await world.addServer('one', { connected: true });
const other = await world.addServer('other', { connected: true });

const nothing: Claim = { permanent: null, temporary: null, validated: false };
const jtiOf = (answer: LicenseAnswer): string => String(readPayload(answer.token)?.['jti']);

/** Everything is set up: from here on the disk may be cut, or fails as it was told to. */
function beReady(): void {
  acknowledge({ ready: true });
  if (fault !== undefined) writeSync(openSync(join(dir, 'disk-fails'), 'w'), fault);
}

/** Devices ask, sign in, renew and give back, several at once, so that commits are shared. */
async function issue(): Promise<void> {
  await connect(one, 40);
  beReady();
  const lanes = 6;
  const devices = 4;
  const each = Math.ceil(Number(acts) / lanes);
  const lane = async (number: number): Promise<void> => {
    const claims = new Map<string, Claim>();
    for (let act = 0; act < each; act += 1) {
      const holder = `device-${number}-${chance.between(1, devices)}`;
      acknowledge({ asking: holder });
      const claim = await oneAct(holder, claims.get(holder) ?? nothing);
      claims.set(holder, claim);
      acknowledge({ holder, claim });
      if (number === 0 && act % 20 === 19) await passTime();
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
}

async function oneAct(holder: string, claim: Claim): Promise<Claim> {
  const ask = { product, type: 'device', holder } as const;
  if (claim.permanent !== null && chance.happens(0.15)) {
    value(await returnLicense(one.context, ask));
    return { ...claim, permanent: null };
  }
  if (claim.temporary !== null && !claim.validated) {
    value(await validateLicense(one.context, ask));
    return { ...claim, validated: true };
  }
  const answer = value(await requestLicense(one.context, ask));
  const jti = jtiOf(answer);
  return answer.kind === 'permanent'
    ? { ...claim, permanent: { unit: answer.unit ?? 0, jti } }
    : { ...claim, temporary: jti };
}

/** Weeks pass, so that there is something to renew; a contact moves the horizon along, and more is bought. */
async function passTime(): Promise<void> {
  world.clock.advanceDays(9);
  await contact(one);
  await installByContact(one, { quantity: 1 });
}

/** CALs go back and forth between two servers while their holders renew and newcomers ask. */
async function move(): Promise<void> {
  await connect(one, 120);
  await connect(other, 0);
  beReady();
  let people = 0;
  const newcomer = async (server: OpenServer): Promise<void> => {
    people += 1;
    const answer = await permanent(server, `device-${people}`);
    // Where nothing is free a newcomer keeps its temporary license.
    if (answer.kind === 'permanent') acknowledge({ served: String(readPayload(answer.token)?.['sub']) });
  };
  for (let count = 0; count < 12; count += 1) await newcomer(one);
  for (let number = 1; number <= Number(acts); number += 1) {
    const [from, to] = number % 2 === 1 ? [one, other] : [other, one];
    await oneMove(world, { from, to, quantity: number % 3 === 0 ? 'all' : 10 + chance.between(0, 40) });
    if (people < 60) await newcomer(chance.happens(0.5) ? one : to);
  }
}

interface Ordered {
  readonly from: OpenServer;
  readonly to: OpenServer;
  readonly quantity: number | 'all';
}

async function oneMove({ clearinghouse }: World, { from, to, quantity }: Ordered): Promise<void> {
  const order = { agreement, to: idOf(to), product, type: 'device', quantity, reason: 'replaced' } as const;
  const started = await startMove(from.context, { ...order, hold: false });
  if (!started.ok) return;
  const names = [from, to].map((each) => (each === one ? 'one' : 'other')) as [string, string];
  await followMove({ clearinghouse, from, to, names }, started.value.id, acknowledge);
}

acknowledge({ place: { dir: world.dir, servers: { one: idOf(one), other: idOf(other) } } });
if (scenario === 'issue') await issue();
else await move();
await world.close();
