/**
 * Backups of a license server while it issues:
 *   npm run bench:backup [-- --licenses 100000] [--rounds 5] [--connections 64] [--json]
 *
 * Rounds take turns: licenses are issued alone, then as many and more while a backup is made, until it is
 * there. What is told is each percentile beside and alone, how long a backup takes and how large it is, and
 * how far the log of the database grew and whether it shrank again.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeBackupKey } from '../src/backup/age-key.ts';
import type { BackupView } from '../src/backup/backups.ts';
import { verifyBackup } from '../src/backup/verify-backup.ts';
import { openDataFolder } from '../src/platform/data-folder.ts';
import { startChild } from './issue-child.ts';
import type { Asking } from './issue-requests.ts';
import { issued, newDevices, send, signedIn } from './issue-requests.ts';
import type { World } from './issue-world.ts';
import { large, makeWorld } from './issue-world.ts';

const { values: options } = parseArgs({
  options: {
    licenses: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '64' },
    json: { type: 'boolean', default: false },
  },
});
const connections = Number(options.connections);

/** Devices that sign in at a time, and licenses of one look at how far the backup is. */
const atOnce = 2000;
const aloneRequests = 10_000;
/** Enough for as long as a backup of 100,000 may take. */
const besideRequests = 40_000;
const mebibyte = 1024 * 1024;

interface Bench extends Asking {
  readonly world: World;
  readonly home: string;
}

async function prepared(bench: Bench, count: number): Promise<string[][]> {
  const chunks: string[][] = [];
  for (let done = 0; done < count; done += atOnce) {
    chunks.push(await signedIn(bench, large, newDevices(Math.min(atOnce, count - done), 'PC-')));
  }
  return chunks;
}

/** Issues to devices that have signed in, which are taken from `chunks`, while `going`; the latencies in milliseconds. */
async function issueAll(bench: Bench, chunks: string[][], going: () => boolean): Promise<number[]> {
  const latencies: number[] = [];
  while (going()) {
    const paths = chunks.shift();
    if (paths === undefined) break;
    const report = await send(bench, { paths, connections, ...issued });
    for (const micros of report.latencies) latencies.push(micros / 1000);
  }
  return latencies;
}

const always = (): boolean => true;

async function administer<T>(
  bench: Bench,
  [method, path]: readonly [method: string, path: string],
  body?: object,
): Promise<T> {
  const { adminToken } = openDataFolder(bench.home, 'server');
  const answer = await fetch(`http://127.0.0.1:${bench.world.port}/v1/admin/backups${path}`, {
    method,
    headers: {
      authorization: `Bearer ${adminToken}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return JSON.parse(text) as T;
}

async function residentMiB(bench: Bench): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${bench.world.port}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]) / mebibyte;
}

const logMiB = (bench: Bench): number =>
  (statSync(join(bench.home, 'license-server.db-wal'), { throwIfNoEntry: false })?.size ?? 0) / mebibyte;

interface Beside {
  readonly latencies: readonly number[];
  readonly seconds: number;
  readonly residentMiB: { readonly before: number; readonly during: number };
  readonly logMiB: number;
  readonly backup: BackupView;
}

async function backUpBeside(bench: Bench, chunks: string[][]): Promise<Beside> {
  const before = await residentMiB(bench);
  const startedAt = performance.now();
  let backup = await administer<BackupView>(bench, ['POST', '']);
  let endedAt = startedAt;
  let [resident, log] = [0, 0];
  const looking = (async () => {
    while (backup.state === 'running') {
      await new Promise((resolve) => setTimeout(resolve, 100));
      backup = await administer<BackupView>(bench, ['GET', `/${backup.id}`]);
      resident = Math.max(resident, await residentMiB(bench));
      log = Math.max(log, logMiB(bench));
    }
    endedAt = performance.now();
  })();
  const latencies = await issueAll(bench, chunks, () => backup.state === 'running');
  await looking;
  if (backup.state !== 'kept') throw new Error(`the backup failed: ${backup.problem}`);
  return {
    latencies,
    seconds: (endedAt - startedAt) / 1000,
    residentMiB: { before, during: resident },
    logMiB: log,
    backup,
  };
}

function percentile(values: readonly number[], part: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
}

const told = (values: readonly number[]) => ({
  requests: values.length,
  p50: Number(percentile(values, 0.5).toFixed(1)),
  p99: Number(percentile(values, 0.99).toFixed(1)),
  longest: Number(percentile(values, 1).toFixed(1)),
});

async function measure(bench: Bench) {
  const { recipient, text } = await makeBackupKey('2026-01-01T00:00:00Z');
  await administer(bench, ['PUT', '/settings'], { recipient });
  const [alone, beside]: [number[], Beside[]] = [[], []];
  const waiting: string[][] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    await bench.world.refill(large, 100_000);
    alone.push(...(await issueAll(bench, await prepared(bench, aloneRequests), always)));
    waiting.push(...(await prepared(bench, besideRequests - waiting.length * atOnce)));
    beside.push(await backUpBeside(bench, waiting));
    const last = beside.at(-1)?.backup;
    if (last === undefined) throw new Error('no backup');
    if (round + 1 < Number(options.rounds)) await administer(bench, ['DELETE', `/${last.id}`]);
  }
  const logDuring = Math.max(...beside.map((each) => each.logMiB));
  await issueAll(bench, await prepared(bench, aloneRequests), always);
  const file = beside.at(-1)?.backup.file ?? '';
  const startedAt = performance.now();
  const identity = text.split('\n').filter((line) => line.startsWith('AGE-SECRET'));
  const { verdict, manifest } = await verifyBackup(file, identity);
  const verifySeconds = (performance.now() - startedAt) / 1000;
  const seconds = beside.map((each) => each.seconds).sort((one, other) => one - other);
  return {
    issuedInBackup: manifest?.lines.reduce((sum, line) => sum + line.issued, 0),
    connections,
    alone: told(alone),
    beside: told(beside.flatMap((each) => [...each.latencies])),
    seconds: { median: seconds[seconds.length >> 1], longest: seconds.at(-1) },
    backupMiB: Math.round(statSync(file).size / mebibyte),
    residentMiB: beside.map(({ residentMiB: { before, during } }) => [before, during].map(Math.round)),
    logMiB: { during: Math.round(logDuring), after: Math.round(logMiB(bench)) },
    verify: { verdict, seconds: Number(verifySeconds.toFixed(1)) },
  };
}

const dir = mkdtempSync(join(tmpdir(), 'calyx-bench-backup-'));
const load = startChild('issue-load.ts');
const world = await makeWorld(dir);
try {
  const bench: Bench = { world, load, home: join(dir, 'server') };
  for (let done = 0; done < Number(options.licenses); ) {
    await world.refill(large, 100_000);
    const count = Math.min(60_000, Number(options.licenses) - done);
    for (const paths of await prepared(bench, count)) await send(bench, { paths, ...issued });
    done += count;
  }
  const result = await measure(bench);
  console.log(options.json ? JSON.stringify(result) : result);
} finally {
  await Promise.all([world.close(), load.stop()]);
  rmSync(dir, { recursive: true, force: true });
}
