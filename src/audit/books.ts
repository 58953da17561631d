/**
 * The books as the journal makes them, entry by entry. Conservation is looked at after each: the sums of a
 * line are kept here, beside the rules of the ledger and not by them.
 */
import type { Pending, Posting } from '../core/ledger.ts';
import { applyPostings, isSourceAccount, lineOf } from '../core/ledger.ts';

/** Units that went from one account to another. */
export interface Movement {
  readonly by: Posting['kind'];
  readonly from: string;
  readonly to: string;
  /** Where they were before they were held; `from` for those that were not. */
  readonly origin: string;
  readonly amount: number;
}

export interface AuditBooks {
  readonly balances: Map<string, number>;
  readonly pendings: Map<string, Pending>;
  /** By line: what came in, and what all other accounts hold. */
  readonly sums: Map<string, { came: number; there: number }>;
}

export function emptyBooks(): AuditBooks {
  return { balances: new Map(), pendings: new Map(), sums: new Map() };
}

/**
 * Makes one entry's postings. Answers what moved, or in words what cannot be: a posting that the ledger
 * refuses, or a line of which more or less is there than came in (protocol §1.3, I1 and I2).
 */
export function replayPostings(
  books: AuditBooks,
  postings: readonly Posting[],
): readonly Movement[] | string {
  const outcome = applyPostings(
    { balance: (id) => books.balances.get(id) ?? 0, pending: (id) => books.pendings.get(id) },
    postings,
  );
  if (!outcome.ok) return `the ledger refuses it: ${JSON.stringify(outcome.error)}`;
  const moved = movementsOf(books, postings);
  for (const pending of outcome.value.pendings.values()) books.pendings.set(pending.id, pending);
  const touched = new Set<string>();
  for (const [account, balance] of outcome.value.balances) {
    const line = lineOf(account) ?? '';
    const sums = books.sums.get(line) ?? { came: 0, there: 0 };
    const delta = balance - (books.balances.get(account) ?? 0);
    if (isSourceAccount(account)) sums.came += delta;
    else sums.there += delta;
    books.sums.set(line, sums);
    books.balances.set(account, balance);
    touched.add(line);
    if (balance < 0) return `${account} would be ${balance}`;
  }
  for (const line of touched) {
    const sums = books.sums.get(line);
    if (sums !== undefined && sums.came !== sums.there) {
      return `${sums.came} units came into line ${line}, its accounts hold ${sums.there}`;
    }
  }
  return moved;
}

function movementsOf(books: AuditBooks, postings: readonly Posting[]): readonly Movement[] {
  const moved: Movement[] = [];
  const opened = new Map<string, Posting & { kind: 'pending' }>();
  for (const posting of postings) {
    if (posting.kind === 'transfer') {
      const { kind: by, debit: from, credit: to, amount } = posting;
      moved.push({ by, from, to, origin: from, amount });
    } else if (posting.kind === 'pending') {
      opened.set(posting.id, posting);
      const { kind: by, debit: from, hold: to, amount } = posting;
      moved.push({ by, from, to, origin: from, amount });
    } else {
      const pending = opened.get(posting.pending) ?? books.pendings.get(posting.pending);
      if (pending === undefined) continue;
      const to = posting.kind === 'void' ? pending.debit : (posting.credit ?? pending.credit);
      moved.push({ by: posting.kind, from: pending.hold, to, origin: pending.debit, amount: pending.amount });
    }
  }
  return moved;
}

/** The accounts that postings name. */
function accountsIn(postings: readonly Posting[]): readonly string[] {
  return postings.flatMap((posting) => {
    if (posting.kind === 'transfer') return [posting.debit, posting.credit];
    if (posting.kind === 'pending') return [posting.debit, posting.hold, posting.credit];
    return posting.kind === 'post' && posting.credit !== undefined ? [posting.credit] : [];
  });
}

/** The first account that is none of the books of this kind: its third part is not one of `names`. */
export function foreignAccount(
  books: AuditBooks,
  postings: readonly Posting[],
  of: { readonly names: ReadonlySet<string>; readonly agreement?: string },
): string | undefined {
  return accountsIn(postings).find((account) => {
    // Only accounts that passed have a balance.
    if (books.balances.has(account)) return false;
    const [agreement, line = '', name = ''] = account.split('/');
    const ours = of.agreement === undefined || agreement === of.agreement;
    return !ours || !/^(?:0|[1-9][0-9]?)$/.test(line) || !of.names.has(name);
  });
}
