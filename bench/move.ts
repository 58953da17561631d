/**
 * A move of many CALs between real processes, with users who go on renewing at the source:
 *   npm run bench:move [-- --json] [--sizes 12500,25000,50000,100000] [--runs 3] [--rate 200]
 *
 * Six of ten CALs are issued. Told is the time of each phase, as the three journals have it, how long
 * renewals took meanwhile, the processor time and the most memory that each process ever had. Time on the wall
 * means something on a machine that has nothing else to do; how far that is so is told as well.
 */
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { checkOneMove } from '../src/core/split.ts';
import { problemOf } from '../src/protocol/problem.ts';
import type { Happened } from './move-program.ts';
import type { Renewal } from './move-renewals.ts';
import { Renewals } from './move-renewals.ts';
import type { Program, World } from './move-world.ts';
import { agreement, issueTo, makeWorld, pathOf, product } from './move-world.ts';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    sizes: { type: 'string', default: '12500,25000,50000,100000' },
    runs: { type: 'string', default: '1' },
    /** Renewals a second. */
    rate: { type: 'string', default: '200' },
  },
});

const issuedShare = 0.6;
/** How many of the issued licenses are about to end, and renewed while the move goes on. */
const renewed = 4000;
const renewedPrefix = 'R-';
/** What the issue asks for: 10 s for the largest move, 50 ms for 99 of 100 renewals. */
const targetSeconds = 10;
const targetP99 = 50;

/** The phases of a move: each ends with the first entry of this kind in this journal. */
const phases: readonly { readonly name: string; readonly of: keyof World; readonly kind: string }[] = [
  { name: 'freeze', of: 'source', kind: 'frozen' },
  { name: 'receipt and grant', of: 'clearinghouse', kind: 'move-frozen' },
  { name: 'install', of: 'target', kind: 'received-grant' },
  { name: 'commit', of: 'clearinghouse', kind: 'move-verified' },
  { name: 'release', of: 'source', kind: 'released' },
  { name: 'closed', of: 'clearinghouse', kind: 'move-released' },
  { name: 'source known closed', of: 'target', kind: 'received-source-closed' },
];

interface Measured {
  readonly units: number;
  readonly issued: number;
  readonly seconds: number;
  readonly phases: Readonly<Record<string, number>>;
  readonly renewals: {
    readonly count: number;
    readonly p50: number;
    readonly p99: number;
    readonly worst: number;
  };
  /** The source's turns of the event loop, milliseconds of processor time. */
  readonly turns: { readonly p99: number; readonly longest: number; readonly over20: number };
  /** Seconds of processor time that each process took for the move, and for the renewals meanwhile. */
  readonly cpuSeconds: OfEach;
  /** All of it by CAL, microseconds. The renewals are in it: without them (`--rate 0`) it tells how the cost grows. */
  readonly cpuPerCal: number;
  /** How much of a processor one busy program got, before and after. */
  readonly coreShare: readonly [number, number];
  readonly memoryMiB: OfEach;
}

const logOf = (of: keyof World): string => (of === 'clearinghouse' ? agreement : 'server');

async function endOf(program: Program, log: string, kind: string): Promise<number> {
  for (;;) {
    const entries = await program.ask<readonly Happened[]>({ ask: 'journal', log, from: 0 });
    const found = entries.findLast((entry) => entry.kind === kind);
    if (found !== undefined) return found.at;
    await sleep(100);
  }
}

/** Throws where the move does not come to its end: one that is refused or undone is waited for in vain. */
async function untilClosed(world: World, id: string): Promise<void> {
  for (const program of [world.source, world.target]) {
    for (;;) {
      const { state, awaited } = await program.call('GET', `/v1/admin/moves/${id}`);
      if (state === 'closed') break;
      if (['refused', 'undone', 'relinquished'].includes(String(state))) {
        throw new Error(`move ${id} is ${state}: ${JSON.stringify(awaited)}`);
      }
      await sleep(100);
    }
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** Hashes for a while, and tells the processor time that it got for it: less than 1 where others want it too. */
function coreShare(): number {
  const bytes = randomBytes(65_536);
  const used = process.cpuUsage();
  const startedAt = performance.now();
  while (performance.now() - startedAt < 500) hash('sha256', bytes);
  const { user, system } = process.cpuUsage(used);
  return (user + system) / 1000 / (performance.now() - startedAt);
}

function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
}

interface Moments {
  readonly startedAt: number;
  /** From here on the source gives its licenses up, and refers who asks to the target. */
  readonly committedAt: number;
  readonly releasedAt: number;
}

/** Those that were due while the source still had something to renew; each must have been answered. */
function renewalsUntil(all: readonly Renewal[], moments: Moments): Measured['renewals'] {
  const { startedAt, committedAt, releasedAt } = moments;
  const within = all.filter(({ dueAt }) => dueAt >= startedAt && dueAt < releasedAt);
  const refused = within.filter(({ dueAt, tookMs, status, said }) => {
    const referred = said.includes('license-moved') && dueAt + tookMs >= committedAt;
    return status !== 200 && !referred;
  });
  if (refused.length > 0) throw new Error(`${refused.length} renewals failed: ${JSON.stringify(refused[0])}`);
  const times = within.map(({ tookMs }) => tookMs).sort((left, right) => left - right);
  return {
    count: times.length,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    worst: times.at(-1) ?? Number.NaN,
  };
}

async function checkBooks(world: World, units: number): Promise<void> {
  const [source, target] = await Promise.all(
    [world.source, world.target].map((program) => program.ask<Map<string, number>>({ ask: 'books' })),
  );
  const there = target?.get(`${agreement}/0/installed`) ?? 0;
  const here = source?.get(`${agreement}/0/installed`) ?? 0;
  if (there !== units || here !== 0)
    throw new Error(`of ${units} units ${there} have arrived, ${here} stayed`);
}

const programs = ['clearinghouse', 'source', 'target'] as const;
type OfEach = Readonly<Record<(typeof programs)[number], number>>;

async function ofEach(world: World, ask: 'memory' | 'cpu'): Promise<OfEach> {
  const told = { clearinghouse: 0, source: 0, target: 0 };
  for (const name of programs) told[name] = await world[name].ask<number>({ ask });
  return told;
}

/** Gives CALs away, lets some of their licenses become old, and answers who asks for those. */
async function fill(world: World, issued: number): Promise<readonly string[]> {
  const few = Array.from({ length: renewed }, (_, at) => `${renewedPrefix}${at}`);
  const many = Array.from({ length: issued - renewed }, () => `U-${randomBytes(6).toString('hex')}`);
  await issueTo(world.source, [...few, ...many]);
  await world.source.ask({ ask: 'age', prefix: renewedPrefix });
  return few;
}

/** Moves everything, and answers when the command was given. */
async function move(world: World): Promise<number> {
  const startedAt = Date.now();
  const order = { agreement, product, type: 'user', to: world.targetId, quantity: 'all', reason: 'replaced' };
  const { id } = await world.source.call('POST', '/v1/admin/moves', { ...order, hold: false });
  await untilClosed(world, String(id));
  return startedAt;
}

/** When each phase was over. */
async function endsOf(world: World): Promise<readonly number[]> {
  const ends: number[] = [];
  for (const phase of phases) {
    ends.push(await endOf(world[phase.of] as Program, logOf(phase.of), phase.kind));
  }
  return ends;
}

function phasesOf(startedAt: number, ends: readonly number[]): Measured['phases'] {
  let before = startedAt;
  const took = phases.map(({ name }, at): [string, number] => {
    const end = ends[at] ?? before;
    const seconds = (end - before) / 1000;
    before = end;
    return [name, seconds];
  });
  return Object.fromEntries(took);
}

function turnsOf(turns: readonly number[]): Measured['turns'] {
  const sorted = turns.toSorted((left, right) => left - right);
  return {
    p99: percentile(sorted, 0.99),
    longest: sorted.at(-1) ?? Number.NaN,
    over20: sorted.filter((turn) => turn > 20).length,
  };
}

async function measure(units: number): Promise<Measured> {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-move-'));
  const world = await makeWorld(dir, units);
  try {
    const issued = issuedOf(units);
    const few = await fill(world, issued);
    const shareBefore = coreShare();
    const renewals = new Renewals(world.source.port, few.map(pathOf), Number(options.rate));
    await sleep(1000);
    await world.source.ask({ ask: 'turns' });
    const before = await ofEach(world, 'cpu');
    const startedAt = await move(world);
    const turns = turnsOf(await world.source.ask<number[]>({ ask: 'turns' }));
    const after = await ofEach(world, 'cpu');
    const all = await renewals.stop();
    const cpuSeconds = {
      clearinghouse: after.clearinghouse - before.clearinghouse,
      source: after.source - before.source,
      target: after.target - before.target,
    };
    const ends = await endsOf(world);
    await checkBooks(world, units);
    const [, , , committedAt = startedAt, releasedAt = startedAt] = ends;
    return {
      ...{ units, issued, turns },
      seconds: ((ends.at(-1) ?? startedAt) - startedAt) / 1000,
      phases: phasesOf(startedAt, ends),
      renewals: renewalsUntil(all, { startedAt, committedAt, releasedAt }),
      cpuSeconds,
      cpuPerCal: (sum(Object.values(cpuSeconds)) / units) * 1e6,
      coreShare: [shareBefore, coreShare()],
      memoryMiB: await ofEach(world, 'memory'),
    };
  } finally {
    await world.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

const words = (numbers: Readonly<Record<string, number>>, digits: number): string =>
  Object.entries(numbers)
    .map(([name, number]) => `${name} ${number.toFixed(digits)}`)
    .join(', ');

function print(one: Measured): void {
  console.log(`${one.units} CALs, ${one.issued} issued: ${one.seconds.toFixed(2)} s`);
  for (const [name, seconds] of Object.entries(one.phases))
    console.log(`  ${name.padEnd(22)} ${seconds.toFixed(2)} s`);
  const { count, p50, p99, worst } = one.renewals;
  console.log(`  ${count} renewals meanwhile: p50 ${p50} ms, p99 ${p99} ms, longest ${worst} ms`);
  console.log(`  the source's turns, ms of processor time: ${words(one.turns, 1)}`);
  console.log(`  processor time, s: ${words(one.cpuSeconds, 2)}; by CAL ${one.cpuPerCal.toFixed(0)} µs`);
  console.log(`  memory at most, MiB: ${words(one.memoryMiB, 0)}`);
  const [before, after] = one.coreShare.map((share) => `${Math.round(share * 100)} %`);
  console.log(`  a busy program got ${before} of a processor before, ${after} after`);
}

function median(numbers: readonly number[]): number {
  return percentile(
    numbers.toSorted((left, right) => left - right),
    0.5,
  );
}

const issuedOf = (units: number): number => Math.round(units * issuedShare);

/** Of more than one move brings nothing can be told: they go in several. */
function checkSize(units: number): number {
  const held = issuedOf(units);
  const fits = checkOneMove({ unissued: units - held, held });
  if (fits.ok) return units;
  throw new Error(`--sizes ${units}: ${problemOf(fits.error).message}`);
}

const sizes = (options.sizes ?? '').split(',').map(Number).map(checkSize);
const measured: Measured[] = [];
for (let run = 0; run < Number(options.runs); run += 1) {
  for (const size of sizes) {
    const one = await measure(size);
    measured.push(one);
    print(one);
  }
}
console.log('medians:');
for (const size of sizes) {
  const of = measured.filter(({ units }) => units === size);
  const seconds = median(of.map((one) => one.seconds));
  const cpuPerCal = median(of.map((one) => one.cpuPerCal));
  const p99 = median(of.map((one) => one.renewals.p99));
  const met = seconds < targetSeconds && p99 < targetP99 ? ', within both aims' : '';
  const cost = `${((seconds / size) * 1e6).toFixed(0)} µs and ${cpuPerCal.toFixed(0)} µs of processor time by CAL`;
  console.log(`  ${size}: ${seconds.toFixed(2)} s, ${cost}; renewals p99 ${p99} ms${met}`);
}
if (options.json) console.log(JSON.stringify(measured));
