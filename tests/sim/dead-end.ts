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
import { bringBack } from './dead.ts';
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
  for (const server of sim.servers) {
    const known = await sim.clearinghouse.store.read((tx) => findServer(tx, server.id));
    if (known?.state === 'ok') open.push(server);
  }
  return open;
}

/**
 * Declares what is gone for good, for whoever is there; a declaration for somebody who can be given nothing is
 * given up, and so is one of a server that is back, by telephone at once, else when it has had its time to
 * freeze. Then the last of their horizons is waited for.
 */
export async function settleDead(sim: Sim, had: { readonly time: boolean }): Promise<string> {
  const ch = sim.clearinghouse.context;
  const open = await openServers(sim);
  const isOpen = (id: string): boolean => open.some((server) => server.id === id);
  const isBack = (id: string): boolean => sim.servers.some((server) => server.id === id);
  for (const { id, state, source, target, carrier } of await allMoves(sim)) {
    if (state !== 'dead-wait') continue;
    if (!isOpen(target) || ((carrier === 'telephone' || had.time) && isBack(source)))
      await cancelMove(ch, id);
  }
  for (const [index, { id: from }] of sim.gone.entries()) {
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
  return `${sim.gone.length} servers are gone, and ${horizons.length} horizons are waited for`;
}
