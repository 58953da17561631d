/** What the license benchmark tells: medians of the rounds, percentiles of all requests, ratios, targets. */
import type { LoadReport } from './issue-load.ts';
import type { RawRates } from './issue-raw.ts';

export interface Sample extends LoadReport {
  /** Requests per second. */
  readonly rate: number;
  /** The part of one core that the license server used. */
  readonly serverCpu: number;
}

/** One kind of request at one number of connections. */
export interface Row {
  readonly kind: string;
  readonly connections: number;
  /** Requests per second, the median of the rounds. */
  readonly rate: number;
  readonly slowest: number;
  readonly fastest: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly bodyBytes: number;
  readonly clientCpu: number;
  readonly serverCpu: number;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const rounded = (value: number, digits = 0): number => Number(value.toFixed(digits));

export function rowOf(kind: string, connections: number, samples: readonly Sample[]): Row {
  const rates = samples.map((sample) => sample.rate);
  const latencies = Float64Array.from(samples.flatMap((sample) => [...sample.latencies])).sort();
  const percentile = (part: number): number =>
    rounded((latencies[Math.floor((latencies.length - 1) * part)] ?? Number.NaN) / 1000, 2);
  return {
    ...{ kind, connections, rate: rounded(median(rates)) },
    ...{ slowest: rounded(Math.min(...rates)), fastest: rounded(Math.max(...rates)) },
    ...{ p50: percentile(0.5), p99: percentile(0.99) },
    bodyBytes: rounded(median(samples.map((sample) => sample.bodyBytes))),
    clientCpu: rounded(median(samples.map((sample) => sample.clientCpu)), 2),
    serverCpu: rounded(median(samples.map((sample) => sample.serverCpu)), 2),
  };
}

/** What is asked of the rates at 64 connections, as parts of the empty route's. */
const targets: Readonly<Record<string, number>> = {
  unchanged: 0.45,
  renew: 0.35,
  issue: 0.3,
  issueAt100k: 0.3,
};
/** Milliseconds. */
const targetP99 = 40;
/** The pool must not matter: how far the two rates of issue may be apart. */
const targetSpread = 0.15;

export interface Summary {
  readonly ratios: Readonly<Record<string, number>>;
  readonly issueAt100kOverIssue: number;
  readonly issueOverBare: number;
  readonly targets: typeof targets;
  readonly met: boolean;
  readonly rows: readonly Row[];
  /** Issues per second that bare node:sqlite writes. */
  readonly sqlite: RawRates;
}

export function summary(rows: readonly Row[], raw: readonly RawRates[]): Summary {
  const at64 = new Map(rows.filter((row) => row.connections === 64).map((row) => [row.kind, row]));
  const rate = (kind: string): number => at64.get(kind)?.rate ?? Number.NaN;
  const names = Object.keys(targets);
  const ratios = Object.fromEntries(names.map((kind) => [kind, rounded(rate(kind) / rate('empty'), 3)]));
  const spread = rounded(rate('issueAt100k') / rate('issue'), 3);
  const fast = names.every((kind) => (ratios[kind] ?? 0) >= (targets[kind] ?? 0));
  const prompt = [...at64.values()].every((row) => row.p99 < targetP99);
  return {
    ratios,
    issueAt100kOverIssue: spread,
    issueOverBare: rounded(rate('issue') / rate('bare'), 3),
    targets,
    met: fast && prompt && Math.abs(spread - 1) <= targetSpread,
    rows,
    sqlite: {
      oneByOne: rounded(median(raw.map((rates) => rates.oneByOne))),
      groupsOf100: rounded(median(raw.map((rates) => rates.groupsOf100))),
    },
  };
}

const count = (value: number): string => Math.round(value).toLocaleString('en');
const percent = (value: number): string => `${(value * 100).toFixed(0)} %`;

const titles: Readonly<Record<string, string>> = {
  alone: 'empty route, program of its own',
  empty: 'empty route, same server',
  bare: 'bare issue, program of its own',
  unchanged: 'unchanged answer',
  renew: 'renewal, written',
  issue: 'issue, 2,000 free',
  issueAt100k: 'issue, 100,000 free',
};

export function printTable(rows: readonly Row[], told: Summary): void {
  const line = (cells: readonly string[]): void => {
    console.log(cells.map((cell, at) => (at === 0 ? cell.padEnd(33) : cell.padStart(11))).join(''));
  };
  for (const connections of new Set(rows.map((row) => row.connections))) {
    const here = rows.filter((row) => row.connections === connections);
    const empty = here.find((row) => row.kind === 'empty')?.rate ?? Number.NaN;
    line([
      `${connections} connections`,
      'requests/s',
      'of empty',
      'p50 ms',
      'p99 ms',
      'server CPU',
      'client CPU',
    ]);
    for (const row of here) {
      const cells = [count(row.rate), percent(row.rate / empty), row.p50.toFixed(2), row.p99.toFixed(2)];
      const server = row.kind === 'alone' || row.kind === 'bare' ? '' : percent(row.serverCpu);
      line([titles[row.kind] ?? row.kind, ...cells, server, percent(row.clientCpu)]);
    }
    console.log('');
  }
  console.log(
    `bare node:sqlite, the rows of an issue: ${count(told.sqlite.oneByOne)}/s one by one, ${count(told.sqlite.groupsOf100)}/s in groups of 100`,
  );
  const wanted = Object.entries(targets).map(
    ([kind, least]) => `${kind} ${percent(told.ratios[kind] ?? Number.NaN)} (${percent(least)})`,
  );
  console.log(`of the empty route at 64 connections, in brackets what is asked: ${wanted.join(', ')}`);
  console.log(
    `100,000 free against 2,000 free: ${told.issueAt100kOverIssue}; issue against the bare one: ${told.issueOverBare}; all targets ${told.met ? 'met' : 'NOT met'}`,
  );
}
