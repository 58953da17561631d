/**
 * A move by telephone with a kill in each of its steps and one between any two: every command that
 * was interrupted is given again, and must come to what it came to, or would have come to, before.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Ask } from './http.ts';
import { Lost } from './http.ts';
import type { Place } from './place.ts';
import { agreement, must, product } from './place.ts';
import type { Program } from './programs.ts';
import type { Chance } from './random.ts';
import { lookTogether } from './together.ts';

interface Step {
  readonly program: Program;
  readonly ask: Ask;
  /** What of the answer must be the same at every repetition. */
  readonly result: (answer: Answer) => unknown;
}

export class TelephoneMove {
  readonly #place: Place;
  readonly #chance: Chance;
  #steps = 0;

  constructor(place: Place, chance: Chance) {
    this.#place = place;
    this.#chance = chance;
  }

  /** Kills the program while it carries a command out, and again when it has answered. */
  async #step({ program, ask, result }: Step): Promise<Answer['body']> {
    this.#steps += 1;
    const where = `step ${this.#steps}, ${ask.path} on ${program.place.name}`;
    const asked = program.call(ask).catch(tolerateLost);
    await sleep(this.#chance.between(0, 7));
    await this.#killAndLook(program);
    const first = await asked;
    await program.start(0);
    const second = await program.call(ask);
    if (first !== undefined) assert.deepEqual(result(second), result(first), `${where}: given again`);
    await this.#killAndLook(program);
    await program.start(0);
    const third = await program.call(ask);
    assert.deepEqual(result(third), result(second), `${where}: given a third time`);
    return (first ?? second).body;
  }

  async #killAndLook(victim: Program): Promise<void> {
    const others = this.#place.programs.filter((each) => each !== victim);
    for (const each of others) each.pause();
    try {
      await victim.kill();
      lookTogether(this.#place);
    } finally {
      for (const each of others) each.resume();
    }
  }

  #desk(path: string, body: object): Promise<Answer['body']> {
    const key = `desk-${this.#steps}`;
    const ask = { method: 'POST', path: `/v1/desk/${path}`, body, key } as const;
    return this.#step({ program: this.#place.clearinghouse, ask, result: readOut });
  }

  #type(program: Program, body: object): Promise<Answer['body']> {
    const ask = { method: 'POST', path: '/v1/admin/codes', body: { ...body, confirmed: true } } as const;
    return this.#step({ program, ask, result: installed });
  }

  async activate(program: Program): Promise<void> {
    const serverId = this.#place.ids.get(program.place.name);
    const { code } = await this.#desk('activate', { agreement, serverId });
    await this.#type(program, { code });
  }

  async install(program: Program, type: 'device' | 'user', quantity: number): Promise<void> {
    const serverId = this.#place.ids.get(program.place.name);
    const { code } = await this.#desk('key-pack', { agreement, serverId, product, type, quantity });
    const { added } = (await this.#type(program, { code })) as { readonly added?: number };
    assert.ok(added === undefined || added === quantity);
  }

  /** From the source document: freeze, install, try, deactivate, install the held part. */
  async move(tryIt: () => Promise<void>): Promise<void> {
    const { old, next, ids } = this.#place;
    const from = ids.get('old');
    const to = ids.get('next');
    const line = { product, type: 'device' };
    await this.#desk('moves', { agreement, from, to, ...line, quantity: 'all', reason: 'replaced' });
    const freeze = { method: 'POST', path: '/v1/admin/telephone/freeze', body: { ...line, to, quantity: 'all' } } as const;
    const frozen = await this.#step({ program: old, ask: freeze, result: told });
    const unissued = await this.#desk('confirm', { code: frozen['code'] });
    await this.#type(next, { code: unissued['code'] });
    await tryIt();
    const deactivate = {
      ...{ method: 'POST', path: '/v1/admin/deactivate', body: { returnUnissued: true, by: 'telephone' } },
    } as const;
    const closed = await this.#step({ program: old, ask: deactivate, result: told });
    const codes = closed['codes'] as readonly { readonly code: string; readonly kind: string }[];
    assert.deepEqual(codes.map(({ kind }) => kind), ['returned', 'deactivated']);
    let held: unknown;
    for (const { code } of codes) held = (await this.#desk('confirm', { code }))['code'];
    await this.#type(next, { code: held, from });
  }
}

function tolerateLost(error: unknown): undefined {
  if (!(error instanceof Lost)) throw error;
}

const good = (answer: Answer): Answer['body'] => {
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
};

/** What the representative reads out. */
function readOut(answer: Answer): unknown {
  const { code, codes, next } = good(answer);
  return { code, codes, next };
}

/** What the server gives to read: the same code again, never another one for the same act. */
function told(answer: Answer): unknown {
  const { code, codes, unissued, held } = good(answer);
  return { code, codes, unissued, held };
}

/** What a code came to; typed again, the refusal tells the same numbers. */
function installed(answer: Answer): unknown {
  const again = answer.body['code'] === 'already-applied';
  if (!again) good(answer);
  const { added, installed: total } = (again ? answer.body['details'] : answer.body) as Record<string, unknown>;
  return { added, installed: total };
}

/** A device's license on a server; with `source` it shows what it has from another one. */
export async function licenseOf(server: Program, name: string, source?: object): Promise<Answer['body']> {
  const path = `/v1/licenses/${product}/devices/${name}`;
  const ask = { method: 'PUT', path, ...(source === undefined ? {} : { body: { source } }) } as const;
  const first = await must(server, ask);
  if (first['kind'] === 'permanent') return first;
  await must(server, { method: 'POST', path: `${path}/validate` });
  return must(server, ask);
}
