/**
 * What people do in the end about servers that failed (protocol §2.5): those that can be are brought back, the
 * others are declared dead, and their days are waited for.
 */
import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { listMoves } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import { dayMs, msOfIso } from '../../src/core/time.ts';
import { findServer } from '../../src/store/committed-server-rows.ts';
import { agreement, product } from '../world/world.ts';
import { setUp } from './carry-on.ts';
import { bringBack } from './dead.ts';
import { grantedAway } from './risk.ts';
import type { Sim, SimServer } from './sim.ts';
import { requestId } from './sim.ts';

const allMoves = async (sim: Sim) =>
  (await listMoves(sim.clearinghouse.context, { after: '', limit: 1000 })).items;

/** Nobody misses a server any more that can be had again. */
export async function bringAllBack(sim: Sim): Promise<void> {
  for (const server of sim.servers) await bringBack(server);
}

/** Servers that may be given something. */
async function openServers(sim: Sim): Promise<readonly SimServer[]> {
  const open: SimServer[] = [];
  const fenced = await fencedIds(sim);
  for (const server of sim.servers) {
    const known = await sim.clearinghouse.store.read((tx) => findServer(tx, server.id));
    if (known?.state === 'ok' && !fenced.has(server.id)) open.push(server);
  }
  return open;
}

/** License servers that are closed for good, whether they are there or not. */
async function fencedIds(sim: Sim): Promise<ReadonlySet<string>> {
  return new Set((await grantedAway(sim)).map(({ source }) => source));
}

/** Where nobody is left who can be given anything, a new license server is made on one of the machines. */
export async function someoneIsThere(sim: Sim): Promise<string> {
  if ((await openServers(sim)).length > 1) return 'there is a license server for all CALs';
  const place = await sim.replace();
  return place === undefined ? 'no license server is left' : setUp(sim, place, 'wire');
}

/**
 * Declares what is gone for good, and of what is closed for good the CALs that it has left, for whoever is there; a
 * declaration for somebody who can be given nothing is given up, and so is one of a server that is back, by
 * telephone at once, else when it has had its time to freeze. Then the last of their horizons is waited for.
 */
export async function settleDead(sim: Sim, had: { readonly time: boolean }): Promise<string> {
  const ch = sim.clearinghouse.context;
  const open = await openServers(sim);
  const fenced = await fencedIds(sim);
  const isOpen = (id: string): boolean => open.some((server) => server.id === id);
  const isBack = (id: string): boolean => !fenced.has(id) && sim.servers.some((server) => server.id === id);
  for (const { id, state, source, target, carrier } of await allMoves(sim)) {
    if (state !== 'dead-wait') continue;
    if (!isOpen(target) || ((carrier === 'telephone' || had.time) && isBack(source)))
      await cancelMove(ch, id);
  }
  const closed = sim.servers.filter(({ id }) => fenced.has(id));
  for (const [index, { id: from }] of [...sim.gone, ...closed].entries()) {
    for (const type of ['device', 'user'] as const) {
      const to = open[index % open.length]?.id;
      if (to === undefined) continue;
      const ends = { agreement, from, to, product, type, quantity: 'all' } as const;
      const said = { reason: 'dead', statement: 'Ann Lee: it is gone' } as const;
      await startDeskMove(ch, { ...ends, ...said, requestId: `${requestId(sim)}-${from}-${type}` });
    }
  }
  const horizons = (await allMoves(sim))
    .filter(({ state, source }) => state === 'dead-wait' && !isBack(source))
    .map(({ deadSource }) => msOfIso(deadSource?.horizon ?? '') ?? 0);
  sim.nowMs = Math.max(sim.nowMs, ...horizons.map((at) => at + dayMs));
  sim.latestMs = Math.max(sim.latestMs, sim.nowMs);
  const words = `${sim.gone.length} servers are gone, and ${closed.length} closed for good`;
  return `${words}; ${horizons.length} horizons are waited for`;
}

/** What was on its way to a server that is closed for good goes back when its last license must have ended: until then. */
export async function awaitLapses(sim: Sim): Promise<string> {
  const moves = await allMoves(sim);
  const going = moves.filter(({ state }) => state === 'aborting' || state === 'returning');
  const days = moves
    .filter(({ source }) => going.some(({ target }) => target === source))
    .map(({ deadSource }) => msOfIso(deadSource?.opensAt ?? '') ?? 0);
  sim.nowMs = Math.max(sim.nowMs, ...days.map((at) => at + dayMs));
  sim.latestMs = Math.max(sim.latestMs, sim.nowMs);
  return `${going.length} moves are being undone, and ${days.length} days are waited for`;
}
