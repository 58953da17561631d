/**
 * A clearinghouse and two license servers on copies of data folders that were prepared once, each started
 * anew where it failed. What they have at the end is told in full, to be compared with a run without failures.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openClearinghouseContext } from '../../src/clearinghouse/app.ts';
import type { ClearinghouseContext } from '../../src/clearinghouse/context.ts';
import { exchangeMessages } from '../../src/clearinghouse/usecases/exchange.ts';
import { sumClearinghouse } from '../../src/core/account.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import { err, ok } from '../../src/core/result.ts';
import type { Delivery } from '../../src/platform/delivery.ts';
import { openServerContext } from '../../src/server/app.ts';
import type { ServerContext } from '../../src/server/context.ts';
import type { LicenseAnswer } from '../../src/server/usecases/request-license.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import type { Store } from '../../src/store/port.ts';
import * as acts from '../world/acts.ts';
import type { Books } from '../world/conserved.ts';
import { assertConserved } from '../world/conserved.ts';
import type { World } from '../world/world.ts';
import { makeClock, makeWorld, product } from '../world/world.ts';
import type { Fault, Faults } from './faults.ts';
import { faultyStore, InjectedFailure, makeFaults } from './faults.ts';

export type Place = 'clearinghouse' | 'old' | 'next';

/** Programs fail here, never the power: their files may be where a sync costs nothing, if there is such a place. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

const holders = ['ws-1', 'ws-2', 'ws-3'];
const installed = 8;

/** What every run begins with: folders to be copied, and what the holders have. */
export interface Template {
  readonly world: World;
  readonly carrier: 'online' | 'telephone';
  readonly tokens: ReadonlyMap<string, LicenseAnswer>;
}

/** Two activated servers; 8 CALs on the old one, 3 of them issued. */
export async function prepare(carrier: Template['carrier']): Promise<Template> {
  const telephone = carrier === 'telephone';
  const world = await makeWorld(100, { kit: telephone });
  const old = await world.addServer('old', { kit: telephone, connected: true });
  const next = await world.addServer('next', { kit: telephone, connected: true });
  if (telephone) {
    await acts.setUp(world, old, installed);
    await acts.setUp(world, next, 0);
  } else {
    await acts.connect(old, installed);
    await acts.connect(next, 0);
    await acts.contact(old, next);
  }
  const tokens = new Map<string, LicenseAnswer>();
  for (const holder of holders) tokens.set(holder, await acts.permanent(old, holder));
  return { world, carrier, tokens };
}

/** Which server has the CALs at the end; `both` where a part of them has stayed. */
export type End = 'old' | 'next' | 'both';

export interface Scene {
  readonly faults: Faults;
  readonly clock: World['clock'];
  readonly desk: () => ClearinghouseContext;
  readonly old: () => Program<ServerContext>;
  readonly next: () => Program<ServerContext>;
  /** What holders have from elsewhere; a scenario may add some. */
  readonly tokens: Map<string, LicenseAnswer>;
  /** An administrator gives a command, and again where it fails or its answer does not come. */
  readonly insist: <T>(name: string, command: Command<T>, enough?: Enough) => Promise<T | undefined>;
  /** The state of the only move at the clearinghouse, if it has heard of it. */
  readonly moveState: () => Promise<string | undefined>;
  /** What everybody has at the end, when the holders have asked the server that has their CALs now. */
  readonly summary: (end: End) => Promise<Summary>;
  readonly close: () => Promise<void>;
}

/** Whether a command need not be given again, although nobody has seen it end well. */
type Enough = () => Promise<boolean>;

export type Command<T> = () => Promise<Result<T, Refusal>>;

/** Everything that must be the same, whatever failed on the way. */
export type Summary = Readonly<Record<string, unknown>>;

/** An open program: its context writes to a store that fails, `store` is the one beneath. */
interface Program<Context> {
  readonly context: Context;
  readonly store: Store;
  readonly close: () => Promise<void>;
}

/** The programs of one run, by place. */
interface Programs {
  clearinghouse: Program<ClearinghouseContext>;
  old: Program<ServerContext>;
  next: Program<ServerContext>;
}

/** How the programs of a run are opened, at its start and anew after a failure. */
interface Openers {
  readonly clearinghouse: () => Promise<Programs['clearinghouse']>;
  readonly server: (name: 'old' | 'next') => Promise<Program<ServerContext>>;
}

interface Run {
  readonly dir: string;
  readonly clock: World['clock'];
  readonly faults: Faults;
  readonly desk: () => ClearinghouseContext;
}

function openersOf({ dir, clock, faults, desk }: Run): Openers {
  return {
    clearinghouse: async () => {
      const { context } = await openClearinghouseContext(join(dir, 'clearinghouse'), { clock });
      const { store } = context;
      const close = () => store.close();
      return { context: { ...context, store: faultyStore(store, 'clearinghouse', faults) }, store, close };
    },
    server: async (name) => {
      const delivery = faultyDelivery(name, faults, desk);
      const { context } = await openServerContext(join(dir, name), { clock, delivery });
      const { store, signer } = context;
      const close = async (): Promise<void> => {
        await store.close();
        await signer.close();
      };
      return { context: { ...context, store: faultyStore(store, name, faults) }, store, close };
    },
  };
}

/** The data folders of a template, to be changed at will. */
function copyFolders(template: Template): string {
  const dir = mkdtempSync(join(memory, 'calyx-failure-'));
  for (const [from, to] of [
    ['ch', 'clearinghouse'],
    ['old', 'old'],
    ['next', 'next'],
  ] as const) {
    cpSync(join(template.world.dir, from), join(dir, to), { recursive: true });
  }
  return dir;
}

/** Opens copies of the folders of a template; `fault` is what is to fail in this run. */
export async function openScene(template: Template, fault: Fault | null): Promise<Scene> {
  const dir = copyFolders(template);
  const faults = makeFaults(fault);
  const tokens = new Map(template.tokens);
  // Every run begins at the same time, whatever those before have waited for.
  const clock = makeClock();
  clock.set(template.world.clock.nowMs());
  const open = openersOf({ dir, clock, faults, desk: () => programs.clearinghouse.context });
  const programs: Programs = {
    clearinghouse: await open.clearinghouse(),
    old: await open.server('old'),
    next: await open.server('next'),
  };
  const startAnew = async (place: string): Promise<void> => {
    await programs[place as Place].close();
    if (place === 'clearinghouse') programs.clearinghouse = await open.clearinghouse();
    else if (place === 'old') programs.old = await open.server('old');
    else programs.next = await open.server('next');
  };
  const check = () => assertConserved(booksOf(programs));
  return {
    faults,
    clock,
    desk: () => programs.clearinghouse.context,
    old: () => programs.old,
    next: () => programs.next,
    tokens,
    insist: makeInsist({ faults, fault, startAnew, check }),
    moveState: async () => {
      const sql = 'select state from moves';
      const rows = await programs.clearinghouse.store.read((tx) => tx.all<{ state: string }>(sql));
      assert.ok(rows.length <= 1);
      return rows[0]?.state;
    },
    summary: (end) => summarize(tokens, programs, end),
    close: async () => {
      for (const place of ['old', 'next', 'clearinghouse'] as const) await programs[place].close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const booksOf = ({ clearinghouse, old, next }: Programs): Books => ({
  clearinghouse,
  programs: () => [
    { name: 'clearinghouse', store: clearinghouse.store, licenseServerId: null },
    { name: 'old', store: old.store, licenseServerId: acts.idOf(old) },
    { name: 'next', store: next.store, licenseServerId: acts.idOf(next) },
  ],
});

/** The network: a clearinghouse that failed is one that does not answer, as over HTTP. */
function faultyDelivery(name: string, faults: Faults, desk: () => ClearinghouseContext): Delivery {
  const unreachable = err({
    code: 'clearinghouse-unreachable',
    url: '',
    detail: 'as the test wants it',
  } as const);
  return {
    exchange: async ({ messages }) => {
      const { how } = faults.meet('message', `${name} and the clearinghouse`);
      if (how === 'lost') return unreachable;
      try {
        const answered = await exchangeMessages(desk(), { messages, waitMs: 0 });
        if (how === 'comes twice') await exchangeMessages(desk(), { messages, waitMs: 0 });
        if (how === 'answer lost') return unreachable;
        return answered.ok ? ok(answered.value.messages) : answered;
      } catch (error) {
        if (error instanceof InjectedFailure) return unreachable;
        throw error;
      }
    },
  };
}

/** More often than this nobody repeats a command that fails once. */
const mostAttempts = 3;

interface Insisting {
  readonly faults: Faults;
  readonly fault: Fault | null;
  readonly startAnew: (place: string) => Promise<void>;
  readonly check: () => Promise<void>;
}

async function attempt<T>(command: Command<T>): Promise<Result<T, Refusal> | null> {
  try {
    return await command();
  } catch (error) {
    if (error instanceof InjectedFailure) return null;
    throw error;
  }
}

function makeInsist({ faults, fault, startAnew, check }: Insisting): Scene['insist'] {
  return async (name, command, enough) => {
    for (let count = 0; count < mostAttempts; count += 1) {
      const before = faults.failed();
      const result = await attempt(command);
      if (result?.ok === true && faults.meet('command', name).how === null) {
        await check();
        return result.value;
      }
      const failed = faults.failed();
      if (failed === before) throw new Error(`${name}: ${JSON.stringify(result)}`);
      if (failed !== null && fault?.how.endsWith('starts anew') === true) await startAnew(failed.what);
      await check();
      if ((await enough?.()) === true) return undefined;
    }
    throw new Error(`${name} does not get done`);
  };
}

type Counted = Readonly<Record<string, number>>;

async function countBy(store: Store, sql: string): Promise<Counted> {
  const rows = await store.read((tx) => tx.all<{ name: string; count: number }>(sql));
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

/** Contacts are as many as are needed; all else has happened as often as without a failure. */
const journalKinds = 'select kind as name, count(*) as count from journal group by kind order by kind';
const moveStates = 'select state as name, count(*) as count from moves group by state order by state';
const waiting = 'select type as name, count(*) as count from outbox group by type order by type';
const events = 'select number as name, count(*) as count from events group by number order by number';

/** Where a holder goes: a source that has given its CAL up says so. */
async function placeOf(
  { old, next }: Programs,
  { end, holder }: { readonly end: End; readonly holder: string },
): Promise<Program<ServerContext>> {
  if (end !== 'both') return end === 'old' ? old : next;
  const asked = await requestLicense(old.context, { product, type: 'device', holder });
  if (asked.ok) return old;
  assert.equal(asked.error.code, 'license-moved', holder);
  return next;
}

async function summarize(
  tokens: ReadonlyMap<string, LicenseAnswer>,
  programs: Programs,
  end: End,
): Promise<Summary> {
  const { clearinghouse, old, next } = programs;
  const summary: Record<string, unknown> = {};
  for (const { name, store } of booksOf(programs).programs()) {
    summary[`${name}: journal`] = await countBy(store, journalKinds);
    summary[`${name}: moves`] = await countBy(store, moveStates);
    summary[`${name}: waiting`] = await countBy(store, waiting);
    if (name !== 'clearinghouse') summary[`${name}: events`] = await countBy(store, events);
  }
  summary['books'] = sumClearinghouse(await clearinghouse.store.read((tx) => tx.balances('')));
  summary['counts'] = [await acts.counts(old), await acts.counts(next)];
  for (const [holder, first] of tokens) {
    const license = await acts.permanent(
      await placeOf(programs, { end, holder }),
      holder,
      acts.sourceOf(first),
    );
    assert.deepEqual([license.kind, license.origin], ['permanent', first.origin], holder);
  }
  await assertConserved(booksOf(programs));
  summary['counts when all have asked'] = [await acts.counts(old), await acts.counts(next)];
  return summary;
}
