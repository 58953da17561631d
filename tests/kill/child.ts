/**
 * A process for tests: loads the command line and both programs, says that it is ready, and waits for
 * its parent to say which data folder to serve. It runs `calyx … serve`; only where it is to live at
 * another time does it put the same parts together itself. It ends with its parent.
 */
import { flushCompileCache } from 'node:module';
import type { OpenClearinghouse } from '../../src/clearinghouse/app.ts';
import { openClearinghouse } from '../../src/clearinghouse/app.ts';
import '../../src/cli/clearinghouse.ts';
import { openers } from '../../src/cli/connect-programs.ts';
import '../../src/cli/connect-serving.ts';
import { groups } from '../../src/cli/groups.ts';
import { runCli } from '../../src/cli/main.ts';
import '../../src/cli/server.ts';
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

/** `calyx clearinghouse serve` or `calyx server serve`; its JSON line tells where it listens. */
async function runServe({ program, dir }: Order): Promise<void> {
  let printed = '';
  const write = (text: string): boolean => {
    printed += text;
    if (!printed.includes('\n')) return true;
    const { address } = JSON.parse(printed) as { readonly address?: string };
    if (address === undefined) throw new Error(printed);
    tell({ port: Number(new URL(address).port) });
    return true;
  };
  const surroundings = { env: process.env, stdin: process.stdin, stdout: { write }, stderr: process.stderr };
  const argv = ['--data', dir, '--json', program, 'serve', '--port', '0'];
  process.exitCode = await runCli(argv, surroundings, { groups, openers });
}

async function openAt(order: Order): Promise<OpenClearinghouse | OpenServer> {
  const clock = { nowMs: (): number => Date.now() + order.aheadMs };
  const log = createLog({ level: 'warn' });
  if (order.program === 'clearinghouse') return openClearinghouse(order.dir, { clock, log });
  const opened = await openServer(order.dir, { clock, log });
  startService(opened.context);
  return opened;
}

async function serveAt(order: Order): Promise<void> {
  const folder = openDataFolder(order.dir, order.program);
  const lock = acquireLock(folder.dir);
  const { app } = await openAt(order);
  const listening = await listen(app, { host: '127.0.0.1', port: 0 });
  lock.publish(listening.localAddress);
  tell({ port: listening.port });
}

process.on('disconnect', () => process.exit());
process.once('message', (message) => {
  const order = message as Order;
  void (order.aheadMs === 0 ? runServe(order) : serveAt(order));
});
flushCompileCache();
tell({ ready: true });
