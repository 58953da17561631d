/**
 * A small world for tests: one clearinghouse and as many license servers as wanted, real data folders
 * and databases, in one process, with a clock that the test sets and a line that it may cut.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenClearinghouse } from '../../src/clearinghouse/app.ts';
import { initClearinghouse, openClearinghouse } from '../../src/clearinghouse/app.ts';
import { addAgreement } from '../../src/clearinghouse/usecases/agreements.ts';
import { exchangeMessages } from '../../src/clearinghouse/usecases/exchange.ts';
import { makeKit } from '../../src/clearinghouse/usecases/make-kit.ts';
import { addProduct } from '../../src/clearinghouse/usecases/products.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import { dayMs } from '../../src/core/time.ts';
import type { Clock } from '../../src/platform/clock.ts';
import type { Delivery } from '../../src/platform/delivery.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { initServer, openServer } from '../../src/server/app.ts';
import { addKit } from '../../src/server/usecases/settings.ts';
import type { Store } from '../../src/store/port.ts';

export const agreement = '4965437';
export const product = 'ts-2012r2';

/** A clock that runs, and that a test puts forward or back. */
export interface TestClock extends Clock {
  readonly set: (ms: number) => void;
  readonly advanceDays: (days: number) => void;
}

export interface ServerOptions {
  readonly kit?: boolean;
  readonly connected?: boolean;
  /** A clock of its own, which may lie; else that of the world. */
  readonly clock?: Clock;
}

export interface World {
  readonly clock: TestClock;
  readonly clearinghouse: OpenClearinghouse;
  /** Closes it, lets something be done to its folder, and opens it again. */
  readonly reopenClearinghouse: (meanwhile: (dir: string) => Promise<void>) => Promise<void>;
  /** A new license server, with the kit where `kit` is true. */
  readonly addServer: (name: string, options?: ServerOptions) => Promise<OpenServer>;
  /**
   * Stops a license server, does something to its data folder or instance folder, and starts it again, with another
   * identity where that came of it. `meanwhile` is given both folders.
   */
  readonly reopen: (
    name: string,
    meanwhile: (home: string, instance: string) => void | Promise<void>,
  ) => Promise<OpenServer>;
  /** Both programs by name, for looking at everything that they have stored. */
  readonly programs: () => readonly {
    readonly name: string;
    readonly store: Store;
    /** Of a license server; null for the clearinghouse. */
    readonly licenseServerId: string | null;
  }[];
  /** The license servers that were added, by name. */
  readonly servers: ReadonlyMap<string, OpenServer>;
  readonly kitFile: string;
  /** The publisher bundle that servers are made with. */
  readonly bundle: string;
  readonly dir: string;
  readonly close: () => Promise<void>;
}

/** The value of a result, or a failure that shows the refusal. */
export function value<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new Error(`refused: ${JSON.stringify(result.error)}`);
}

/** The refusal of a result, or a failure that shows what was answered instead. */
export function refusalOf<T>(result: Result<T, Refusal>): Refusal {
  if (!result.ok) return result.error;
  throw new Error(`not refused: ${JSON.stringify(result.value)}`);
}

/**
 * The day on which every world begins, whatever day it is: terms end with a month or a day of the year, so a
 * test would else hold on one day and fail on another. CALYX_TEST_START puts it elsewhere, as `2027-02-28T23:59`.
 */
const startMs = Date.parse(`${process.env['CALYX_TEST_START'] ?? '2026-11-28T09:00'}Z`);

export function makeClock(): TestClock {
  let offsetMs = startMs - Date.now();
  return {
    nowMs: () => Date.now() + offsetMs,
    set: (ms) => {
      offsetMs = ms - Date.now();
    },
    advanceDays: (days) => {
      offsetMs += days * dayMs;
    },
  };
}

export interface WorldOptions {
  readonly publisher?: string;
  /** False: no agreement kit is made, which takes most of the time of making a world. */
  readonly kit?: boolean;
}

/** A clearinghouse with one product, and an agreement of so many CALs per device. */
async function publisher(
  dir: string,
  of: WorldOptions & { readonly clock: Clock; readonly quantity: number },
): Promise<{ readonly clearinghouse: OpenClearinghouse; readonly bundle: string }> {
  const { clock, quantity } = of;
  const made = await initClearinghouse({ dir, publisher: of.publisher ?? 'Sample Publisher', clock });
  const clearinghouse = await openClearinghouse(dir, { clock });
  const bundle = readFileSync(made.bundle, 'utf8');
  const { context } = clearinghouse;
  value(
    await addProduct(context, { id: product, name: 'Terminal Server 2012 R2', family: 'ts', version: 9 }),
  );
  const paper = { number: agreement, program: 'select', customer: 'Contoso' } as const;
  value(await addAgreement(context, { ...paper, product, type: 'device', quantity, requestId: 'first' }));
  return { clearinghouse, bundle };
}

/** The connection to a clearinghouse, which may be another program after a restart. */
function deliveryTo(clearinghouse: () => OpenClearinghouse): Delivery {
  return {
    exchange: async ({ messages, waitMs }) => {
      const order = { messages, waitMs: Math.min(waitMs, 10) };
      const answered = await exchangeMessages(clearinghouse().context, order);
      return answered.ok ? { ok: true, value: answered.value.messages } : answered;
    },
  };
}

export async function makeWorld(quantity = 1000, options: WorldOptions = {}): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-world-'));
  const clock = makeClock();
  const made = await publisher(join(dir, 'ch'), { ...options, clock, quantity });
  let { clearinghouse } = made;
  const { bundle } = made;
  const { context } = clearinghouse;
  const kitFile = options.kit === false ? '' : value(await makeKit(context, agreement)).file;
  const servers = new Map<string, OpenServer>();
  const delivery = deliveryTo(() => clearinghouse);
  const addServer: World['addServer'] = async (name, wanted = {}) => {
    const home = join(dir, name);
    const url = wanted.connected === true ? { clearinghouseUrl: 'http://127.0.0.1:9' } : {};
    await initServer({ dir: home, name, bundle, clock, ...url });
    const server = await openServer(home, { clock: wanted.clock ?? clock, delivery });
    servers.set(name, server);
    if (wanted.kit === true) value(await addKit(server.context, kitFile));
    return server;
  };
  const reopen: World['reopen'] = async (name, meanwhile) => {
    const home = join(dir, name);
    await servers.get(name)?.close();
    await meanwhile(home, `${home}.instance`);
    const server = await openServer(home, { clock, delivery });
    servers.set(name, server);
    return server;
  };
  const close = async (): Promise<void> => {
    for (const server of servers.values()) await server.close();
    await clearinghouse.close();
    rmSync(dir, { recursive: true, force: true });
  };
  const programs: World['programs'] = () => [
    { name: 'clearinghouse', store: clearinghouse.store, licenseServerId: null },
    ...[...servers].map(([name, { store, context }]) => {
      return { name, store, licenseServerId: context.licenseServerId };
    }),
  ];
  return {
    ...{ clock, addServer, reopen, programs, servers, kitFile, bundle, dir, close },
    get clearinghouse() {
      return clearinghouse;
    },
    reopenClearinghouse: async (meanwhile) => {
      await clearinghouse.close();
      await meanwhile(join(dir, 'ch'));
      clearinghouse = await openClearinghouse(join(dir, 'ch'), { clock });
    },
  };
}
