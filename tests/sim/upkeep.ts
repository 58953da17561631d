/** What is done for a run between its acts: programs that crashed are started again, and clocks are read. */
import type { Sim } from './sim.ts';
import { programsOf } from './sim.ts';

/** From what they had committed; answers which they were. */
export async function startAgain(sim: Sim): Promise<string> {
  let words = '';
  for (const program of programsOf(sim)) {
    program.planCrash(undefined);
    if (program.isUp) continue;
    words += ` [${program.name} crashed]`;
    await program.stop();
    await program.start();
  }
  return words;
}

/** What has ended by any clock has ended. */
export function lookAtClocks(sim: Sim): void {
  const shown = sim.servers.map(({ skewMs }) => sim.nowMs + skewMs);
  sim.latestMs = Math.max(sim.latestMs, sim.nowMs, ...shown);
}
