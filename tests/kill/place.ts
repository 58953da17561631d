/**
 * A clearinghouse and two license servers with real data folders, each a process of its own on loopback.
 * The servers reach the clearinghouse through the gate, whose address stays when processes come and go.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initClearinghouse } from '../../src/clearinghouse/app.ts';
import { initServer } from '../../src/server/app.ts';
import { Gate } from './gate.ts';
import type { Answer, Ask } from './http.ts';
import { Lost } from './http.ts';
import { Witness } from './image.ts';
import type { Stable } from './programs.ts';
import { Program } from './programs.ts';
import type { Chance } from './random.ts';

export const agreement = '4965437';
export const product = 'ts-2012r2';

export interface Place {
  readonly gate: Gate;
  readonly clearinghouse: Program;
  readonly old: Program;
  readonly next: Program;
  readonly programs: readonly Program[];
  /** License Server IDs, by the name of the program. */
  readonly ids: ReadonlyMap<string, string>;
  /** Who looks at the database of a program, by its name. */
  readonly witnessOf: (name: string) => Witness;
  readonly close: () => Promise<void>;
}

/** A request that is repeated until it is known what became of it. */
export async function persist(program: Program, ask: Ask): Promise<Answer> {
  for (;;) {
    try {
      return await program.call(ask);
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    }
    await program.isUp();
  }
}

/** A request that must succeed at the first try. */
export async function must(program: Program, ask: Ask): Promise<Answer['body']> {
  const answer = await program.call(ask);
  assert.ok(
    answer.status < 300,
    `${program.place.name}: ${ask.method} ${ask.path}: ${answer.status} ${answer.text}`,
  );
  return answer.body;
}

/** What a server does on its own time and again, and an impatient administrator by hand. */
export const contact: Ask = { method: 'POST', path: '/v1/admin/contact', body: { waitMs: 0 } };

export interface PlaceOptions {
  readonly chance: Chance;
  readonly stable: Stable;
  /** Whether the license servers know the clearinghouse's address. */
  readonly connected?: boolean;
}

export async function makePlace({ chance, stable, connected = true }: PlaceOptions): Promise<Place> {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-kill-'));
  const made = await initClearinghouse({ dir: join(dir, 'clearinghouse'), publisher: 'Sample Publisher' });
  const bundle = readFileSync(made.bundle, 'utf8');
  const gate = await Gate.open(chance);
  const ids = new Map<string, string>();
  for (const name of ['old', 'next']) {
    const init = { dir: join(dir, name), name, bundle, ...(connected ? { clearinghouseUrl: gate.url } : {}) };
    ids.set(name, (await initServer(init)).licenseServerId);
  }
  const clearinghouse = new Program(
    {
      name: 'clearinghouse',
      program: 'clearinghouse',
      dir: join(dir, 'clearinghouse'),
      database: 'clearinghouse.db',
    },
    stable,
  );
  const serverOf = (name: string): Program =>
    new Program({ name, program: 'server', dir: join(dir, name), database: 'license-server.db' }, stable);
  const old = serverOf('old');
  const next = serverOf('next');
  const programs = [clearinghouse, old, next];
  const witnesses = new Map(programs.map(({ place }) => [place.name, new Witness(place, dir)]));
  gate.leadTo(clearinghouse);
  return {
    ...{ gate, clearinghouse, old, next, programs, ids },
    witnessOf: (name) => {
      const witness = witnesses.get(name);
      assert.ok(witness);
      return witness;
    },
    close: async () => {
      await gate.close();
      for (const program of programs) if (program.isRunning) await program.end();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Product and agreement at the clearinghouse; a line for devices and one for users. */
export async function sell(
  clearinghouse: Program,
  quantities: { device: number; user: number },
): Promise<void> {
  const sold = { id: product, name: 'Terminal Server 2012 R2', family: 'ts', version: 9 };
  await must(clearinghouse, { method: 'POST', path: '/v1/products', body: sold });
  for (const [type, quantity] of Object.entries(quantities)) {
    const body = { number: agreement, program: 'select', customer: 'Contoso', product, type, quantity };
    await must(clearinghouse, { method: 'POST', path: '/v1/agreements', body, key: `entitle-${type}` });
  }
}

/** Activation by the automatic method. */
export async function activate(server: Program): Promise<void> {
  await must(server, { method: 'POST', path: '/v1/admin/activate', body: { agreement, by: 'contact' } });
}

export async function install(server: Program, type: 'device' | 'user', quantity: number): Promise<void> {
  const body = { agreement, product, type, quantity, by: 'contact' };
  await must(server, { method: 'POST', path: '/v1/admin/install', body });
}
