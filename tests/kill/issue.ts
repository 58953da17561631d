/** A license server that is killed time and again under load, while months go by. */
import { setTimeout as sleep } from 'node:timers/promises';
import { dayMs } from '../../src/core/time.ts';
import { beside } from './beside.ts';
import type { Counted } from './devices.ts';
import { Devices } from './devices.ts';
import type { ServerImage } from './image.ts';
import { readServer } from './image.ts';
import type { Place } from './place.ts';
import { activate, install, sell } from './place.ts';
import type { Program } from './programs.ts';
import type { Chance } from './random.ts';

/** So many requests are under way at once. */
const atOnce = 12;

/**
 * How far the server lives in the future, by the part of the kills that is behind: a while in the
 * present, until licenses are about; then the days in which the shortest leases want renewal (52 to 89
 * days long), but not beyond the horizon of the activation, which is three months at least.
 */
function aheadAt(part: number): number {
  return Math.floor(part < 0.3 ? 0 : (45 + ((part - 0.3) / 0.7) * 40) * dayMs);
}

export class Issuing {
  readonly #place: Place;
  readonly #chance: Chance;
  readonly #server: Program;
  readonly #devices: Devices;

  constructor(place: Place, chance: Chance) {
    this.#place = place;
    this.#chance = chance;
    this.#server = place.old;
    this.#devices = new Devices(place.old, chance, { device: 150, user: 30 });
  }

  get counted(): Counted {
    return this.#devices.counted;
  }

  /** An activated server with fewer CALs than there are devices and users. */
  async prepare(): Promise<void> {
    const { clearinghouse } = this.#place;
    await clearinghouse.start(0);
    await this.#server.start(0);
    await sell(clearinghouse, { device: 1000, user: 1000 });
    await activate(this.#server);
    await install(this.#server, 'device', 120);
    await install(this.#server, 'user', 25);
    await this.#server.kill();
  }

  async kill(times: number): Promise<void> {
    for (let round = 0; round < times; round += 1) {
      const aheadMs = aheadAt(round / times);
      if (this.#chance.happens(0.05)) await this.#killWhileStarting(aheadMs);
      await this.#server.start(aheadMs);
      await this.#killUnderLoad(aheadMs);
      this.#devices.check(this.#look(), Date.now() + aheadMs);
    }
  }

  async #killWhileStarting(aheadMs: number): Promise<void> {
    await this.#server.startUntil(aheadMs, sleep(this.#chance.between(0, 60)));
    this.#devices.check(this.#look(), Date.now() + aheadMs);
  }

  /** After some answers, a few or many, and in the middle of those under way. */
  async #killUnderLoad(aheadMs: number): Promise<void> {
    await beside(
      async (over) => {
        const until = this.counted.answers + this.#chance.between(0, 90);
        while (this.counted.answers < until && !over()) await sleep(1);
        await sleep(this.#chance.between(0, 8));
      },
      Array.from({ length: atOnce }, () => async (over) => {
        while (!over() && (await this.#devices.one(Date.now() + aheadMs)));
      }),
      () => this.#server.kill(),
    );
  }

  #look(thoroughly = false): ServerImage {
    const { name } = this.#server.place;
    return this.#place.witnessOf(name).look(readServer(name), thoroughly);
  }

  /** At the end: everybody asks once more, and the whole journal is replayed. */
  async settle(): Promise<void> {
    const aheadMs = aheadAt(1);
    await this.#server.start(aheadMs);
    await this.#devices.askAll(Date.now() + aheadMs);
    await this.#server.kill();
    this.#devices.check(this.#look(true), Date.now() + aheadMs);
  }
}
