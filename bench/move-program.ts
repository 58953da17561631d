/**
 * A clearinghouse or license server of the benchmarks of moves and of backups, as `calyx … serve` runs it, in a process
 * of its own; it also answers its parent, which reads its journal, makes licenses old and has them given out.
 */
import { randomBytes } from 'node:crypto';
import { openClearinghouse } from '../src/clearinghouse/app.ts';
import { ok } from '../src/core/result.ts';
import { dayMs } from '../src/core/time.ts';
import { acquireLock } from '../src/platform/data-folder-lock.ts';
import { listen } from '../src/platform/listen.ts';
import { openServer } from '../src/server/app.ts';
import type { ServerContext } from '../src/server/context.ts';
import { startService } from '../src/server/service.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { validateLicense } from '../src/server/usecases/return-license.ts';
import { answerParent } from './issue-child.ts';

export type ProgramQuestion =
  | { readonly ask: 'port' }
  /** Lets the licenses of holders whose names begin so end in three days, which is when they are renewed. */
  | { readonly ask: 'age'; readonly prefix: string }
  /** Gives so many new devices a CAL each, through the use cases that a host's requests reach. */
  | { readonly ask: 'issue'; readonly product: string; readonly count: number }
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

/** As many at a time as fill two groups of a commit, so that the second is there when the first has ended. */
const atOnce = 512;

/**
 * A first contact, the host's word that somebody signed in, and the CAL: as over HTTP, without HTTP, which is what a
 * million licenses would mostly wait for.
 */
async function issue(
  context: ServerContext,
  { product, count }: { readonly product: string; readonly count: number },
): Promise<void> {
  let left = count;
  const one = async (): Promise<void> => {
    const name = { product, type: 'device', holder: `PC-${randomBytes(6).toString('hex')}` } as const;
    await requestLicense(context, name);
    await validateLicense(context, name);
    const license = await requestLicense(context, name);
    if (!license.ok || license.value.kind !== 'permanent')
      throw new Error(`refused: ${JSON.stringify(license)}`);
  };
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left > 0) {
        left -= 1;
        await one();
      }
    }),
  );
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
    case 'issue':
      if (!('licenseServerId' in opened.context)) throw new Error('only a license server issues');
      return issue(opened.context, question);
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
