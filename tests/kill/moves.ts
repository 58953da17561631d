/**
 * Moves while everything is being killed: one drives moves back and forth as `calyx server move` does,
 * the other kills at random and looks at all programs in the instant of each kill.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { dayMs } from '../../src/core/time.ts';
import type { Over } from './beside.ts';
import { beside } from './beside.ts';
import type { Answer, Ask } from './http.ts';
import { tolerateLost } from './http.ts';
import type { Place } from './place.ts';
import { activate, agreement, contact, install, persist, product, sell } from './place.ts';
import type { Program } from './programs.ts';
import type { Chance } from './random.ts';
import type { Roamed } from './roamers.ts';
import { Roamers } from './roamers.ts';
import { lookStopped, lookTogether } from './together.ts';

/** Licenses last 52 to 89 days: on day 51 some want to be renewed, and none has lapsed. */
const aheadMs = 51 * dayMs;
/** How long one move may take, kills and all. */
const mostMoveMs = 120_000;
/** Fewer than that are not worth a move of their own. */
const fewest = 10;

interface Order {
  readonly number: number;
  readonly from: Program;
  readonly to: Program;
  readonly quantity: number | 'all';
}

export class Moving {
  readonly #place: Place;
  readonly #chance: Chance;
  readonly #roamers: Roamers;
  #moves = 0;

  constructor(place: Place, chance: Chance) {
    this.#place = place;
    this.#chance = chance;
    this.#roamers = new Roamers(place, chance);
  }

  get moves(): number {
    return this.#moves;
  }

  get roamed(): Roamed {
    return this.#roamers.roamed;
  }

  /** 100 CALs on the old server, 60 of them with holders; 51 days later 20 newcomers join them. */
  async prepare(): Promise<void> {
    const { clearinghouse, old, next, programs } = this.#place;
    for (const program of programs) await program.start(0);
    await sell(clearinghouse, { device: 200, user: 10 });
    await activate(old);
    await activate(next);
    await install(old, 'device', 100);
    for (let index = 0; index < 60; index += 1) this.#roamers.add(old, `device-${index}`);
    await this.#roamers.settle();
    for (const program of programs) {
      await program.kill();
      await program.start(aheadMs);
    }
    for (let index = 60; index < 80; index += 1) {
      this.#roamers.add(this.#chance.pick([old, next]), `device-${index}`);
    }
  }

  /** Moves and kills until there were so many kills, and ends with the move that is then under way. */
  async kill(times: number): Promise<void> {
    this.#place.gate.carrier = this.#place.gate.rough;
    let kills = 0;
    const killing = async (over: Over): Promise<void> => {
      while (!over()) kills += await this.#killOne();
    };
    const roaming = async (over: Over): Promise<void> => {
      while (!over()) await sleep((await this.#roamers.one()) ? 2 : 15);
    };
    await beside(
      async (over) => {
        while (kills < times && !over()) await this.#moveAny(over);
      },
      [killing, roaming, roaming, roaming, roaming],
    );
  }

  /** A move of some or all from wherever there are enough. */
  async #moveAny(over: Over): Promise<void> {
    this.#moves += 1;
    const { old, next } = this.#place;
    const [one, other] = this.#chance.happens(0.5) ? [old, next] : [next, old];
    const there = await installedOn(one);
    const [from, to] = there >= fewest ? [one, other] : [other, one];
    const most = there >= fewest ? there : await installedOn(other);
    const quantity = this.#chance.happens(0.5) ? 'all' : this.#chance.between(1, most);
    await this.#move({ number: this.#moves, from, to, quantity }, over);
  }

  /** One move, from the request to the end on all three programs. */
  async #move({ number, from, to, quantity }: Order, over: Over): Promise<void> {
    const target = this.#place.ids.get(to.place.name);
    const body = {
      agreement,
      to: target,
      product,
      type: 'device',
      quantity,
      reason: 'replaced',
      hold: false,
    };
    const ask: Ask = { method: 'POST', path: '/v1/admin/moves', body, key: `move-${number}` };
    const started = await persist(from, ask);
    assert.equal(
      started.status,
      200,
      `move ${number} of ${quantity} from ${from.place.name}: ${started.text}`,
    );
    const id = String(started.body['id']);
    const until = Date.now() + mostMoveMs;
    for (;;) {
      const states = await this.#states(id, { from, to });
      if (over() || states.every((state) => state === 'closed')) return;
      assert.ok(Date.now() < until, `move ${number} (${id}) does not end: ${states.join(', ')}`);
      if (this.#chance.happens(0.3)) await poke(this.#chance.pick([from, to]));
      await sleep(this.#chance.between(10, 60));
    }
  }

  async #states(id: string, { from, to }: Pick<Order, 'from' | 'to'>): Promise<readonly string[]> {
    const at: readonly (readonly [Program, string])[] = [
      [from, `/v1/admin/moves/${id}`],
      [this.#place.clearinghouse, `/v1/desk/moves/${id}`],
      [to, `/v1/admin/moves/${id}`],
    ];
    const states: string[] = [];
    for (const [program, path] of at) {
      const answer = await program.call({ method: 'GET', path }).catch(tolerateLost);
      states.push(answer === undefined ? 'down' : stateOf(answer));
    }
    return states;
  }

  /** Kills one program at a random moment, looks at all of them in that instant, and starts it again. */
  async #killOne(): Promise<number> {
    const chance = this.#chance;
    await sleep(chance.between(30, 330));
    const victim = chance.pick(this.#place.programs);
    await lookStopped(this.#place, async () => {
      await victim.kill();
      this.#roamers.check(lookTogether(this.#place));
    });
    if (chance.happens(0.3)) await sleep(chance.between(50, 400));
    const again = chance.happens(0.15);
    if (again) await victim.startUntil(aheadMs, sleep(chance.between(0, 80)));
    await victim.start(aheadMs);
    return again ? 2 : 1;
  }

  /** At the end: nothing is under way any more, and everybody finds their CAL again, once. */
  async settle(): Promise<void> {
    const { old, next, gate } = this.#place;
    gate.carrier = undefined;
    for (const server of [old, next]) await poke(server);
    await this.#roamers.askAll();
    await lookStopped(this.#place, async () => {
      const together = lookTogether(this.#place, true);
      this.#roamers.check(together);
      this.#roamers.checkSettled(together);
      for (const line of together.clearinghouse.lines) {
        const own = [...together.servers.values()].flatMap(({ lines }) => lines);
        const assignable = own
          .filter((each) => each.line === line.line)
          .reduce((sum, each) => sum + each.installed - each.held, 0);
        assert.equal(line.inTransit, 0);
        assert.equal(
          assignable,
          line.committed,
          `line ${line.line}: what is out there is what was committed`,
        );
      }
    });
  }
}

const stateOf = ({ body }: Answer): string => String(body['state'] ?? body['code']);

/** How many device CALs are installed on a server. */
export async function installedOn(server: Program): Promise<number> {
  const packs = await persist(server, { method: 'GET', path: '/v1/admin/packs' });
  const items = packs.body['items'] as readonly { readonly type: string; readonly installed: number }[];
  return items.find((pack) => pack.type === 'device')?.installed ?? 0;
}

/** What an impatient administrator does. */
async function poke(server: Program): Promise<void> {
  await server.call(contact).catch(tolerateLost);
}
