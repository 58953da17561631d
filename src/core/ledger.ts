/**
 * Double-entry books (protocol §1.3): integer accounts that only postings change. Every posting
 * moves an amount between two accounts of one line, so the sum is conserved by arithmetic, and none
 * goes below zero. The rules judge and compute; storing the outcome is for the caller.
 */
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

/**
 * The name of an account: at least three parts joined by "/", for example `4965437/0/in-hand`
 * (agreement, line, account; the account may have parts of its own). The first two parts name the
 * line. The last part of a *source* account is `entitled` or `installed`: it counts what came in,
 * and equals the sum of the other accounts of its line.
 */
export type AccountId = string;

export type Posting =
  /** Moves `amount` from `debit` to `credit` at once. Out of a source raises both, back into it lowers both. */
  | {
      readonly kind: 'transfer';
      readonly debit: AccountId;
      readonly credit: AccountId;
      readonly amount: number;
    }
  /**
   * Takes `amount` out of `debit` into `hold`, until the pending is posted (to `credit`) or
   * voided (back to `debit`). A pending is resolved exactly once.
   */
  | {
      readonly kind: 'pending';
      readonly id: string;
      readonly debit: AccountId;
      readonly hold: AccountId;
      readonly credit: AccountId;
      readonly amount: number;
    }
  /** Resolves a pending; `credit`, where given, is another destination than the one planned. */
  | { readonly kind: 'post'; readonly pending: string; readonly credit?: AccountId }
  | { readonly kind: 'void'; readonly pending: string };

export type PendingState = 'open' | 'posted' | 'voided';

export interface Pending {
  readonly id: string;
  readonly debit: AccountId;
  readonly hold: AccountId;
  readonly credit: AccountId;
  readonly amount: number;
  readonly state: PendingState;
}

/** What the rules read of the books as they stand. */
export interface Books {
  /** 0 for an account that nothing was ever posted to. */
  readonly balance: (account: AccountId) => number;
  readonly pending: (id: string) => Pending | undefined;
}

/** What the postings make of the books: new balances and new or resolved pendings, and nothing else. */
export interface Changes {
  readonly balances: ReadonlyMap<AccountId, number>;
  readonly pendings: ReadonlyMap<string, Pending>;
}

export type LedgerProblem =
  | { readonly code: 'amount-invalid'; readonly amount: number }
  | { readonly code: 'account-invalid'; readonly account: AccountId }
  | { readonly code: 'same-account'; readonly account: AccountId }
  | { readonly code: 'across-lines'; readonly debit: AccountId; readonly credit: AccountId }
  | {
      readonly code: 'overdraft';
      readonly account: AccountId;
      readonly balance: number;
      readonly amount: number;
    }
  /** The balance would no longer be a safe integer. */
  | {
      readonly code: 'overflow';
      readonly account: AccountId;
      readonly balance: number;
      readonly amount: number;
    }
  | { readonly code: 'pending-exists'; readonly pending: string }
  | { readonly code: 'pending-unknown'; readonly pending: string }
  | {
      readonly code: 'pending-resolved';
      readonly pending: string;
      readonly state: Exclude<PendingState, 'open'>;
    };

/** The line of an account, its first two parts; undefined where the name has fewer than three parts. */
export function lineOf(account: AccountId): string | undefined {
  const first = account.indexOf('/');
  const second = first > 0 ? account.indexOf('/', first + 1) : -1;
  if (second <= first + 1 || second === account.length - 1) return undefined;
  return account.slice(0, second);
}

/** Whether the account counts what came into its line (`entitled` at the clearinghouse, `installed` on a server). */
export function isSourceAccount(account: AccountId): boolean {
  return account.endsWith('/entitled') || account.endsWith('/installed');
}

interface Working {
  readonly books: Books;
  readonly balances: Map<AccountId, number>;
  readonly pendings: Map<string, Pending>;
}

/**
 * What the books become when the postings are made one after the other, or the first problem.
 * Nothing of a list with a problem may be kept: the changes are all or nothing.
 */
export function applyPostings(books: Books, postings: readonly Posting[]): Result<Changes, LedgerProblem> {
  const working: Working = { books, balances: new Map(), pendings: new Map() };
  for (const posting of postings) {
    const problem = apply(working, posting);
    if (problem !== undefined) return err(problem);
  }
  return ok({ balances: working.balances, pendings: working.pendings });
}

function apply(working: Working, posting: Posting): LedgerProblem | undefined {
  switch (posting.kind) {
    case 'transfer':
      return shift(working, { from: posting.debit, to: posting.credit, amount: posting.amount });
    case 'pending':
      return open(working, posting);
    case 'post':
      return resolve(working, posting.pending, { state: 'posted', credit: posting.credit });
    case 'void':
      return resolve(working, posting.pending, { state: 'voided', credit: undefined });
  }
}

function open(working: Working, posting: Posting & { kind: 'pending' }): LedgerProblem | undefined {
  const { id, debit, hold, credit, amount } = posting;
  if (pendingOf(working, id) !== undefined) return { code: 'pending-exists', pending: id };
  // Judged now, not when it is posted: a pending that can only be voided is a mistake of its maker.
  const later = sides(hold, credit);
  if (later !== undefined) return later;
  if (debit === credit) return { code: 'same-account', account: debit };
  const problem = shift(working, { from: debit, to: hold, amount });
  if (problem !== undefined) return problem;
  working.pendings.set(id, { id, debit, hold, credit, amount, state: 'open' });
  return undefined;
}

function resolve(
  working: Working,
  id: string,
  outcome: { readonly state: 'posted' | 'voided'; readonly credit: AccountId | undefined },
): LedgerProblem | undefined {
  const pending = pendingOf(working, id);
  if (pending === undefined) return { code: 'pending-unknown', pending: id };
  if (pending.state !== 'open') return { code: 'pending-resolved', pending: id, state: pending.state };
  const credit = outcome.credit ?? pending.credit;
  const to = outcome.state === 'posted' ? credit : pending.debit;
  const problem = shift(working, { from: pending.hold, to, amount: pending.amount });
  if (problem !== undefined) return problem;
  working.pendings.set(id, { ...pending, credit, state: outcome.state });
  return undefined;
}

interface Shift {
  readonly from: AccountId;
  readonly to: AccountId;
  readonly amount: number;
}

/** One movement between two accounts; leaving a source raises it, entering a source lowers it. */
function shift(working: Working, { from, to, amount }: Shift): LedgerProblem | undefined {
  if (!Number.isSafeInteger(amount) || amount <= 0) return { code: 'amount-invalid', amount };
  return (
    sides(from, to) ??
    change(working, from, isSourceAccount(from) ? amount : -amount) ??
    change(working, to, isSourceAccount(to) ? -amount : amount)
  );
}

/** Both sides must be accounts of one line, and not the same one. */
function sides(from: AccountId, to: AccountId): LedgerProblem | undefined {
  const fromLine = lineOf(from);
  const toLine = lineOf(to);
  if (fromLine === undefined) return { code: 'account-invalid', account: from };
  if (toLine === undefined) return { code: 'account-invalid', account: to };
  if (from === to) return { code: 'same-account', account: from };
  if (fromLine !== toLine) return { code: 'across-lines', debit: from, credit: to };
  return undefined;
}

function change(working: Working, account: AccountId, delta: number): LedgerProblem | undefined {
  const balance = working.balances.get(account) ?? working.books.balance(account);
  const after = balance + delta;
  if (after < 0) return { code: 'overdraft', account, balance, amount: -delta };
  if (!Number.isSafeInteger(after)) return { code: 'overflow', account, balance, amount: delta };
  working.balances.set(account, after);
  return undefined;
}

function pendingOf(working: Working, id: string): Pending | undefined {
  return working.pendings.get(id) ?? working.books.pending(id);
}
