/**
 * A code that was read out to this server: which kind it is, whether it was typed right, whether it is
 * for us, and what it does. One entry for every kind, whatever the installation method in force.
 */

import type { Code } from '../../core/code.ts';
import { parseCode } from '../../core/code.ts';
import type { EventNumber } from '../../core/event.ts';
import type { RecoveryReason } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err } from '../../core/result.ts';
import type { ServerContext } from '../context.ts';
import type { Keyed } from './administer-once.ts';
import { applyActivationCode } from './apply-activation-code.ts';
import { applyHorizonCode } from './apply-horizon-code.ts';
import { applyKeyPackCode } from './apply-key-pack-code.ts';
import { noteAlone } from './events.ts';

export interface CodeInput extends Keyed {
  readonly text: string;
  /** How many were bought, where the person knows: tried first. */
  readonly quantity?: number | undefined;
  /** For a held key pack: the License Server ID of the server that the CALs come from. */
  readonly from?: string | undefined;
  /** And of servers that CALs had come to that one from, for holders who never came there. */
  readonly alsoFrom?: readonly string[] | undefined;
  /** For an activation code: why the server is activated again. */
  readonly reason?: RecoveryReason | undefined;
  /** False: only say what the code would do. */
  readonly confirmed: boolean;
}

export type CodeOutcome =
  | { readonly kind: 'activation'; readonly agreement: string; readonly horizon: string }
  | {
      readonly kind: 'key-pack' | 'held-key-pack';
      readonly applied: boolean;
      readonly agreement: string;
      readonly product: string;
      readonly productName: string;
      readonly type: string;
      readonly added: number;
      readonly installed: number;
      /** Dead sources whose key pack is awaited, where none was named: it may be this one, and is to be typed again then. */
      readonly waitingFor?: readonly string[];
    }
  | { readonly kind: 'horizon'; readonly agreement: string; readonly horizon: string };

/** How many codes in a row fail before help is shown, and before an event is due (protocol §3.7). */
const failureEvents: ReadonlyMap<number, EventNumber> = new Map([
  [5, 5018],
  [20, 5012],
]);

/**
 * Takes a code in. Refused: `code-unreadable`, `code-mistyped` (which groups, what may have been heard),
 * `code-wrong-kind`, `already-applied`, `code-other-server`, `code-other-kit`,
 * `code-not-for-this-server`, `source-needed`, `not-activated`, `kit-missing`.
 */
export async function applyCode(
  context: ServerContext,
  input: CodeInput,
): Promise<Result<CodeOutcome, Refusal>> {
  const code = parseCode(context.digest, input.text);
  const outcome = code.ok ? await applyKind(context, code.value, input) : code;
  await countFailures(context, outcome);
  return outcome;
}

async function applyKind(
  context: ServerContext,
  code: Code,
  input: CodeInput,
): Promise<Result<CodeOutcome, Refusal>> {
  switch (code.kind) {
    case 'activation':
      return applyActivationCode(context, code, input);
    case 'key-pack':
    case 'held-key-pack':
      return applyKeyPackCode(context, code, input);
    case 'horizon':
      return applyHorizonCode(context, code, input);
    default:
      return err({
        code: 'code-wrong-kind',
        expected: 'a code from the clearinghouse (it begins with 4 to 9, A or B)',
        found: code.kind,
      });
  }
}

/** Failed attempts in a row: help for whoever types, and then an event for the administrator. */
async function countFailures(context: ServerContext, outcome: Result<CodeOutcome, Refusal>): Promise<void> {
  const failed =
    !outcome.ok &&
    !['already-applied', 'source-needed', 'not-activated', 'kit-missing'].includes(outcome.error.code);
  const failures = failed ? context.cache.codeFailures + 1 : 0;
  context.cache.codeFailures = failures;
  const number = failureEvents.get(failures);
  if (number !== undefined) await noteAlone(context, { number, data: { failures } });
}
