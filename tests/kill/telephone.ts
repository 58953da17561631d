/**
 * A move by telephone with a kill in each of its steps and one between any two: every command that
 * was interrupted is given again, and must come to what it came to, or would have come to, before.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Ask } from './http.ts';
import { tolerateLost } from './http.ts';
import type { Place } from './place.ts';
import { agreement, must, product, sell } from './place.ts';
import type { Program } from './programs.ts';
import type { Chance } from './random.ts';
import { lookStopped, lookTogether } from './together.ts';

interface Step {
  readonly program: Program;
  readonly ask: Ask;
  /** What of the answer must be the same at every repetition. */
  readonly result: (answer: Answer) => unknown;
}

export class TelephoneMove {
  readonly #place: Place;
  readonly #chance: Chance;
  /** What the devices got from the old server. */
  readonly #holders = new Map<string, Answer['body']>();
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
    await lookStopped(this.#place, async () => {
      await victim.kill();
      lookTogether(this.#place);
    });
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

  get steps(): number {
    return this.#steps;
  }

  /** The old server with 40 CALs for devices, 12 of them with holders, and 10 for users; the new one activated. */
  async prepare(): Promise<void> {
    const { clearinghouse, old, next, programs } = this.#place;
    for (const program of programs) await program.start(0);
    await sell(clearinghouse, { device: 100, user: 20 });
    const kit = await must(clearinghouse, { method: 'POST', path: `/v1/agreements/${agreement}/kit` });
    for (const server of [old, next]) {
      await must(server, { method: 'POST', path: '/v1/admin/kits', body: { file: kit['file'] } });
    }
    await this.#activate(old);
    await this.#install(old, 'device', 40);
    await this.#install(old, 'user', 10);
    await this.#activate(next);
    for (let index = 0; index < 12; index += 1) {
      const name = `device-${index}`;
      this.#holders.set(name, await licenseOf(old, name));
    }
  }

  async #activate(program: Program): Promise<void> {
    const serverId = this.#place.ids.get(program.place.name);
    const { code } = await this.#desk('activate', { agreement, serverId });
    await this.#type(program, { code });
  }

  async #install(program: Program, type: 'device' | 'user', quantity: number): Promise<void> {
    const serverId = this.#place.ids.get(program.place.name);
    const { code } = await this.#desk('key-pack', { agreement, serverId, product, type, quantity });
    const { added } = (await this.#type(program, { code })) as { readonly added?: number };
    assert.ok(added === undefined || added === quantity);
  }

  /** From the source document: freeze, install, try, deactivate, install the held part. */
  async move(): Promise<void> {
    const { old, next, ids } = this.#place;
    const from = ids.get('old');
    const to = ids.get('next');
    const line = { product, type: 'device' };
    await this.#desk('moves', { agreement, from, to, ...line, quantity: 'all', reason: 'replaced' });
    const freeze = {
      method: 'POST',
      path: '/v1/admin/telephone/freeze',
      body: { ...line, to, quantity: 'all' },
    } as const;
    const frozen = await this.#step({ program: old, ask: freeze, result: told });
    const unissued = await this.#desk('confirm', { code: frozen['code'] });
    await this.#type(next, { code: unissued['code'] });
    assert.equal((await licenseOf(next, 'newcomer'))['kind'], 'permanent');
    await this.#comesOver('device-4');
    const all = { returnUnissued: true, by: 'telephone' };
    const deactivate = { method: 'POST', path: '/v1/admin/deactivate', body: all } as const;
    const closed = await this.#step({ program: old, ask: deactivate, result: toldLast });
    // The desk hears all of them in their order, those that it has heard before among them.
    const codes = closed['codes'] as readonly { readonly code: string }[];
    let held: unknown;
    for (const { code } of codes) held = (await this.#desk('confirm', { code }))['code'];
    await this.#type(next, { code: held, from });
    for (const name of this.#holders.keys()) await this.#comesOver(name);
    await lookStopped(this.#place, async () => {
      const { servers, clearinghouse } = lookTogether(this.#place, true);
      assert.deepEqual(
        servers.get('old')?.lines.map(({ installed: left }) => left),
        [0, 0],
      );
      assert.equal(servers.get('next')?.live.length, 1 + this.#holders.size);
      assert.deepEqual(
        clearinghouse.lines.map(({ committed, inTransit }) => [committed, inTransit]),
        [
          [40, 0],
          [0, 0],
        ],
      );
    });
  }

  /** A holder of the old server shows its license to the new one, and keeps its origin. */
  async #comesOver(name: string): Promise<void> {
    const { token, bundle, origin } = this.#holders.get(name) ?? {};
    const license = await licenseOf(this.#place.next, name, { token, bundle });
    assert.deepEqual([license['kind'], license['origin']], ['permanent', origin], name);
  }
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

/** What the deactivation itself tells: given again, the codes of earlier acts may stand before it. */
function toldLast(answer: Answer): unknown {
  const { codes, unissued, held } = good(answer);
  const own = (codes as readonly { readonly kind: string }[]).slice(-2);
  assert.deepEqual(
    own.map(({ kind }) => kind),
    ['returned', 'deactivated'],
  );
  return { own, unissued, held };
}

const typedBefore = new Set<unknown>(['already-applied', 'already-activated']);

/** What a code came to; typed again, the refusal tells the same numbers. */
function installed(answer: Answer): unknown {
  const again = typedBefore.has(answer.body['code']);
  if (!again) good(answer);
  const { added, installed: total } = (again ? answer.body['details'] : answer.body) as Record<
    string,
    unknown
  >;
  return { added, installed: total };
}

/** A device's license on a server; with `source` it shows what it has from another one. */
async function licenseOf(server: Program, name: string, source?: object): Promise<Answer['body']> {
  const path = `/v1/licenses/${product}/devices/${name}`;
  const ask = { method: 'PUT', path, ...(source === undefined ? {} : { body: { source } }) } as const;
  const first = await must(server, ask);
  if (first['kind'] === 'permanent') return first;
  await must(server, { method: 'POST', path: `${path}/validate` });
  return must(server, ask);
}
