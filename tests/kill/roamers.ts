/**
 * Devices that live through moves: each asks where its license was last, goes where it is sent, and
 * remembers the origin that it was told. Whoever was told of a CAL must find that very CAL again.
 */
import assert from 'node:assert/strict';
import type { Answer } from './http.ts';
import { Lost } from './http.ts';
import type { Place } from './place.ts';
import { product } from './place.ts';
import type { Program } from './programs.ts';
import type { Chance } from './random.ts';
import type { Together } from './together.ts';

interface Roamer {
  readonly name: string;
  at: Program;
  busy: boolean;
  /** The origin of its CAL, as told; undefined while it has none, or gave it back. */
  origin: string | undefined;
  /** Its pseudonym, once an image has shown it. */
  sub: string | undefined;
  validated: boolean;
  /** A return is under way, or its answer was lost: it may have its CAL or not. */
  returning: boolean;
}

export interface Roamed {
  readonly answers: number;
  readonly renewed: number;
  readonly sentOn: number;
  readonly takenOver: number;
  readonly returned: number;
  readonly lost: number;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export class Roamers {
  readonly #place: Place;
  readonly #chance: Chance;
  readonly #all: Roamer[] = [];
  readonly #roamed: Mutable<Roamed> = {
    answers: 0,
    renewed: 0,
    sentOn: 0,
    takenOver: 0,
    returned: 0,
    lost: 0,
  };

  constructor(place: Place, chance: Chance) {
    this.#place = place;
    this.#chance = chance;
  }

  get roamed(): Roamed {
    return this.#roamed;
  }

  add(at: Program, name: string): void {
    const nothing = { origin: undefined, sub: undefined, validated: false, returning: false };
    this.#all.push({ name, at, busy: false, ...nothing });
  }

  /** All ask until each has a CAL; for the beginning, when nothing is killed. */
  async settle(): Promise<void> {
    for (const roamer of this.#all) {
      while (roamer.origin === undefined) await this.#step(roamer);
    }
  }

  /** One of them does what it wants next; answers false where its server is down. */
  async one(): Promise<boolean> {
    const roamer = this.#chance.pick(this.#all);
    if (roamer.busy) return true;
    roamer.busy = true;
    try {
      await this.#step(roamer);
      return true;
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      this.#roamed.lost += 1;
      return false;
    } finally {
      roamer.busy = false;
    }
  }

  async #step(roamer: Roamer): Promise<void> {
    if (roamer.returning) return this.#request(roamer);
    if (roamer.origin === undefined && !roamer.validated) {
      await this.#request(roamer);
      if (roamer.origin === undefined) return this.#validate(roamer);
    }
    if (roamer.origin !== undefined && this.#chance.happens(0.01)) return this.#giveBack(roamer);
    return this.#request(roamer);
  }

  async #call(roamer: Roamer, method: 'PUT' | 'POST' | 'DELETE', more = ''): Promise<Answer> {
    const path = `/v1/licenses/${product}/devices/${roamer.name}${more}`;
    const answer = await roamer.at.call({ method, path });
    this.#roamed.answers += 1;
    return answer;
  }

  async #request(roamer: Roamer): Promise<void> {
    const answer = await this.#call(roamer, 'PUT');
    const { code, kind, origin, status } = answer.body;
    if (code === 'license-moved') return this.#goOn(roamer, answer);
    if (kind === 'temporary' || code === 'temporary-cap' || code === 'none-available') {
      const kept = roamer.origin !== undefined && !roamer.returning;
      assert.ok(
        !kept,
        `${roamer.name} had ${roamer.origin}; ${roamer.at.place.name} answers ${answer.text.slice(0, 200)}`,
      );
      roamer.origin = undefined;
      roamer.returning = false;
      return;
    }
    assert.equal(kind, 'permanent', `${roamer.name} at ${roamer.at.place.name}: ${answer.text}`);
    if (roamer.origin !== undefined && !roamer.returning) {
      assert.equal(origin, roamer.origin, `${roamer.name} at ${roamer.at.place.name}: the same CAL`);
      if (status === 'issued') this.#roamed.takenOver += 1;
    }
    if (status === 'renewed') this.#roamed.renewed += 1;
    roamer.origin = String(origin);
    roamer.returning = false;
  }

  #goOn(roamer: Roamer, answer: Answer): void {
    const { licenseServerId } = answer.body['details'] as { readonly licenseServerId: string };
    const next = this.#place.programs.find(
      ({ place }) => this.#place.ids.get(place.name) === licenseServerId,
    );
    assert.ok(next !== undefined && next !== roamer.at, `${roamer.name} is sent on: ${answer.text}`);
    roamer.at = next;
    this.#roamed.sentOn += 1;
  }

  async #validate(roamer: Roamer): Promise<void> {
    const answer = await this.#call(roamer, 'POST', '/validate');
    // Without a temporary license (its server had none to give) there is nothing to validate.
    roamer.validated = answer.status === 200;
  }

  async #giveBack(roamer: Roamer): Promise<void> {
    roamer.returning = true;
    const answer = await this.#call(roamer, 'DELETE');
    const code = answer.body['code'];
    // Held for a move, or gone with one: it keeps what it has, and finds it by asking.
    if (code === 'move-open' || code === 'license-unknown') {
      roamer.returning = false;
      return;
    }
    assert.equal(answer.status, 200, `${roamer.name}: ${answer.text}`);
    roamer.origin = undefined;
    roamer.returning = false;
    roamer.validated = false;
    this.#roamed.returned += 1;
  }

  /** Whoever was told of a CAL has it, on one server or the other, with holder and origin as told. */
  check({ servers }: Together): void {
    const subs = new Map<string, string>();
    const origins = new Map<string, string>();
    for (const image of servers.values()) {
      for (const { holder, sub } of image.live) subs.set(holder, sub);
      for (const { sub, origin } of [...image.live, ...image.waiting]) origins.set(sub, origin);
    }
    for (const roamer of this.#all) {
      roamer.sub = subs.get(roamer.name) ?? roamer.sub;
      if (roamer.origin === undefined || roamer.returning || roamer.sub === undefined) continue;
      assert.equal(origins.get(roamer.sub), roamer.origin, `${roamer.name}: its CAL, after a kill`);
    }
  }

  /** When no move is under way: whoever has a CAL has it in one place, and has come for it. */
  checkSettled({ servers }: Together): void {
    const live = new Map<string, number>();
    const images = [...servers.values()];
    for (const { holder } of images.flatMap((image) => image.live))
      live.set(holder, (live.get(holder) ?? 0) + 1);
    for (const { name, origin } of this.#all) {
      if (origin !== undefined) assert.equal(live.get(name), 1, `${name}: licenses on both servers together`);
    }
  }

  /** At the end: each asks once more, where its license was last. */
  async askAll(): Promise<void> {
    for (const roamer of this.#all) {
      if (roamer.origin === undefined && !roamer.returning) continue;
      const before = roamer.at;
      await this.#request(roamer);
      if (roamer.at !== before) await this.#request(roamer);
    }
  }
}
