/**
 * Ordinary days, many at once: servers call the clearinghouse now and then, holders renew what is about to
 * end, and now and then somebody new comes. A server that is cut off has its days, too.
 */
import { renewalMs } from '../../src/core/cal.ts';
import { dayMs } from '../../src/core/time.ts';
import { checkStep } from './books.ts';
import { ask, askAt } from './holders.ts';
import { contact } from './post.ts';
import { Crashed } from './program.ts';
import type { LineType, Sim, SimServer } from './sim.ts';
import { anyType } from './sim.ts';
import { lookAtClocks, startAgain } from './upkeep.ts';

/** Shorter than the days in which a license is renewed: nobody misses them but by chance. */
const lookMs = 6 * dayMs;
/** How often a server calls, in looks. */
const callsEvery = 4;

const types: readonly LineType[] = ['device', 'user'];

const everyHolder = (sim: Sim, type: LineType): readonly string[] =>
  Array.from(
    { length: sim.profile.holders },
    (_, index) => `${type === 'device' ? 'ws' : 'user'}-${index + 1}`,
  );

/** What somebody asks for and is not answered concerns nobody else. */
async function tryOut(act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Crashed)) throw error;
  }
}

/** Whose license is about to end asks where it is from; one in four forgets. */
async function renewAll(sim: Sim): Promise<void> {
  for (const type of types) {
    for (const holder of everyHolder(sim, type)) {
      const newest = sim.tokens.of(holder, type).at(-1);
      if (newest === undefined || newest.endsMs - sim.nowMs > renewalMs || sim.chance.happens(0.25)) continue;
      const shown = sim.chance.happens(0.5) ? newest : undefined;
      await tryOut(async () => ask(sim, { holder, type, server: askAt(sim, newest), shown, hops: 0 }));
    }
  }
}

/** Somebody comes who has nothing that runs, and shows what has ended; often where a line is cut. */
async function comeNew(sim: Sim): Promise<void> {
  const type = anyType(sim);
  const all = everyHolder(sim, type);
  const without = all.filter((holder) => (sim.tokens.of(holder, type).at(-1)?.endsMs ?? 0) < sim.nowMs);
  const holder = sim.chance.pick(without.length > 0 ? without : all);
  const shown = sim.tokens.of(holder, type).at(-1);
  const cut = sim.servers.filter(({ condition }) => condition === 'cut');
  const server = cut.length > 0 && sim.chance.happens(0.6) ? sim.chance.pick(cut) : askAt(sim, undefined);
  await tryOut(async () => ask(sim, { holder, type, server, shown, hops: 0 }));
}

/** Until a time that has not come yet. */
export async function liveOn(sim: Sim, untilMs: number): Promise<void> {
  for (let look = 0; sim.nowMs < untilMs; look += 1) {
    sim.nowMs = Math.min(untilMs, sim.nowMs + lookMs);
    lookAtClocks(sim);
    if (look % callsEvery === 0) {
      for (const server of sim.servers) {
        if (server.program.isUp) await tryOut(() => contact(sim, server));
      }
    }
    await renewAll(sim);
    await comeNew(sim);
    await startAgain(sim);
    lookAtClocks(sim);
    await checkStep(sim);
  }
}

/** Whoever has had a license of one server last turns to another, and shows it; some are away. */
export async function turnTo(
  sim: Sim,
  of: { readonly from: SimServer; readonly to: SimServer; readonly type: LineType },
): Promise<void> {
  for (const holder of everyHolder(sim, of.type)) {
    const newest = sim.tokens.of(holder, of.type).at(-1);
    if (newest?.issuer !== of.from.id || sim.chance.happens(0.3)) continue;
    await tryOut(async () => ask(sim, { holder, type: of.type, server: of.to, shown: newest, hops: 0 }));
  }
}

/** Whoever has nothing that runs comes to a server. */
export async function comeTo(
  sim: Sim,
  of: { readonly to: SimServer; readonly type: LineType },
): Promise<void> {
  for (const holder of everyHolder(sim, of.type)) {
    const newest = sim.tokens.of(holder, of.type).at(-1);
    if ((newest?.endsMs ?? 0) > sim.nowMs) continue;
    await tryOut(async () => ask(sim, { holder, type: of.type, server: of.to, shown: undefined, hops: 0 }));
  }
}

/** Everybody of one type comes, and asks where it is from. */
export async function morning(sim: Sim): Promise<string> {
  const type = anyType(sim);
  for (const holder of everyHolder(sim, type)) {
    const newest = sim.tokens.of(holder, type).at(-1);
    const shown = sim.chance.happens(0.5) ? newest : undefined;
    await tryOut(async () => ask(sim, { holder, type, server: askAt(sim, newest), shown, hops: 0 }));
  }
  return `every ${type} asks`;
}

/** Ordinary days go by. */
export async function days(sim: Sim): Promise<string> {
  const most = sim.chance.pick([12, 30, 60]);
  await liveOn(sim, sim.nowMs + most * dayMs);
  return `${most} ordinary days go by`;
}
