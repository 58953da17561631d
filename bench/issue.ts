/**
 * Licenses over HTTP, durable, against an empty route and against bare SQLite, all in one run:
 *   npm run bench:issue [-- --json] [--rounds N] [--profile FOLDER]
 *
 * A round measures each kind of request once, so that what else the machine does falls on all of
 * them alike; what is told is the median of the rounds, and the percentiles of all their requests.
 * `--profile` writes a processor profile of the license server for each kind, at 64 connections.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Child } from './issue-child.ts';
import { startChild } from './issue-child.ts';
import type { LoadOrder } from './issue-load.ts';
import type { RawRates } from './issue-raw.ts';
import { measureRaw } from './issue-raw.ts';
import type { Row, Sample } from './issue-report.ts';
import { printTable, rowOf, summary } from './issue-report.ts';
import { issued, newDevices, pathOf, send, signedIn } from './issue-requests.ts';
import type { Stock, World } from './issue-world.ts';
import { large, makeWorld, small } from './issue-world.ts';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '9' },
    profile: { type: 'string' },
  },
});

/** Connections at once, and what a round measures with them. */
interface Setting {
  readonly connections: number;
  readonly rounds: number;
  /** Requests to the empty route, and for unchanged answers. */
  readonly reads: number;
  readonly renewals: number;
  readonly issues: number;
}

const rounds = Number(options.rounds);
const fewer = Math.ceil(rounds / 2);
const settings: readonly Setting[] = [
  { connections: 64, rounds, reads: 12_000, renewals: 4000, issues: 2000 },
  { connections: 8, rounds: fewer, reads: 6000, renewals: 2000, issues: 1000 },
  { connections: 1, rounds: fewer, reads: 2000, renewals: 600, issues: 400 },
];
/** How many licenses there are to renew; the same ones are asked for unchanged answers. */
const population = 4000;
const renewedPrefix = 'R-';

interface Bench {
  readonly world: World;
  readonly load: Child;
  /** Of the empty route that is a program of its own, and of the bare issue. */
  readonly emptyPort: number;
  readonly barePort: number;
  /** Devices with a permanent license. */
  readonly holders: readonly string[];
  readonly seen: Map<Stock, Set<number>>;
  /** Where the profile of a measurement goes, if anywhere. */
  readonly profile: string | null;
}

type Kind = 'alone' | 'empty' | 'bare' | 'unchanged' | 'renew' | 'issue' | 'issueAt100k';

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((left, right) => left.key - right.key)
    .map(({ item }) => item);
}

/** `count` requests for licenses that are there, each once as long as that is possible. */
function someHolders(bench: Bench, count: number): string[] {
  const all: string[] = [];
  while (all.length < count) all.push(...shuffled(bench.holders));
  return all.slice(0, count).map((device) => pathOf(small, device));
}

/** Each unit of a stock may come once: a second time it would have two holders. */
function noteUnits(bench: Bench, stock: Stock, units: Int32Array): void {
  const seen = bench.seen.get(stock) ?? new Set<number>();
  bench.seen.set(stock, seen);
  for (const unit of units) {
    if (unit < 1 || seen.has(unit)) throw new Error(`unit ${unit} of ${stock.product} was handed out twice`);
    seen.add(unit);
  }
}

async function measureIssue(bench: Bench, stock: Stock, setting: Setting): Promise<Sample> {
  await bench.world.refill(stock, stock === small ? 2000 : 100_000);
  const paths = await signedIn(bench, stock, newDevices(setting.issues, 'PC-'));
  const sample = await timed(bench, setting, { paths, ...issued });
  noteUnits(bench, stock, sample.units);
  return sample;
}

async function measure(bench: Bench, kind: Kind, setting: Setting): Promise<Sample> {
  switch (kind) {
    case 'alone':
      return timed(bench, setting, { paths: someHolders(bench, setting.reads), port: bench.emptyPort });
    case 'bare': {
      const paths = newDevices(setting.issues * 2, 'PC-').map((device) => pathOf(small, device));
      return timed(bench, setting, { paths, port: bench.barePort, ...issued });
    }
    case 'empty': {
      const paths = someHolders(bench, setting.reads).map((path) => path.replace('licenses', 'empty'));
      return timed(bench, setting, { paths });
    }
    case 'unchanged': {
      const paths = someHolders(bench, setting.reads);
      return timed(bench, setting, { paths, contains: '"status":"unchanged","kind":"permanent"' });
    }
    case 'renew': {
      await bench.world.ask({ ask: 'age', prefix: renewedPrefix });
      const paths = someHolders(bench, setting.renewals);
      const sample = await timed(bench, setting, {
        paths,
        contains: '"status":"renewed","kind":"permanent"',
      });
      // Whoever was not asked for is renewed now, so that all are fresh again.
      await send(bench, { paths: bench.holders.map((device) => pathOf(small, device)) });
      return sample;
    }
    case 'issue':
      return measureIssue(bench, small, setting);
    case 'issueAt100k':
      return measureIssue(bench, large, setting);
  }
}

/** One measurement, with the processor time that server and client had in it. */
async function timed(
  bench: Bench,
  setting: Setting,
  order: Partial<LoadOrder> & Pick<LoadOrder, 'paths'>,
): Promise<Sample> {
  const { world } = bench;
  await world.ask({ ask: 'cpu' });
  if (bench.profile !== null) await world.ask({ ask: 'profile', file: null });
  const report = await send(bench, { ...order, connections: setting.connections });
  if (bench.profile !== null) await world.ask({ ask: 'profile', file: bench.profile });
  const serverCpu = (await world.ask<number>({ ask: 'cpu' })) / report.seconds;
  return { ...report, serverCpu, rate: order.paths.length / report.seconds };
}

const kinds: readonly Kind[] = ['alone', 'empty', 'bare', 'unchanged', 'renew', 'issue', 'issueAt100k'];

async function runSetting(bench: Bench, setting: Setting): Promise<Row[]> {
  const samples = new Map<Kind, Sample[]>(kinds.map((kind) => [kind, []]));
  // The first round only warms the programs up.
  for (let round = 0; round <= setting.rounds; round += 1) {
    for (const kind of kinds) {
      const sample = await measure(bench, kind, setting);
      if (round > 0) samples.get(kind)?.push(sample);
    }
  }
  return kinds.map((kind) => rowOf(kind, setting.connections, samples.get(kind) ?? []));
}

/** One more round at 64 connections, with the profiler on in the license server. */
async function writeProfiles(bench: Bench, folder: string): Promise<void> {
  const [setting] = settings;
  if (setting === undefined) return;
  for (const kind of kinds.slice(kinds.indexOf('unchanged'))) {
    await measure({ ...bench, profile: join(folder, `${kind}.cpuprofile`) }, kind, setting);
  }
}

/** Books and tables agree, and no unit has two holders. */
async function checkBooks(bench: Bench): Promise<void> {
  const { balances, live, twice } = await bench.world.books();
  const sum = (name: string): number => {
    let total = 0;
    for (const [account, amount] of balances) if (account.endsWith(`/${name}`)) total += amount;
    return total;
  };
  const handedOut = [...bench.seen.values()].reduce((total, seen) => total + seen.size, 0);
  const fits = sum('installed') === sum('issued') + sum('unissued');
  if (!fits || sum('issued') !== live || live !== handedOut || twice !== 0) {
    throw new Error(
      `the books do not fit: ${JSON.stringify({ ...Object.fromEntries(balances), live, twice })}`,
    );
  }
}

async function run(dir: string): Promise<{ rows: readonly Row[]; raw: readonly RawRates[] }> {
  const empty = startChild('issue-empty.ts');
  const bare = startChild('issue-bare.ts', [dir]);
  const load = startChild('issue-load.ts');
  const world = await makeWorld(dir);
  try {
    const holders = newDevices(population, renewedPrefix);
    const bench = {
      world,
      load,
      emptyPort: await empty.ask<number>({}),
      barePort: await bare.ask<number>({}),
      holders,
      seen: new Map(),
      profile: null,
    };
    await world.refill(small, population);
    const paths = await signedIn(bench, small, holders);
    const first = await send(bench, { paths, ...issued });
    noteUnits(bench, small, first.units);
    await world.ask({ ask: 'fill', bytes: Math.round(first.bodyBytes) });
    const rows: Row[] = [];
    for (const setting of settings) rows.push(...(await runSetting(bench, setting)));
    if (options.profile !== undefined) await writeProfiles(bench, options.profile);
    await checkBooks(bench);
    const raw = Array.from({ length: fewer }, (_, round) => measureRaw(dir, `raw-${round}`));
    return { rows, raw };
  } finally {
    await Promise.all([world.close(), empty.stop(), bare.stop(), load.stop()]);
  }
}

// Not in the folder for temporary files alone where that is memory: what is measured is a disk.
const dir = mkdtempSync(join(tmpdir(), 'calyx-issue-'));
try {
  const { rows, raw } = await run(dir);
  const told = summary(rows, raw);
  printTable(rows, told);
  if (options.json) console.log(JSON.stringify(told));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
