/**
 * The promises about books, looked at after every step for every program that wrote: sums, journals that
 * replay to the balances, licenses, reserves and unit numbers as the books count them, and never more out there than
 * the clearinghouse has given (protocol §1.3).
 */
import {
  conservesEntitled,
  conservesInstalled,
  sumClearinghouse,
  sumServer,
} from '../../src/core/account.ts';
import type { AccountId, Pending, Posting } from '../../src/core/ledger.ts';
import { applyPostings } from '../../src/core/ledger.ts';
import type { ReadTx } from '../../src/store/port.ts';
import { checkFrozen } from './frozen.ts';
import type { Program } from './program.ts';
import type { GrantedAway } from './risk.ts';
import { atRisk, grantedAway, isAtRisk, unheardOf } from './risk.ts';
import type { Sim, SimServer } from './sim.ts';
import { twoHolders, Violation } from './tokens.ts';

/** What a journal says so far, replayed entry by entry. */
export interface BookCheck {
  readonly read: Map<string, number>;
  readonly balances: Map<AccountId, number>;
  readonly pendings: Map<string, Pending>;
  /** The balances of the program's own tables, as they were at its last write. */
  seen: ReadonlyMap<AccountId, number>;
}

function checkOf(sim: Sim, name: string): BookCheck {
  let check = sim.books.get(name);
  if (check === undefined) {
    check = { read: new Map(), balances: new Map(), pendings: new Map(), seen: new Map() };
    sim.books.set(name, check);
  }
  return check;
}

interface Row {
  readonly log: string;
  readonly position: number;
  readonly text: string;
}

/** Reads on in every journal and replays what is new; what was read before must still be there. */
async function replay(tx: ReadTx, name: string, check: BookCheck): Promise<void> {
  for (const { log, size } of await tx.all<{ log: string; size: number }>('select log, size from logs')) {
    const from = check.read.get(log) ?? 0;
    if (size < from)
      throw new Violation('nothing acknowledged is lost', `${name}: journal ${log} is shorter`);
    if (size === from) continue;
    const rows = await tx.all<Row>(
      'select log, position, text from journal where log = ? and position >= ? order by position',
      log,
      from,
    );
    for (const { text } of rows) replayEntry(name, check, text);
    check.read.set(log, size);
  }
}

function replayEntry(name: string, check: BookCheck, text: string): void {
  const { postings } = JSON.parse(text) as { postings: readonly Posting[] };
  if (postings.length === 0) return;
  const books = {
    balance: (account: AccountId) => check.balances.get(account) ?? 0,
    pending: (id: string) => check.pendings.get(id),
  };
  const changes = applyPostings(books, postings);
  if (!changes.ok) throw new Violation('journal', `${name}: ${JSON.stringify(changes.error)} in ${text}`);
  for (const [account, balance] of changes.value.balances) {
    check.balances.set(account, balance);
  }
  for (const [id, pending] of changes.value.pendings) check.pendings.set(id, pending);
}

function compareBalances(name: string, check: BookCheck): void {
  for (const [account, balance] of check.seen) {
    const replayed = check.balances.get(account) ?? 0;
    if (balance !== replayed) {
      throw new Violation('journal', `${name}: ${account} is ${balance}, its journal says ${replayed}`);
    }
  }
}

async function checkProgram(sim: Sim, program: Program<unknown>): Promise<BookCheck> {
  const check = checkOf(sim, program.name);
  await program.store.read(async (tx) => {
    await replay(tx, program.name, check);
    check.seen = await tx.balances('');
  });
  compareBalances(program.name, check);
  return check;
}

interface LicenseCount {
  readonly agreement: string;
  readonly line: number;
  readonly free: number;
  readonly issued: number;
  readonly held: number;
  readonly units: number;
  /** For holders who have not come yet, by name and without. */
  readonly reserved: number;
}

const countLicenses = `select l.agreement, l.line,
  (select coalesce(sum(u.last_unit - u.first_unit + 1), 0) from unit_ranges u
    where u.line_id = l.id and u.pool = '' and u.first_unit <= u.last_unit) as free,
  (select count(*) from licenses c where c.line_id = l.id and c.state = 'issued') as issued,
  (select count(*) from licenses c where c.line_id = l.id and c.state = 'held') as held,
  (select count(distinct c.unit) from licenses c where c.line_id = l.id and c.state in ('issued', 'held')) as units,
  (select count(*) from reservations r where r.line_id = l.id and r.state = 'reserved')
    + (select coalesce(sum(r.amount), 0) from reserves r where r.line_id = l.id) as reserved
  from lines l`;

async function checkServer(sim: Sim, server: SimServer): Promise<void> {
  const { seen } = await checkProgram(sim, server.program);
  const counts = await server.program.store.read((tx) => tx.all<LicenseCount>(countLicenses));
  for (const line of sumServer(seen)) {
    const what = `${server.name}: ${JSON.stringify(line)}`;
    if (!conservesInstalled(line)) throw new Violation('I2', what);
    const count = counts.find((each) => each.agreement === line.agreement && each.line === line.line);
    if (count === undefined) continue;
    const licensed = `${what} has ${JSON.stringify(count)}`;
    if (count.issued !== line.issued || count.held > line.held) throw new Violation('licenses', licensed);
    if (count.units !== count.issued + count.held) throw new Violation('unit numbers', licensed);
    if (count.free !== line.unissued) throw new Violation('unit numbers', licensed);
    if (count.reserved !== line.reserved) throw new Violation('reserves', licensed);
  }
}

/** What the books have given to a server of a line, or have under way to it (protocol §1.3, I3). */
function givenTo(sim: Sim, to: { key: string; id: string; coming: readonly string[] }): number {
  let given = 0;
  for (const [account, amount] of checkOf(sim, 'clearinghouse').seen) {
    if (amount === 0 || !account.startsWith(`${to.key}/`)) continue;
    const [, , kind, owner = ''] = account.split('/');
    if (kind === 'committed' && owner === to.id) given += amount;
    if (to.coming.includes(`${kind}/${owner}`)) given += amount;
  }
  return given;
}

/**
 * Accounts of open moves, by the server that may have their units: those in transit are on their way to the
 * target, and those that wait for a horizon are still with the source.
 */
async function comingTo(sim: Sim): Promise<ReadonlyMap<string, readonly string[]>> {
  const moves = await sim.clearinghouse.store.read((tx) =>
    tx.all<{ id: string; source: string; target: string; state: string }>(
      `select id, source, target, state from moves
       where state not in ('reserved', 'closed', 'committed', 'aborted')`,
    ),
  );
  const coming = new Map<string, string[]>();
  for (const { id, source, target, state } of moves) {
    const [to, account] =
      state === 'dead-wait' ? [source, `quarantined/${id}`] : [target, `in-transit/${id}`];
    coming.set(to, [...(coming.get(to) ?? []), account]);
  }
  return coming;
}

/** Installed and not held on a server, against what it was given; `exact` where nothing is under way. */
export async function checkGiven(sim: Sim, exact: boolean): Promise<void> {
  const coming = await comingTo(sim);
  const away = await grantedAway(sim);
  for (const server of sim.servers) {
    for (const line of sumServer(checkOf(sim, server.name).seen)) {
      const key = `${line.agreement}/${line.line}`;
      const usable = line.installed - line.held;
      const unheard = exact ? 0 : unheardOf(away, server, line.line);
      const given = unheard + givenTo(sim, { key, id: server.id, coming: coming.get(server.id) ?? [] });
      if (usable > given || (exact && usable !== given)) {
        throw new Violation(
          exact ? 'nothing is lost' : 'I3',
          `${server.name} has ${usable} of ${key}, and was given ${given}`,
        );
      }
    }
  }
}

const countLapsed = `select n.line, count(*) as lapsed from licenses l join lines n on n.id = l.line_id
  where l.state = 'issued' and l.inherited_from is null and l.lease_end < ? group by n.line`;

/** Units of a line that are free on the servers, or will be as soon as somebody asks: all leases on them have ended. */
async function freeUnits(sim: Sim, away: readonly GrantedAway[]): Promise<ReadonlyMap<number, number>> {
  const free = new Map<number, number>();
  for (const server of sim.servers) {
    const { program, name } = server;
    if (!program.isUp) continue;
    const nowMs = program.clock.nowMs();
    const rows = await program.store.read((tx) =>
      tx.all<{ line: number; lapsed: number }>(countLapsed, nowMs),
    );
    for (const { line, unissued } of sumServer(checkOf(sim, name).seen)) {
      if (unheardOf(away, server, line) > 0) continue;
      const lapsed = rows.find((row) => row.line === line)?.lapsed ?? 0;
      free.set(line, (free.get(line) ?? 0) + unissued + lapsed);
    }
  }
  return free;
}

/**
 * Holders with a living license are no more than the units that are out (protocol §1.3, I5), not counting
 * those that are free: nobody has a license on a unit that the next one to ask is given.
 */
async function checkHolders(sim: Sim): Promise<void> {
  const free = await freeUnits(sim, await grantedAway(sim));
  for (const line of sumClearinghouse(checkOf(sim, 'clearinghouse').seen)) {
    if (!conservesEntitled(line)) throw new Violation('I1', JSON.stringify(line));
    const type = line.line === 0 ? 'device' : 'user';
    const out = line.entitled - line.inHand - line.retired;
    const alive = sim.tokens.holders(type, sim.latestMs);
    const unused = free.get(line.line) ?? 0;
    const most = out - unused;
    if (alive > most && alive > most + (await atRisk(sim, { line: line.line, type }))) {
      throw new Violation('I5', `${alive} holders of ${out} units per ${type}, of which ${unused} are free`);
    }
  }
}

async function checkSuspects(sim: Sim): Promise<void> {
  const suspects = await sim.clearinghouse.store.read((tx) =>
    tx.all<{ name: string }>(`select name from servers where state = 'suspect'`),
  );
  for (const { name } of suspects) throw new Violation('honest servers', `${name} is taken for a fork`);
}

/** Everything that must hold after every step; programs that are down show what they had committed. */
export async function checkStep(sim: Sim): Promise<void> {
  let touched = false;
  if (sim.clearinghouse.takeTouched()) {
    await checkProgram(sim, sim.clearinghouse);
    await checkSuspects(sim);
    touched = true;
  }
  for (const server of sim.servers) {
    if (!server.program.takeTouched()) continue;
    await checkServer(sim, server);
    touched = true;
  }
  if (touched) {
    await checkGiven(sim, false);
    await checkFrozen(sim);
  }
  for (const shared of sim.tokens.takeShared()) {
    if (!(await isAtRisk(sim, shared))) throw twoHolders('origin', shared);
  }
  await checkHolders(sim);
}
