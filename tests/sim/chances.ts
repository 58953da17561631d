/** Chance for a simulation: one stream for each step, so that leaving a step out does not change the others. */
import type { Random } from '../../src/platform/random.ts';
import { Chance } from '../kill/random.ts';

/** A stream that belongs to one step of one seed, and to one purpose. */
export function chanceOf(seed: number, step: number, purpose: number): Chance {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13) ^ (step + 1), 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 16) ^ (purpose + 1), 0x27d4eb2f);
  return new Chance((mixed ^ (mixed >>> 15)) >>> 0);
}

/** What programs draw from: keys, ids, nonces and the length of leases. */
export class SeededRandom implements Random {
  #chance = new Chance(1);

  useStep(seed: number, step: number): void {
    this.#chance = chanceOf(seed, step, 7);
  }

  bytes = (length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 1) bytes[at] = this.#chance.between(0, 255);
    return bytes;
  };

  between = (low: number, high: number): number => this.#chance.between(low, high);
}

/** One of the names, each as likely as its weight says. */
export function pickWeighted<Name extends string>(
  chance: Chance,
  weights: Readonly<Record<Name, number>>,
): Name {
  const names = Object.keys(weights) as Name[];
  const total = names.reduce((sum, name) => sum + weights[name], 0);
  let left = chance.next() * total;
  for (const name of names) {
    left -= weights[name];
    if (left < 0) return name;
  }
  return chance.pick(names);
}
