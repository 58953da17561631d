/**
 * A clearinghouse or license server of the benchmark of moves, as `calyx … serve` runs it, in a process
 * of its own; it also answers its parent, which reads its journal and makes licenses old.
 */
import { openClearinghouse } from '../src/clearinghouse/app.ts';
import { ok } from '../src/core/result.ts';
import { dayMs } from '../src/core/time.ts';
import { acquireLock } from '../src/platform/data-folder-lock.ts';
import { listen } from '../src/platform/listen.ts';
import { openServer } from '../src/server/app.ts';
import { startService } from '../src/server/service.ts';
import { answerParent } from './issue-child.ts';

export type ProgramQuestion =
  | { readonly ask: 'port' }
  /** Lets the licenses of holders whose names begin so end in three days, which is when they are renewed. */
  | { readonly ask: 'age'; readonly prefix: string }
  | { readonly ask: 'journal'; readonly log: string; readonly from: number }
  | { readonly ask: 'books' }
  | { readonly ask: 'memory' }
  /** Seconds of processor time since it was started. */
  | { readonly ask: 'cpu' }
  /** How long it worked without a pause, each time since this was asked before. */
  | { readonly ask: 'turns' };

/** An entry of a journal: what happened, and when. */
export interface Happened {
  readonly kind: string;
  readonly at: number;
}

const [program = '', dir = ''] = process.argv.slice(2);
const lock = acquireLock(dir);
const opened = program === 'server' ? await openServer(dir) : await openClearinghouse(dir);
const listening = await listen(opened.app, { host: '127.0.0.1', port: 0 });
const stop = 'licenseServerId' in opened.context ? startService(opened.context) : async () => undefined;

async function age(prefix: string): Promise<number> {
  const end = Date.now() + 3 * dayMs;
  const aged = await opened.store.write(async (tx) =>
    ok(
      await tx.run(
        `update licenses set expires_at = ?, lease_end = ? where kind = 'user' and holder >= ? and holder < ?
         and state = 'issued'`,
        ...[end, end, prefix, `${prefix}\u{10ffff}`],
      ),
    ),
  );
  return aged.ok ? aged.value : 0;
}

const mostEntries = 100_000;

/**
 * Processor time between two looks, milliseconds: a turn of the event loop that takes long makes everybody
 * wait, and unlike the time on the wall it says the same on a machine that has other things to do.
 */
const turns: number[] = [];
let usedBefore = process.threadCpuUsage();
setInterval(() => {
  const { user, system } = process.threadCpuUsage(usedBefore);
  usedBefore = process.threadCpuUsage();
  turns.push((user + system) / 1000);
}, 2).unref();

answerParent(async (question: ProgramQuestion) => {
  switch (question.ask) {
    case 'port':
      return listening.port;
    case 'age':
      return age(question.prefix);
    case 'journal': {
      const rows = await opened.store.read((tx) => tx.journal(question.log, question.from, mostEntries));
      return rows.map(({ kind, at }): Happened => ({ kind, at }));
    }
    case 'books':
      return opened.store.read((tx) => tx.balances(''));
    case 'turns':
      return turns.splice(0);
    case 'cpu': {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }
    case 'memory':
      return process.resourceUsage().maxRSS / 1024;
  }
});

process.once('SIGTERM', async () => {
  await listening.stop();
  await stop();
  await opened.store.close();
  lock.release();
  process.exit(0);
});
