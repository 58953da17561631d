/**
 * A process for tests: loads both programs, says that it is ready, and waits for its parent to say
 * which data folder to serve, at which time. It opens and serves like `calyx … serve` does, and
 * ends with its parent. `node tests/kill/child.ts`
 */
import { flushCompileCache } from 'node:module';
import type { OpenClearinghouse } from '../../src/clearinghouse/app.ts';
import { openClearinghouse } from '../../src/clearinghouse/app.ts';
import { openDataFolder } from '../../src/platform/data-folder.ts';
import { acquireLock } from '../../src/platform/data-folder-lock.ts';
import { listen } from '../../src/platform/listen.ts';
import { createLog } from '../../src/platform/log.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { openServer } from '../../src/server/app.ts';
import { startService } from '../../src/server/service.ts';

export interface Order {
  readonly program: 'clearinghouse' | 'server';
  readonly dir: string;
  /** How far this process lives in the future, milliseconds. */
  readonly aheadMs: number;
}

export type Report = { readonly ready: true } | { readonly port: number };

function tell(report: Report): void {
  process.send?.(report);
}

async function open(order: Order): Promise<OpenClearinghouse | OpenServer> {
  const clock = { nowMs: (): number => Date.now() + order.aheadMs };
  const log = createLog({ level: 'warn' });
  if (order.program === 'clearinghouse') return openClearinghouse(order.dir, { clock, log });
  const opened = await openServer(order.dir, { clock, log });
  startService(opened.context);
  return opened;
}

async function serve(order: Order): Promise<void> {
  const folder = openDataFolder(order.dir, order.program);
  const lock = acquireLock(folder.dir);
  const { app } = await open(order);
  const listening = await listen(app, { host: '127.0.0.1', port: 0 });
  lock.publish(listening.localAddress);
  tell({ port: listening.port });
}

process.on('disconnect', () => process.exit());
process.once('message', (order) => void serve(order as Order));
flushCompileCache();
tell({ ready: true });
