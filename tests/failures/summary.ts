/** What everybody has at the end of a run, told in full, to be compared with a run without failures. */
import assert from 'node:assert/strict';
import { sumClearinghouse } from '../../src/core/account.ts';
import type { ServerContext } from '../../src/server/context.ts';
import type { LicenseAnswer } from '../../src/server/usecases/request-license.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import { readStatus } from '../../src/server/usecases/status.ts';
import type { Store } from '../../src/store/port.ts';
import type { Program } from '../sim/program.ts';
import * as acts from '../world/acts.ts';
import { assertConserved } from '../world/conserved.ts';
import { product } from '../world/world.ts';
import type { Programs } from './programs.ts';
import { booksOf } from './programs.ts';
import type { ServerName } from './template.ts';

/**
 * The servers that have the CALs of the holders at the end: each asks them one after another, as one that has
 * given its CAL up says so.
 */
export type End = readonly ServerName[];

/** Everything that must be the same, whatever failed on the way. */
export type Summary = Readonly<Record<string, unknown>>;

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

/** Where a holder is served: a source that has given its CAL up says so. */
async function placeOf(programs: Programs, end: End, holder: string): Promise<Program<ServerContext>> {
  for (const [at, name] of end.entries()) {
    const server = programs.servers.get(name);
    assert.ok(server !== undefined, name);
    if (at === end.length - 1) return server;
    const asked = await requestLicense(server.context, { product, type: 'device', holder });
    if (asked.ok) return server;
    assert.equal(asked.error.code, 'license-moved', holder);
  }
  throw new Error(`${holder} has nowhere to go`);
}

/** Of every line of every server: which it is, and its counts. */
async function countsOf({ servers }: Programs): Promise<Summary> {
  const counts: Record<string, unknown> = {};
  for (const [name, server] of servers) {
    for (const { type } of (await readStatus(server.context)).packs) {
      counts[`${name}, per ${type}`] = await acts.counts(server, type);
    }
  }
  return counts;
}

export async function summarize(
  programs: Programs,
  tokens: ReadonlyMap<string, LicenseAnswer>,
  end: End,
): Promise<Summary> {
  const summary: Record<string, unknown> = {};
  for (const { name, store } of booksOf(programs).programs()) {
    summary[`${name}: journal`] = await countBy(store, journalKinds);
    summary[`${name}: moves`] = await countBy(store, moveStates);
    summary[`${name}: waiting`] = await countBy(store, waiting);
    if (name !== 'clearinghouse') summary[`${name}: events`] = await countBy(store, events);
  }
  const { store } = programs.clearinghouse;
  summary['books'] = sumClearinghouse(await store.read((tx) => tx.balances('')));
  summary['counts'] = await countsOf(programs);
  for (const [holder, first] of tokens) {
    const server = await placeOf(programs, end, holder);
    const license = await acts.permanent(server, holder, acts.sourceOf(first));
    assert.deepEqual([license.kind, license.origin], ['permanent', first.origin], holder);
  }
  await assertConserved(booksOf(programs));
  summary['counts when all have asked'] = await countsOf(programs);
  return summary;
}
