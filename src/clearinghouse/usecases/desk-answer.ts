/** What the desk shows a representative: the codes to read out now, and what happens next. */
import type { Code } from '../../core/code.ts';
import { formatCode } from '../../core/code.ts';
import { formatDigits } from '../../core/code-digits.ts';
import type { Digest } from '../../core/digest.ts';
import type { JsonObject } from '../../core/json.ts';
import { spellGroups } from '../../core/spelling.ts';

export type CodeView = {
  readonly code: string;
  readonly digits: string;
  readonly spelled: readonly (readonly string[])[];
  readonly kind: string;
  /** The License Server ID that the code is for. */
  readonly for: string;
};

/** Scripts rely on these fields: `code`, `digits` and `spelled` are those of the first of `codes`. */
export type DeskAnswer = JsonObject & {
  readonly code: string | null;
  readonly digits: string | null;
  readonly spelled: readonly (readonly string[])[] | null;
  readonly codes: readonly CodeView[];
  readonly next: string;
};

export function viewCode(digest: Digest, code: Code, forServer: string): CodeView {
  const text = formatCode(code);
  return {
    code: text,
    digits: formatDigits(digest, code),
    spelled: spellGroups(text),
    kind: code.kind,
    for: forServer,
  };
}

/** Puts an answer together; `more` are the numbers of this particular answer. */
export function deskAnswer(codes: readonly CodeView[], next: string, more: JsonObject = {}): DeskAnswer {
  const first = codes[0];
  return {
    code: first?.code ?? null,
    digits: first?.digits ?? null,
    spelled: first?.spelled ?? null,
    codes,
    next,
    ...more,
  };
}
