/**
 * The promises about books, looked at after every step for every program that wrote: sums, journals that
 * replay to the balances, licenses and unit numbers as the books count them, and never more out there than
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
import type { Program } from './program.ts';
import type { Sim, SimServer } from './sim.ts';
import { Violation } from './tokens.ts';

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
}

const countLicenses = `select l.agreement, l.line,
  (select coalesce(sum(u.last_unit - u.first_unit + 1), 0) from unit_ranges u
    where u.line_id = l.id and u.pool = '' and u.first_unit <= u.last_unit) as free,
  (select count(*) from licenses c where c.line_id = l.id and c.state = 'issued') as issued,
  (select count(*) from licenses c where c.line_id = l.id and c.state = 'held') as held,
  (select count(distinct c.unit) from licenses c where c.line_id = l.id and c.state in ('issued', 'held')) as units
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
  }
}

/** What the books have given to a server of a line, or have under way to it (protocol §1.3, I3). */
function givenTo(sim: Sim, to: { key: string; id: string; coming: readonly string[] }): number {
  let given = 0;
  for (const [account, amount] of checkOf(sim, 'clearinghouse').seen) {
    if (amount === 0 || !account.startsWith(`${to.key}/`)) continue;
    const [, , kind, owner = ''] = account.split('/');
    if (kind === 'committed' && owner === to.id) given += amount;
    if ((kind === 'in-transit' || kind === 'quarantined') && to.coming.includes(owner)) given += amount;
  }
  return given;
}

/** Moves by their target, as far as units may still be under way. */
async function comingTo(sim: Sim): Promise<ReadonlyMap<string, readonly string[]>> {
  const moves = await sim.clearinghouse.store.read((tx) =>
    tx.all<{ id: string; target: string }>(
      `select id, target from moves where state not in ('reserved', 'closed', 'committed', 'aborted')`,
    ),
  );
  const coming = new Map<string, string[]>();
  for (const { id, target } of moves) coming.set(target, [...(coming.get(target) ?? []), id]);
  return coming;
}

/** Installed and not held on a server, against what it was given; `exact` where nothing is under way. */
export async function checkGiven(sim: Sim, exact: boolean): Promise<void> {
  const coming = await comingTo(sim);
  for (const server of sim.servers) {
    for (const line of sumServer(checkOf(sim, server.name).seen)) {
      const key = `${line.agreement}/${line.line}`;
      const usable = line.installed - line.held;
      const given = givenTo(sim, { key, id: server.id, coming: coming.get(server.id) ?? [] });
      if (usable > given || (exact && usable !== given)) {
        throw new Violation(
          exact ? 'nothing is lost' : 'I3',
          `${server.name} has ${usable} of ${key}, and was given ${given}`,
        );
      }
    }
  }
}

/** Holders with a living license are no more than the units that are out (protocol §1.3, I5). */
function checkHolders(sim: Sim): void {
  for (const line of sumClearinghouse(checkOf(sim, 'clearinghouse').seen)) {
    if (!conservesEntitled(line)) throw new Violation('I1', JSON.stringify(line));
    const type = line.line === 0 ? 'device' : 'user';
    const out = line.entitled - line.inHand - line.retired;
    const alive = sim.tokens.holders(type, sim.latestMs);
    if (alive > out) throw new Violation('I5', `${alive} holders of ${out} units per ${type}`);
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
  if (touched) await checkGiven(sim, false);
  checkHolders(sim);
}
