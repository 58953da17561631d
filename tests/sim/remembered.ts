/**
 * Pure functions of `core` that hash for long, and are asked the same again and again: a chain is walked for every code
 * that is read out once more, and a code that fits no state is searched for in all of them whenever it is read.
 */
import type { Digest } from '../../src/core/digest.ts';

/** So many answers at most of each; then all are forgotten. */
const most = 5000;

/** The function, which computes each answer once. The key is the whole input, its secrets included. */
export function remembered<Input, Answer>(
  compute: (digest: Digest, input: Input) => Answer,
): (digest: Digest, input: Input) => Answer {
  const answers = new Map<string, Answer>();
  return (digest, input) => {
    const name = JSON.stringify(input);
    const known = answers.get(name);
    if (known !== undefined) return known;
    if (answers.size >= most) answers.clear();
    const answer = compute(digest, input);
    answers.set(name, answer);
    return answer;
  };
}
