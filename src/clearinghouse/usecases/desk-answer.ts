/** What the desk shows a representative: the codes to read out now, and what happens next. */
import type { Reveal } from '../../core/chain.ts';
import { formatCode } from '../../core/code.ts';
import { formatDigits } from '../../core/code-digits.ts';
import type { JsonObject } from '../../core/json.ts';
import { spellGroups } from '../../core/spelling.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import type { ClearinghouseContext } from '../context.ts';
import { codeOf } from '../signer.ts';

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

/** The code that reveals a chain value of an authority, as it is read out to its license server. */
export function viewCode(
  context: ClearinghouseContext,
  authority: Pick<GrantedAuthorityRow, 'aid' | 'licenseServerId'>,
  reveal: Reveal,
): CodeView {
  const code = codeOf(context, authority, reveal);
  const text = formatCode(code);
  return {
    code: text,
    digits: formatDigits(context.digest, code),
    spelled: spellGroups(text),
    kind: code.kind,
    for: authority.licenseServerId,
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
