/**
 * What `/metrics` shows: the duration of requests by route, method and status, refusals by code, and
 * the process. Counting happens in plain numbers, because a license request may arrive 10,000 times
 * a second; prom-client only sees them when somebody asks.
 */
import type { Metric } from 'prom-client';
import { Counter, collectDefaultMetrics, Registry } from 'prom-client';

/** Upper bounds of the buckets in seconds: a group commit takes milliseconds, a delivery seconds. */
const bucketSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const;

interface Series {
  readonly counts: number[];
  sumSeconds: number;
}

/** The durations of one route, by status. */
export interface RouteDurations {
  readonly method: string;
  readonly route: string;
  readonly byStatus: Map<number, Series>;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export interface HttpMetrics {
  readonly registry: Registry;
  /** The durations of a route; the same object for the same route and method. */
  readonly route: (method: string, route: string) => RouteDurations;
  /** Counts one refusal by its code. */
  readonly refused: (code: string) => void;
  /** Everything in the text format of Prometheus. */
  readonly text: () => Promise<string>;
}

/** Adds one request to a route's durations. */
export function observe(durations: RouteDurations, status: number, seconds: number): void {
  let series = durations.byStatus.get(status);
  if (series === undefined) {
    series = { counts: new Array<number>(bucketSeconds.length + 1).fill(0), sumSeconds: 0 };
    durations.byStatus.set(status, series);
  }
  let bucket = 0;
  while (bucket < bucketSeconds.length && seconds > (bucketSeconds[bucket] ?? 0)) bucket += 1;
  series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
  series.sumSeconds += seconds;
}

const name = 'http_request_duration_seconds';

function samplesOf(durations: RouteDurations): Sample[] {
  const samples: Sample[] = [];
  for (const [status, series] of durations.byStatus) {
    const labels = { method: durations.method, route: durations.route, status };
    let total = 0;
    for (const [index, count] of series.counts.entries()) {
      total += count;
      const le = bucketSeconds[index] ?? '+Inf';
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: total });
    }
    samples.push({ metricName: `${name}_sum`, labels, value: series.sumSeconds });
    samples.push({ metricName: `${name}_count`, labels, value: total });
  }
  return samples;
}

/** A registry of its own per program, so that several can live in one process (tests, `calyx up`). */
export function createHttpMetrics(): HttpMetrics {
  const registry = new Registry();
  const routes = new Map<string, RouteDurations>();
  const help = 'Duration of HTTP requests in seconds';
  const histogram = {
    name,
    help,
    // prom-client asks a metric for its samples through `get`; nothing is kept there in between.
    get: async () => ({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: [...routes.values()].flatMap(samplesOf),
    }),
    reset: () => {
      for (const durations of routes.values()) durations.byStatus.clear();
    },
  };
  registry.registerMetric(histogram as unknown as Metric);
  const refusals = new Counter({
    name: 'calyx_refusals_total',
    help: 'Requests refused, by code',
    labelNames: ['code'],
    registers: [registry],
  });
  let watchesProcess = false;
  return {
    registry,
    route: (method, route) => {
      const key = `${method} ${route}`;
      const known = routes.get(key);
      if (known !== undefined) return known;
      const durations: RouteDurations = { method, route, byStatus: new Map() };
      routes.set(key, durations);
      return durations;
    },
    refused: (code) => refusals.inc({ code }),
    text: async () => {
      // Watching the process keeps a timer and an observer: only where somebody looks.
      if (!watchesProcess) collectDefaultMetrics({ register: registry });
      watchesProcess = true;
      return await registry.metrics();
    },
  };
}
