/**
 * One run of a scenario. The run without failures keeps what everybody has before each command, and what was
 * answered; a run with a failure begins at the command in which it is, with programs that were just started, and is
 * told again what was answered before.
 */
import assert from 'node:assert/strict';
import type { ClearinghouseContext } from '../../src/clearinghouse/context.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import { dayMs } from '../../src/core/time.ts';
import type { ServerContext } from '../../src/server/context.ts';
import type { LicenseAnswer } from '../../src/server/usecases/request-license.ts';
import type { MemoryDatabase, Program } from '../sim/program.ts';
import { assertConserved } from '../world/conserved.ts';
import type { TestClock } from '../world/world.ts';
import type { Fault, Faults, Operation } from './faults.ts';
import { InjectedFailure, makeFaults } from './faults.ts';
import type { Databases, Programs } from './programs.ts';
import { allOf, booksOf, copyDatabases, openPrograms, startAnew } from './programs.ts';
import type { End, Summary } from './summary.ts';
import { summarize } from './summary.ts';
import type { Place, ServerName, Template } from './template.ts';

export interface Scene {
  readonly faults: Faults;
  readonly clock: TestClock;
  readonly desk: () => ClearinghouseContext;
  readonly server: (name: ServerName) => Program<ServerContext>;
  /** All of them, in their order. */
  readonly servers: readonly ServerName[];
  /** What holders have from elsewhere; a scenario may add some. */
  readonly tokens: Map<string, LicenseAnswer>;
  /** An administrator gives a command, and again where it fails or its answer does not come. */
  readonly insist: <T>(name: string, command: Command<T>, enough?: Enough) => Promise<T | undefined>;
  /** What a scenario asks the programs for beside the commands, and does there where nothing is to fail. */
  readonly look: <T>(work: () => Promise<T>) => Promise<T>;
  /** The state at the clearinghouse that all moves have, if they have the same one. */
  readonly moveState: () => Promise<string | undefined>;
  /** How much has been written, everywhere. */
  readonly written: () => Promise<number>;
  /** What everybody has at the end, when the holders have asked the server that has their CALs now. */
  readonly summary: (end: End) => Promise<Summary>;
  readonly close: () => Promise<void>;
}

/** Whether a command need not be given again, although nobody has seen it end well. */
type Enough = () => Promise<boolean>;

export type Command<T> = () => Promise<Result<T, Refusal>>;

/** Before a command of the run without failures: what is stored, and how much was met and answered by then. */
interface Moment {
  readonly databases: ReadonlyMap<Place, MemoryDatabase>;
  readonly operations: readonly Operation[];
  readonly answers: number;
}

/** What a run without failures was answered, and what there was before each command. */
export interface Past {
  readonly answers: unknown[];
  readonly moments: Moment[];
}

export function forget({ moments }: Past): void {
  for (const { databases } of moments) for (const database of databases.values()) database.close();
}

/** A run without failures, which leaves its past; or one with a failure, which has that one's past. */
export interface Running {
  readonly past: Past;
  readonly fault: Fault | null;
}

/** A clock that stands where nobody sets it: whoever is told what was before has the same time. */
function makeStillClock(startMs: number): TestClock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    set: (ms) => {
      nowMs = ms;
    },
    advanceDays: (days) => {
      nowMs += days * dayMs;
    },
  };
}

/** Opens the programs where a run begins: at the start, or at the command in which its failure is. */
export async function openScene(template: Template, { past, fault }: Running): Promise<Scene> {
  const moment = past.moments.findLast(({ operations }) => fault !== null && operations.length <= fault.at);
  const faults = makeFaults(fault, moment?.operations ?? []);
  const tokens = new Map(template.tokens);
  const clock = makeStillClock(template.startMs);
  const databases: Databases = moment?.databases ?? template.places;
  const programs = await openPrograms(template, databases, { clock, faults });
  const look = makeLook({ past, fault, known: moment?.answers ?? 0 });
  const insist = makeInsist(programs, { faults, fault });
  const { clearinghouse, servers } = programs;
  return {
    ...{ faults, clock, tokens, look, servers: [...servers.keys()] },
    desk: () => clearinghouse.context,
    server: (name) => {
      const server = servers.get(name);
      assert.ok(server !== undefined, name);
      return server;
    },
    insist: (name, command, enough) => {
      if (fault === null) {
        const operations = [...faults.operations];
        past.moments.push({ databases: copyDatabases(programs), operations, answers: past.answers.length });
      }
      return look(() => insist(name, command, enough));
    },
    moveState: () =>
      look(async () => {
        const sql = 'select distinct state from moves';
        const rows = await clearinghouse.store.read((tx) => tx.all<{ state: string }>(sql));
        return rows.length === 1 ? rows[0]?.state : undefined;
      }),
    written: async () => {
      const sql = 'select (select count(*) from journal) + (select count(*) from outbox) as count';
      let sum = 0;
      for (const { store } of allOf(programs)) {
        sum += (await store.read((tx) => tx.get<{ count: number }>(sql)))?.count ?? 0;
      }
      return sum;
    },
    summary: (end) => summarize(programs, tokens, end),
    close: async () => {
      for (const program of allOf(programs)) await program.close();
    },
  };
}

/** Answers what the run without failures was answered, so far as it is known. */
function makeLook({ past, fault, known }: Running & { readonly known: number }): Scene['look'] {
  let asked = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    asked += 1;
    // It is the same scenario up to there, and asks in the same order.
    if (asked <= known) return past.answers[asked - 1] as T;
    const answer = await work();
    if (fault === null) past.answers.push(answer);
    return answer;
  };
}

/** More often than this nobody repeats a command that fails once. */
const mostAttempts = 3;

async function attempt<T>(command: Command<T>): Promise<Result<T, Refusal> | null> {
  try {
    return await command();
  } catch (error) {
    if (error instanceof InjectedFailure) return null;
    throw error;
  }
}

function makeInsist(
  programs: Programs,
  { faults, fault }: { readonly faults: Faults; readonly fault: Fault | null },
): Scene['insist'] {
  const check = () => assertConserved(booksOf(programs));
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
      if (failed !== null && fault?.how.endsWith('starts anew') === true) {
        await startAnew(programs, failed.what);
      }
      await check();
      if ((await enough?.()) === true) return undefined;
    }
    throw new Error(`${name} does not get done`);
  };
}
