/** Puts a run together: programs from the template, on the clock, chance and line of this run. */
import { openClearinghouseContext } from '../../src/clearinghouse/app.ts';
import { openServerContext } from '../../src/server/app.ts';
import type { ServerContext } from '../../src/server/context.ts';
import { chanceOf, SeededRandom } from './chances.ts';
import { makeHosts } from './hosts.ts';
import { deliveryOf } from './post.ts';
import { profileOf } from './profile.ts';
import { Program } from './program.ts';
import { MemoryMark } from './put-back.ts';
import { unreadBooks } from './replayed.ts';
import type { Clearinghouse, Sim, SimServer } from './sim.ts';
import { template } from './template.ts';
import { TokenBook } from './tokens.ts';

/** So many license servers there are at first; the others take the places of those that are gone. */
const atFirst = 3;

export async function makeSim(seed: number): Promise<Sim> {
  const made = await template();
  const random = new SeededRandom();
  random.useStep(seed, -1);
  const servers: SimServer[] = [];
  const gone: SimServer[] = [];
  const spare = made.servers.slice(atFirst);
  const clearinghouse: Clearinghouse = new Program({
    ...{ name: 'clearinghouse', kind: 'clearinghouse' as const, from: made.clearinghouse.file },
    clock: { nowMs: () => sim.nowMs },
    open: (store) =>
      openClearinghouseContext(made.clearinghouse.dir, { clock: clearinghouse.clock, random, store }),
  });
  const chance = chanceOf(seed, -1, 0);
  const sim: Sim = {
    ...{
      seed,
      profile: profileOf(seed, chance),
      nowMs: made.startMs,
      latestMs: made.startMs,
      step: 0,
      chance,
      random,
    },
    ...{
      clearinghouse,
      servers,
      gone,
      parcels: [],
      latestArrivalMs: 0,
      codes: [],
      told: [],
      heard: new Set(),
      done: [],
    },
    ...{ tokens: new TokenBook(), hosts: makeHosts(made.root), books: unreadBooks(), faults: true },
    replace: async () => {
      const from = spare.shift();
      if (from === undefined) return undefined;
      const server = await makeServer(sim, from);
      servers.push(server);
      return server;
    },
    close: async () => {
      for (const { program } of [...servers, ...gone]) await program.close();
      await clearinghouse.close();
    },
  };
  await clearinghouse.start();
  for (const from of made.servers.slice(0, atFirst)) servers.push(await makeServer(sim, from));
  return sim;
}

async function makeServer(sim: Sim, from: { name: string; dir: string; file: string }): Promise<SimServer> {
  const mark = sim.profile.putBacks > 0 ? new MemoryMark() : undefined;
  const program: Program<ServerContext> = new Program({
    ...{ name: from.name, kind: 'server' as const, from: from.file },
    clock: { nowMs: () => sim.nowMs + server.skewMs },
    open: (store) =>
      openServerContext(from.dir, {
        ...{ clock: program.clock, random: sim.random, store },
        delivery: deliveryOf(sim, () => server),
        ...(mark === undefined ? {} : { openMark: () => mark.open() }),
      }),
  });
  const server: SimServer & { id: string } = {
    ...{ program, name: from.name, id: '', skewMs: 0, condition: 'up', mark },
  };
  await program.start();
  server.id = program.context.licenseServerId;
  return server;
}
