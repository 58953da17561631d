/** Questions, asked on a terminal only; `--yes` and `--json` answer them. */
import { createInterface } from 'node:readline/promises';
import { Failure } from '../platform/failure.ts';

export interface PromptOptions {
  /** Answered already: `--yes` or `--json`. */
  readonly answered: boolean;
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Questions stand on stderr, so that stdout holds results only. */
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/**
 * Asks `question` ("+25 → total 125. Install?"); true for yes. Without a terminal and without `--yes`
 * nobody can answer: that is a failure, and nothing was done.
 */
export async function confirm(question: string, options: PromptOptions): Promise<boolean> {
  if (options.answered) return true;
  if (options.input.isTTY !== true || options.output.isTTY !== true) {
    throw new Failure(`"${question}" needs an answer, and there is no terminal to ask on.`, {
      code: 'answer-needed',
      next: 'Run the command again with --yes. Nothing was changed.',
      details: { question },
    });
  }
  const lines = createInterface({ input: options.input, output: options.output });
  try {
    const answer = await lines.question(`${question} [y/N] `);
    return /^\s*y(es)?\s*$/i.test(answer);
  } catch {
    // Ctrl-C or Ctrl-D instead of an answer.
    return false;
  } finally {
    lines.close();
  }
}
