/**
 * Moves while everything is being killed: one drives moves back and forth as `calyx server move` does,
 * the other kills at random and looks at all programs in the instant of each kill.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lost } from './http.ts';
import type { Place } from './place.ts';
import { agreement, persist, product } from './place.ts';
import type { Program } from './programs.ts';
import type { Chance } from './random.ts';
import type { Roamers } from './roamers.ts';
import { lookTogether } from './together.ts';

/** How long one move may take, kills and all. */
const mostMoveMs = 60_000;

/** Waits until a program that was killed is there again. */
export async function isUp(program: Program): Promise<void> {
  while (program.port === undefined) await sleep(10);
}

/** How many device CALs are installed on a server. */
export async function installedOn(server: Program): Promise<number> {
  const packs = await persist(server, { method: 'GET', path: '/v1/admin/packs' }, () => isUp(server));
  const items = packs.body['items'] as readonly { readonly type: string; readonly installed: number }[];
  return items.find((pack) => pack.type === 'device')?.installed ?? 0;
}

interface Order {
  readonly number: number;
  readonly from: Program;
  readonly to: Program;
  readonly quantity: number | 'all';
}

/** One move, from the request to the end on all three programs. */
export async function move(place: Place, chance: Chance, order: Order, over: () => boolean): Promise<void> {
  const { from, to, quantity, number } = order;
  const target = place.ids.get(to.place.name);
  const body = { agreement, to: target, product, type: 'device', quantity, reason: 'replaced', hold: false };
  const ask = { method: 'POST', path: '/v1/admin/moves', body, key: `move-${number}` } as const;
  const started = await persist(from, ask, () => isUp(from));
  assert.equal(started.status, 200, `move ${number} of ${quantity} from ${from.place.name}: ${started.text}`);
  const id = String(started.body['id']);
  const until = Date.now() + mostMoveMs;
  for (;;) {
    const states = await statesOf(place, order, id);
    if (over() || states.every((state) => state === "closed")) return;
    assert.ok(Date.now() < until, `move ${number} (${id}) does not end: ${states.join(', ')}`);
    if (chance.happens(0.15)) await poke(chance.pick([from, to]));
    await sleep(chance.between(10, 60));
  }
}

async function statesOf(place: Place, { from, to }: Order, id: string): Promise<readonly string[]> {
  const at: readonly (readonly [Program, string])[] = [
    [from, `/v1/admin/moves/${id}`],
    [place.clearinghouse, `/v1/desk/moves/${id}`],
    [to, `/v1/admin/moves/${id}`],
  ];
  const states: string[] = [];
  for (const [program, path] of at) {
    const answer = await program.call({ method: 'GET', path }).catch(tolerateLost);
    states.push(answer === undefined ? 'down' : String(answer.body['state'] ?? answer.body['code']));
  }
  return states;
}

/** What an impatient administrator does. */
async function poke(server: Program): Promise<void> {
  await server.call({ method: 'POST', path: '/v1/admin/contact', body: { waitMs: 0 } }).catch(tolerateLost);
}

function tolerateLost(error: unknown): undefined {
  if (!(error instanceof Lost)) throw error;
}

export interface Killing {
  readonly place: Place;
  readonly chance: Chance;
  readonly roamers: Roamers;
  readonly aheadMs: number;
}

/** Kills one program at a random moment, looks at all of them in that instant, and starts it again. */
export async function killOne({ place, chance, roamers, aheadMs }: Killing): Promise<void> {
  await sleep(chance.between(60, 450));
  const victim = chance.pick(place.programs);
  const others = place.programs.filter((each) => each !== victim);
  for (const each of others) each.pause();
  try {
    await victim.kill();
    roamers.check(lookTogether(place));
  } finally {
    for (const each of others) each.resume();
  }
  await sleep(chance.happens(0.3) ? chance.between(50, 400) : 0);
  if (chance.happens(0.15)) await killWhileStarting(victim, { chance, aheadMs });
  await victim.start(aheadMs);
}

/** A kill in the middle of opening the database again. */
async function killWhileStarting(
  victim: Program,
  { chance, aheadMs }: Pick<Killing, 'chance' | 'aheadMs'>,
): Promise<void> {
  const starting = victim.start(aheadMs).catch(tolerateLost);
  await sleep(chance.between(0, 80));
  await victim.kill();
  await starting;
}
