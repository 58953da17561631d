/**
 * The simulation in a thread of its own. In the thread of its tests Node's test runner follows every promise
 * to the test that made it (an async hook), and a run makes hundreds of thousands: that was a fifth of its
 * time. This file is both ends: the thread runs it, too.
 */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Run, RunOptions } from './run.ts';
import type { Runner } from './shrink.ts';
import { loadSimulation } from './start.ts';

const mark = 'the simulation, aside';

export interface Aside {
  /** One run after another; rejects where the thread itself breaks, never for what a run shows. */
  readonly run: Runner;
  /** To be called at the end: lets the thread go, with the files that it has made. */
  readonly close: () => Promise<void>;
}

export function simulationAside(): Aside {
  const thread = new Worker(new URL(import.meta.url), { workerData: mark });
  return {
    run: async (options) => {
      const answer = once(thread, 'message');
      thread.postMessage(options);
      const [done] = (await answer) as [Run];
      return done;
    },
    close: async () => {
      const exit = once(thread, 'exit');
      thread.postMessage(null);
      await exit;
    },
  };
}

async function serve(port: NonNullable<typeof parentPort>): Promise<void> {
  const { run } = await loadSimulation();
  port.on('message', async (options: RunOptions | null) => {
    if (options === null) port.close();
    else port.postMessage(await run(options));
  });
}

if (!isMainThread && parentPort !== null && workerData === mark) await serve(parentPort);
