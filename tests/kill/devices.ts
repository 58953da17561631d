/**
 * Devices and users that ask one license server for licenses, several at a time, and remember every
 * answer that they were given. An answer that did not come is asked for again: it is not known what
 * became of it, and until it is, both outcomes are allowed.
 */
import assert from 'node:assert/strict';
import { readPayload } from '../../src/protocol/paseto.ts';
import type { Answer } from './http.ts';
import { Lost } from './http.ts';
import type { LiveLicense, ServerImage } from './image.ts';
import { product } from './place.ts';
import type { Program } from './programs.ts';
import type { Chance } from './random.ts';

type Act = 'request' | 'validate' | 'return';

/** What a holder was told. */
interface Told {
  readonly unit: number;
  readonly origin: string;
  /** Names the token. Its text may differ: its footer names the bundle, which changes with the server. */
  readonly jti: string;
  readonly expiresAt: number;
}

interface Holder {
  readonly name: string;
  readonly type: 'device' | 'user';
  busy: boolean;
  permanent: Told | undefined;
  /** The name of its temporary license. */
  temporary: string | undefined;
  validated: boolean;
  /** Asked, and no answer came. */
  doubt: Act | undefined;
  /** What the crash image showed of it while it was in doubt. */
  shown: LiveLicense | undefined;
}

export interface Counted {
  readonly answers: number;
  readonly issued: number;
  readonly renewed: number;
  readonly returned: number;
  readonly refused: number;
  /** Answers that a kill swallowed, and how many of them had been carried out all the same. */
  readonly doubts: number;
  readonly carriedOut: number;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const refusals = new Set(['none-available', 'temporary-cap']);

export class Devices {
  readonly #server: Program;
  readonly #chance: Chance;
  readonly #holders: Holder[] = [];
  readonly #counted: Mutable<Counted> = {
    ...{ answers: 0, issued: 0, renewed: 0, returned: 0, refused: 0, doubts: 0, carriedOut: 0 },
  };

  constructor(server: Program, chance: Chance, many: { readonly device: number; readonly user: number }) {
    this.#server = server;
    this.#chance = chance;
    for (const type of ['device', 'user'] as const) {
      for (let index = 0; index < many[type]; index += 1)
        this.#holders.push(newHolder(type, `${type}-${index}`));
    }
  }

  get counted(): Counted {
    return this.#counted;
  }

  /** One holder does what it wants next; answers false where the server is gone. */
  async one(nowMs: number): Promise<boolean> {
    const holder = this.#free();
    if (holder === undefined) return true;
    holder.busy = true;
    try {
      await this.#act(holder, nowMs);
      return true;
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      this.#counted.doubts += 1;
      return false;
    } finally {
      holder.busy = false;
    }
  }

  /** Every holder that is in doubt asks again, and every license is asked for once more. */
  async askAll(nowMs: number): Promise<void> {
    for (const holder of this.#holders) {
      if (holder.doubt !== undefined) await this.#act(holder, nowMs);
      if (holder.permanent !== undefined) await this.#request(holder, nowMs);
    }
  }

  #free(): Holder | undefined {
    for (let tries = 0; tries < 20; tries += 1) {
      const holder = this.#chance.pick(this.#holders);
      if (!holder.busy) return holder;
    }
    return undefined;
  }

  async #act(holder: Holder, nowMs: number): Promise<void> {
    const act = holder.doubt ?? this.#wish(holder);
    if (act === 'request') await this.#request(holder, nowMs);
    else if (act === 'validate') await this.#validate(holder, nowMs);
    else await this.#giveBack(holder, nowMs);
  }

  #wish(holder: Holder): Act {
    if (holder.permanent !== undefined) {
      const luck = this.#chance.next();
      if (luck < 0.03) return 'return';
      return luck < 0.1 ? 'validate' : 'request';
    }
    return holder.temporary !== undefined && !holder.validated ? 'validate' : 'request';
  }

  async #call(holder: Holder, act: Act): Promise<Answer> {
    holder.doubt = act;
    const group = holder.type === 'device' ? 'devices' : 'users';
    const path = `/v1/licenses/${product}/${group}/${holder.name}`;
    const asks = {
      request: { method: 'PUT', path },
      validate: { method: 'POST', path: `${path}/validate` },
      return: { method: 'DELETE', path },
    } as const;
    const answer = await this.#server.call(asks[act]);
    holder.doubt = undefined;
    this.#counted.answers += 1;
    return answer;
  }

  async #request(holder: Holder, nowMs: number): Promise<void> {
    const answer = await this.#call(holder, 'request');
    if (answer.status >= 400) this.#refused(holder, answer, nowMs);
    else this.#take(holder, answer, nowMs);
    // From here on what it was told counts, no longer what the last kill had shown.
    holder.shown = undefined;
  }

  #take(holder: Holder, answer: Answer, nowMs: number): void {
    const { permanent, temporary, shown } = holder;
    const { kind, status, token, unit, origin, expiresAt } = answer.body;
    const jti = jtiOf(String(token));
    if (kind === 'temporary') {
      if (temporary !== undefined) assert.equal(jti, temporary, `${holder.name}: its temporary license`);
      holder.temporary = jti;
      const latest = shown ?? permanent;
      const over = latest === undefined || hasLapsed(latest, nowMs);
      assert.ok(over, `${holder.name} had unit ${latest?.unit} and gets a temporary license`);
      holder.permanent = undefined;
      return;
    }
    const told = {
      ...{ unit: Number(unit), origin: String(origin), jti },
      expiresAt: Date.parse(String(expiresAt)),
    };
    checkKept(holder, { told, status: String(status), nowMs });
    this.#checkAlone(holder, told, nowMs);
    if (status === 'issued') this.#counted.issued += 1;
    if (status === 'renewed') this.#counted.renewed += 1;
    holder.permanent = told;
  }

  /** No two holders were told the same unit. */
  #checkAlone(holder: Holder, told: Told, nowMs: number): void {
    for (const other of this.#holders) {
      if (other === holder || other.type !== holder.type || other.permanent?.unit !== told.unit) continue;
      const over = other.doubt === 'return' || hasLapsed(other.permanent, nowMs);
      assert.ok(over, `${holder.name} and ${other.name} were both told unit ${told.unit}`);
    }
  }

  #refused(holder: Holder, answer: Answer, nowMs: number): void {
    const code = String(answer.body['code']);
    assert.ok(refusals.has(code), `${holder.name}: ${answer.text}`);
    const latest = holder.shown ?? holder.permanent;
    const over = latest === undefined || hasLapsed(latest, nowMs);
    assert.ok(over, `${holder.name} had unit ${latest?.unit} and is refused: ${code}`);
    holder.permanent = undefined;
    this.#counted.refused += 1;
  }

  async #validate(holder: Holder, nowMs: number): Promise<void> {
    const answer = await this.#call(holder, 'validate');
    // A user whose license has lapsed meanwhile has nothing that could be validated.
    if (answer.status === 404 && holder.type === 'user' && hasLapsed(holder.permanent, nowMs)) return;
    assert.equal(answer.status, 200, `${holder.name}: ${answer.text}`);
    holder.validated = true;
  }

  async #giveBack(holder: Holder, nowMs: number): Promise<void> {
    const again = holder.doubt === 'return';
    const { permanent } = holder;
    const answer = await this.#call(holder, 'return');
    holder.permanent = undefined;
    holder.shown = undefined;
    if (answer.status === 404) {
      // It was carried out before the kill; or the license had lapsed and was swept.
      assert.equal(answer.body['code'], 'license-unknown');
      assert.ok(again || hasLapsed(permanent, nowMs), `${holder.name}: ${answer.text}`);
      return;
    }
    assert.equal(answer.status, 200, `${holder.name}: ${answer.text}`);
    assert.equal(answer.body['unit'], permanent?.unit, `${holder.name}: the unit that it gave back`);
    this.#counted.returned += 1;
  }

  /** Holds the image of a killed server against everything that was told before. */
  check(image: ServerImage, nowMs: number): void {
    const live = new Map(image.live.map((license) => [license.holder, license]));
    assert.equal(live.size, image.live.length, 'no holder has two licenses');
    for (const holder of this.#holders) {
      const license = live.get(holder.name);
      live.delete(holder.name);
      checkHolder(holder, license, nowMs);
      checkTemporary(holder, image);
      // A first request that was lost is answered with what it had come to.
      holder.temporary ??= image.temporaries.get(holder.name)?.jti;
      if (holder.doubt !== undefined && wasCarriedOut(holder, license)) this.#counted.carriedOut += 1;
      holder.shown = holder.doubt === undefined || holder.doubt === 'return' ? undefined : license;
    }
    assert.deepEqual([...live.keys()], [], 'licenses that nobody asked for');
  }
}

/** The id that stands in a token. */
function jtiOf(token: string): string {
  const jti = readPayload(token)?.['jti'];
  assert.ok(typeof jti === 'string', `no token: ${token}`);
  return jti;
}

/** Whoever let a license lapse may find that its unit has gone back to the pool. */
function hasLapsed(license: { readonly expiresAt: number } | undefined, nowMs: number): boolean {
  return license !== undefined && license.expiresAt <= nowMs;
}

function newHolder(type: Holder['type'], name: string): Holder {
  const nothing = { permanent: undefined, temporary: undefined, doubt: undefined, shown: undefined };
  return { name, type, busy: false, validated: false, ...nothing };
}

/** Who has a license keeps unit and origin, and the token until it is renewed. */
function checkKept(
  holder: Holder,
  now: { readonly told: Told; readonly status: string; readonly nowMs: number },
): void {
  const { told, status, nowMs } = now;
  // What a kill has shown is newer than what was told before it.
  const latest = holder.shown ?? holder.permanent;
  if (latest !== undefined && (!hasLapsed(latest, nowMs) || status !== 'issued')) {
    assert.deepEqual(
      { unit: told.unit, origin: told.origin },
      { unit: latest.unit, origin: latest.origin },
      `${holder.name}: the same license again (${status})`,
    );
  }
  if (status === 'unchanged') assert.equal(told.jti, latest?.jti ?? told.jti, `${holder.name}: unchanged`);
  else if (status === 'renewed')
    assert.ok(told.expiresAt > (latest?.expiresAt ?? 0), `${holder.name}: renewed`);
  else assert.ok(latest === undefined || hasLapsed(latest, nowMs), `${holder.name}: issued anew`);
}

/** What the server has after the kill is what the holder was told, or what it asked for last. */
function checkHolder(holder: Holder, license: LiveLicense | undefined, nowMs: number): void {
  const { permanent, doubt, name } = holder;
  if (permanent === undefined) {
    assert.ok(
      license === undefined || license.mayBeEnded || doubt === 'request',
      `${name} was never told of unit ${license?.unit}`,
    );
    return;
  }
  if (license === undefined) {
    const over = doubt === 'return' || hasLapsed(permanent, nowMs);
    assert.ok(over, `${name} was told unit ${permanent.unit}, and it is lost`);
    return;
  }
  if (hasLapsed(permanent, nowMs) && doubt === 'request') return;
  const { unit, origin } = license;
  assert.deepEqual(
    { unit, origin },
    { unit: permanent.unit, origin: permanent.origin },
    `${name}: after the kill`,
  );
  if (license.jti === permanent.jti) return;
  assert.equal(doubt, 'request', `${name}: another token than it was told`);
  assert.ok(license.expiresAt > permanent.expiresAt, `${name}: the lease went back`);
}

function checkTemporary(holder: Holder, image: ServerImage): void {
  const row = image.temporaries.get(holder.name);
  const { name, doubt, temporary, validated } = holder;
  if (temporary === undefined) {
    assert.ok(row === undefined || doubt === 'request', `${name}: a temporary license nobody was told of`);
    return;
  }
  assert.equal(row?.jti, temporary, `${name}: its temporary license after the kill`);
  assert.ok(row.validated === validated || doubt === 'validate', `${name}: whether it had signed in`);
}

function wasCarriedOut({ doubt, permanent }: Holder, license: LiveLicense | undefined): boolean {
  if (doubt === 'return') return license === undefined || license.mayBeEnded;
  return doubt === 'request' && license !== undefined && license.jti !== permanent?.jti;
}
