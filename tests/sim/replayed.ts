/** What the journals of a program say so far, replayed entry by entry, beside what its tables hold. */
import type { AccountId, Pending, Posting } from '../../src/core/ledger.ts';
import { applyPostings } from '../../src/core/ledger.ts';
import type { ReadTx } from '../../src/store/port.ts';
import type { Seen, SeenClearinghouse, SeenServer } from './seen.ts';
import { nothingAtClearinghouse, nothingOnServer } from './seen.ts';
import type { Sim } from './sim.ts';
import { Violation } from './tokens.ts';

export interface BookCheck<What extends Seen> {
  /** How many entries of each journal were read. */
  readonly read: Map<string, number>;
  readonly balances: Map<AccountId, number>;
  readonly pendings: Map<string, Pending>;
  /** Its tables as they were at its last write. */
  seen: What;
}

export interface Books {
  readonly clearinghouse: BookCheck<SeenClearinghouse>;
  readonly servers: Map<string, BookCheck<SeenServer>>;
}

function unread<What extends Seen>(seen: What): BookCheck<What> {
  return { read: new Map(), balances: new Map(), pendings: new Map(), seen };
}

export const unreadBooks = (): Books => ({
  clearinghouse: unread(nothingAtClearinghouse),
  servers: new Map(),
});

export function checkOfServer({ books }: Pick<Sim, 'books'>, name: string): BookCheck<SeenServer> {
  let check = books.servers.get(name);
  if (check === undefined) {
    check = unread(nothingOnServer);
    books.servers.set(name, check);
  }
  return check;
}

/** Whether a server knows that its database is not what it has told, and gives nothing new until it is. */
export const isInDoubt = (sim: Pick<Sim, 'books'>, name: string): boolean =>
  sim.books.servers.get(name)?.seen.past?.state === 'doubted';

interface Row {
  readonly log: string;
  readonly position: number;
  readonly text: string;
}

/** Reads on in every journal and replays what is new; what was read before must still be there. */
export async function replay(tx: ReadTx, name: string, check: BookCheck<Seen>): Promise<void> {
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

function replayEntry(name: string, check: BookCheck<Seen>, text: string): void {
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

/** The balances that its tables hold are those that its journals lead to. */
export function compareBalances(name: string, check: BookCheck<Seen>): void {
  for (const [account, balance] of check.seen.balances) {
    const replayed = check.balances.get(account) ?? 0;
    if (balance !== replayed) {
      throw new Violation('journal', `${name}: ${account} is ${balance}, its journal says ${replayed}`);
    }
  }
}
