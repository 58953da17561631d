/**
 * Refusals in words: status, title, message and next step for each code, for HTTP (RFC 9457), the
 * command line and the consoles alike. The words stand in the problem-*.ts files beside this one.
 */
import type { Refusal, RefusalCode } from '../core/refusal.ts';
import { askingAndAgreementWords } from './problem-agreements.ts';
import { backupWords } from './problem-backups.ts';
import { codeWords } from './problem-codes.ts';
import { moveAndMessageWords } from './problem-moves.ts';
import { serverAndLicenseWords } from './problem-servers.ts';
import type { Words, WordsFor } from './problem-words.ts';

/** Every code of the union: a refusal without words does not compile. */
const words: WordsFor<RefusalCode> = {
  ...askingAndAgreementWords,
  ...serverAndLicenseWords,
  ...codeWords,
  ...backupWords,
  ...moveAndMessageWords,
};

export interface Problem extends Words {
  readonly code: RefusalCode;
}

/** Refusals quote what others sent; on a terminal, control characters in it would act. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** Puts a refusal into words: one line each, safe to print on a terminal. */
export function problemOf(refusal: Refusal): Problem {
  // The record pairs each code with a function of exactly that member, which indexing forgets.
  const inWords = words[refusal.code] as (refusal: Refusal) => Words;
  const { status, title, message, next } = inWords(refusal);
  return { code: refusal.code, status, title, message: printable(message), next: printable(next) };
}

/**
 * What the command line prints under `refused`: code, words, and the refusal's own fields under their
 * own names. Scripts rely on it.
 */
export function refusedBody(refusal: Refusal): Refusal & { readonly message: string; readonly next: string } {
  const { message, next } = problemOf(refusal);
  return { ...refusal, message, next };
}

/**
 * The exit code of the command line: 3 where the other side cannot be reached, 4 where
 * the books and a server's past contradict each other, 1 for every other refusal.
 */
export function exitCodeOf(refusal: Refusal): 1 | 3 | 4 {
  if (refusal.code === 'clearinghouse-unreachable') return 3;
  return refusal.code === 'server-suspect' ? 4 : 1;
}
