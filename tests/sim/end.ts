/**
 * The end of a run: no faults any more, everything is delivered, everybody does what is awaited. Every
 * move must then reach its end, and nothing may be missing.
 */
import { listMoves } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { isOver } from '../../src/core/move.ts';
import { dayMs } from '../../src/core/time.ts';
import { checkAudit } from './audited.ts';
import { checkGiven, checkStep } from './books.ts';
import { cancelIdle, carryOn, openAgain, readEverything, typeAgain } from './carry-on.ts';
import { awaitLapses, bringAllBack, settleDead, someoneIsThere } from './dead-end.ts';
import { settleDoubts } from './doubts.ts';
import { contact } from './post.ts';
import type { Sim } from './sim.ts';
import { nameOf } from './sim.ts';
import { Violation } from './tokens.ts';

/**
 * A move by messages takes four contacts, one by telephone three calls; one whose target was deactivated waits until that is
 * opened again, and the codes that wait for its end are read then.
 */
const rounds = 11;
/** In the first ones every code is read and every message taken in; then whoever was closed is opened again. */
const closedUntil = 3;
/** Codes that speak of a server which was closed are read, and typed, after it is opened. */
const readUntil = closedUntil + 3;

async function anyOpen(sim: Sim): Promise<boolean> {
  const { items } = await listMoves(sim.clearinghouse.context, { after: '', limit: 1000 });
  return items.some(({ state }) => !isOver(state));
}

/** Ends a run; `say` hears what everybody does. */
export async function endQuietly(sim: Sim, say: (words: string) => void): Promise<void> {
  sim.faults = false;
  for (const server of sim.servers) server.skewMs = 0;
  await bringAllBack(sim);
  say(await settleDoubts(sim));
  for (let round = 0; round < rounds; round += 1) {
    sim.step += 1;
    // Longer than a desk listens to nobody after codes that did not match (protocol §3.6).
    sim.nowMs += 2 * dayMs;
    sim.latestMs = Math.max(sim.latestMs, sim.nowMs);
    if (round > 0) say(await cancelIdle(sim));
    say(await someoneIsThere(sim));
    if (round === 1 || round === 4) say(await settleDead(sim, { time: round > 1 }));
    if (round > readUntil) say(await awaitLapses(sim));
    for (const server of sim.servers) {
      say(await readEverything(sim, server));
      say(await typeAgain(sim, server));
      say(await contact(sim, server));
      say(await carryOn(sim, server));
      if (round >= closedUntil) say(await openAgain(sim, server));
    }
    await checkStep(sim);
    if (round >= readUntil && !(await anyOpen(sim))) break;
  }
  // What was read out in the last round, for a server that had had its turn.
  for (const server of sim.servers) say(await typeAgain(sim, server));
  await checkStep(sim);
  const { items } = await listMoves(sim.clearinghouse.context, { after: '', limit: 1000 });
  const open = items.find(({ state }) => !isOver(state));
  if (open !== undefined) {
    const ends = `${open.carrier}, from ${nameOf(sim, open.source)} to ${nameOf(sim, open.target)}`;
    throw new Violation('every move ends', `${ends}, is still ${open.state}: ${open.awaited.text}`);
  }
  checkGiven(sim, true);
  await checkAudit(sim);
}
