/**
 * Backups of a license server that has given out very many CALs:
 *   npm run bench:backup [-- --licenses 1000000] [--rounds 3] [--connections 64] [--world DIR] [--json]
 *
 * Each round goes through the life of one copy of the world (backup-world.ts): it is started, gives out CALs alone and
 * while a backup is made, is killed and started again; the backup is verified, rehearsed and restored, and what was put
 * back is started; at last its operating system is replaced. Told are medians, and the machine's own measure (backup-raw.ts).
 * With --world the world is kept for later runs.
 */
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeBackupKey } from '../src/backup/age-key.ts';
import type { BackupView } from '../src/backup/backups.ts';
import { openDataFolder } from '../src/platform/data-folder.ts';
import type { Serving, Usage } from './backup-program.ts';
import { run, serve } from './backup-program.ts';
import type { Raw } from './backup-raw.ts';
import { measureRaw } from './backup-raw.ts';
import { copyServer, free, prepareWorld } from './backup-world.ts';
import type { Child } from './issue-child.ts';
import { startChild } from './issue-child.ts';
import { issued, newDevices, send } from './issue-requests.ts';

const { values: options } = parseArgs({
  options: {
    licenses: { type: 'string', default: '1000000' },
    unissued: { type: 'string', default: '600000' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
    world: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

/** Licenses of one look at how far the backup is, and of what is measured alone. */
const atOnce = 1000;
const aloneRequests = 20_000;
const mebibyte = 1024 * 1024;

interface Bench {
  readonly load: Child;
  readonly dir: string;
  readonly key: string;
}

/** Gives CALs to new users while `going`; the latencies in milliseconds. */
async function issueWhile(
  { load }: Bench,
  { port }: Serving,
  going: (done: number) => boolean,
): Promise<number[]> {
  const latencies: number[] = [];
  while (going(latencies.length)) {
    const paths = newDevices(atOnce, 'U-').map((user) => `/v1/licenses/${free.product}/users/${user}`);
    const connections = Number(options.connections);
    const report = await send({ world: { port }, load }, { paths, connections, ...issued });
    for (const micros of report.latencies) latencies.push(micros / 1000);
  }
  return latencies;
}

async function administer<T>(
  { dir }: Bench,
  serving: Serving,
  [method, path, body]: readonly [method: string, path: string, body?: object],
): Promise<T> {
  const { adminToken } = openDataFolder(join(dir, 'server'), 'server');
  const answer = await fetch(`http://127.0.0.1:${serving.port}/v1/admin/${path}`, {
    method,
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return JSON.parse(text) as T;
}

function sizeMiB(file: string): number {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) / mebibyte;
}

interface Loaded {
  readonly alone: readonly number[];
  readonly beside: readonly number[];
  readonly backupSeconds: number;
  readonly backupMiB: number;
  readonly logMiB: number;
  readonly peakAlone: number;
  readonly peakBeside: number;
}

/** Alone, and while a backup is made, which is left at `backup`. */
async function load(bench: Bench, serving: Serving, backup: string): Promise<Loaded> {
  const log = join(bench.dir, 'server', 'license-server.db-wal');
  serving.forgetPeak();
  const alone = await issueWhile(bench, serving, (done) => done < aloneRequests);
  const peakAlone = serving.usage().peakMiB;
  serving.forgetPeak();
  const startedAt = performance.now();
  let made = await administer<BackupView>(bench, serving, ['POST', 'backups', {}]);
  let [endedAt, logMiB] = [startedAt, 0];
  const looking = (async () => {
    while (made.state === 'running') {
      await new Promise((settle) => setTimeout(settle, 100));
      made = await administer<BackupView>(bench, serving, ['GET', `backups/${made.id}`]);
      logMiB = Math.max(logMiB, sizeMiB(log));
    }
    endedAt = performance.now();
  })();
  const beside = await issueWhile(bench, serving, () => made.state === 'running');
  await looking;
  const peakBeside = serving.usage().peakMiB;
  if (made.state !== 'kept') throw new Error(`the backup failed: ${made.problem}`);
  renameSync(made.file, backup);
  const backupSeconds = (endedAt - startedAt) / 1000;
  return { alone, beside, backupSeconds, backupMiB: sizeMiB(backup), logMiB, peakAlone, peakBeside };
}

/** Starts it, has `work` done, and stops it; answers how long it took to start, and its peak until then. */
async function started(
  dir: string,
  work: (serving: Serving) => Promise<void>,
  signal?: NodeJS.Signals,
): Promise<Usage & { readonly seconds: number; readonly stop: number; readonly id: string }> {
  const serving = await serve(dir);
  const usage = serving.usage();
  try {
    await work(serving);
  } catch (error) {
    await serving.stop('SIGKILL');
    throw error;
  }
  return {
    seconds: serving.seconds,
    stop: await serving.stop(signal),
    ...usage,
    id: serving.licenseServerId,
  };
}

type Measures = Readonly<Record<string, number>>;

interface Round {
  readonly loaded: Loaded;
  readonly seconds: Measures;
  readonly cpuSeconds: Measures;
  readonly peakMiB: Measures;
  readonly raw: Raw;
}

const nothing = async (): Promise<void> => undefined;

/** A round takes minutes: what is known is told at once. */
function tell<T extends object>(name: string, of: T): T {
  if (!options.json) console.error(name, of);
  return of;
}

async function measureRound(bench: Bench, world: string, recipient: string): Promise<Round> {
  const server = join(bench.dir, 'server');
  const backup = join(bench.dir, 'backup.calyx');
  rmSync(backup, { force: true });
  copyServer(world, server);
  let loaded: Loaded | undefined;
  const first = await started(server, async (serving) => {
    await administer(bench, serving, ['PUT', 'method', { method: 'telephone' }]);
    await administer(bench, serving, ['PUT', 'backups/settings', { recipient }]);
    loaded = await load(bench, serving, backup);
  });
  if (loaded === undefined) throw new Error('nothing was measured');
  tell('start, closed before', first);
  tell('load', { ...loaded, alone: latenciesOf([loaded.alone]), beside: latenciesOf([loaded.beside]) });
  const raw = tell('raw', measureRaw(join(server, 'license-server.db'), join(bench.dir, 'raw-copy')));
  const again = tell('start, grown since', await started(server, nothing));
  const few = async (serving: Serving): Promise<void> => {
    await issueWhile(bench, serving, (done) => done < atOnce);
  };
  await started(server, few, 'SIGKILL');
  const killed = tell('start, killed before', await started(server, nothing));
  const restore = ['server', 'restore', '--in', backup, '--key', bench.key, '--data', server];
  const verified = tell('verify', await run('server', 'verify', '--in', backup, '--key', bench.key));
  const rehearsed = tell('rehearse', await run(...restore, '--rehearse'));
  const restored = tell('restore', await run(...restore));
  const putBack = await started(server, async (serving) => {
    const { past } = await administer<{ past: { state: string } | null }>(bench, serving, ['GET', 'status']);
    if (past?.state !== 'restored') throw new Error(`put back, it says: ${JSON.stringify(past)}`);
  });
  tell('start, put back', putBack);
  await run('server', 'restore', '--confirm', '--data', server);
  rmSync(join(`${server}.instance`, 'instance-secret'));
  const replaced = tell('start, system replaced', await started(server, nothing));
  if (replaced.id === first.id) throw new Error('it is the license server that it was');
  const ran = {
    verify: verified,
    rehearse: rehearsed,
    restore: restored,
    'start, closed before': first,
    'start, grown since': again,
    'start, killed before': killed,
    'start, put back': putBack,
    'start, system replaced': replaced,
  };
  const each = (pick: (of: Usage & { readonly seconds: number }) => number): Measures =>
    Object.fromEntries(Object.entries(ran).map(([name, of]) => [name, pick(of)]));
  return {
    loaded,
    seconds: { backup: loaded.backupSeconds, ...each(({ seconds }) => seconds), stop: again.stop },
    cpuSeconds: each(({ cpuSeconds }) => cpuSeconds),
    peakMiB: {
      'issuing alone': loaded.peakAlone,
      'issuing beside a backup': loaded.peakBeside,
      ...each(({ peakMiB }) => peakMiB),
    },
    raw,
  };
}

function percentile(values: readonly number[], part: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
}

const median = (values: readonly number[]): number => Number(percentile(values, 0.5).toFixed(2));

const mediansOf = (measures: readonly Measures[]): Measures =>
  Object.fromEntries(
    Object.keys(measures[0] ?? {}).map((name) => [
      name,
      median(measures.map((of) => of[name] ?? Number.NaN)),
    ]),
  );

/** Medians over the rounds of what each round's latencies say. */
const latenciesOf = (rounds: readonly (readonly number[])[]) => ({
  requests: rounds.reduce((sum, { length }) => sum + length, 0),
  p50: median(rounds.map((each) => percentile(each, 0.5))),
  p99: median(rounds.map((each) => percentile(each, 0.99))),
  longest: median(rounds.map((each) => percentile(each, 1))),
});

function summary(rounds: readonly Round[]) {
  const loaded = rounds.map((round) => round.loaded);
  const cpuSeconds = mediansOf(rounds.map((round) => round.cpuSeconds));
  const raw = {
    seconds: mediansOf(rounds.map((round) => round.raw.seconds)),
    cpuSeconds: mediansOf(rounds.map((round) => round.raw.cpuSeconds)),
  };
  const seconds = mediansOf(rounds.map((round) => round.seconds));
  const ratio = (ours: number | undefined, baseline: number | undefined): number =>
    Number(((ours ?? Number.NaN) / (baseline ?? Number.NaN)).toFixed(2));
  return {
    licenses: Number(options.licenses),
    connections: Number(options.connections),
    rounds: rounds.length,
    loadOfMachine: loadavg().map((each) => Number(each.toFixed(2))),
    backupMiB: Math.round(median(loaded.map((each) => each.backupMiB))),
    logMiB: Math.round(median(loaded.map((each) => each.logMiB))),
    issues: {
      alone: latenciesOf(loaded.map((each) => each.alone)),
      beside: latenciesOf(loaded.map((each) => each.beside)),
    },
    seconds,
    cpuSeconds,
    peakMiB: mediansOf(rounds.map((round) => round.peakMiB)),
    raw,
    // Of processor time where there is one: what else the machine does counts for less.
    ratios: {
      'backup to a copy, seconds': ratio(seconds['backup'], raw.seconds['copy']),
      'start to SHA-256': ratio(cpuSeconds['start, closed before'], raw.cpuSeconds['sha256']),
      'verify to integrity_check': ratio(cpuSeconds['verify'], raw.cpuSeconds['integrity_check']),
      'restore to integrity_check': ratio(cpuSeconds['restore'], raw.cpuSeconds['integrity_check']),
    },
  };
}

const dir = mkdtempSync(join(tmpdir(), 'calyx-bench-backup-'));
const world = options.world === undefined ? join(dir, 'world') : resolve(options.world);
const loader = startChild('issue-load.ts');
try {
  await prepareWorld(world, { issued: Number(options.licenses), unissued: Number(options.unissued) });
  const { recipient, text } = await makeBackupKey('2026-01-01T00:00:00Z');
  const key = join(dir, 'key');
  writeFileSync(key, text, { mode: 0o600 });
  const bench: Bench = { load: loader, dir, key };
  const rounds: Round[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    rounds.push(await measureRound(bench, world, recipient));
  }
  const result = summary(rounds);
  if (options.json) console.log(JSON.stringify(result));
  else console.dir(result, { depth: null });
} finally {
  await loader.stop();
  rmSync(dir, { recursive: true, force: true });
}
