/**
 * Makes a failing run short: it is cut off after the step that failed, and steps are left out, in ever
 * smaller groups, as long as the same check fails. Each step draws from a stream of its own, so that the
 * others stay what they were.
 */
import type { Run, RunOptions } from './run.ts';

export type Runner = (options: RunOptions) => Promise<Run>;

interface Shrinking {
  readonly run: Runner;
  readonly options: RunOptions;
  readonly steps: number;
  readonly checker: string | undefined;
  /** So many runs at most. */
  left: number;
}

async function stillFails(of: Shrinking, kept: readonly number[]): Promise<Run | undefined> {
  if (of.left === 0) return undefined;
  of.left -= 1;
  const keep = new Set(kept);
  const without = new Set(
    Array.from({ length: of.steps }, (_, step) => step).filter((step) => !keep.has(step)),
  );
  const done = await of.run({ ...of.options, steps: of.steps, without });
  return done.checker === of.checker ? done : undefined;
}

/** The shortest history found of the failure of `failed`, within `most` runs. */
export async function shrink(
  run: Runner,
  failed: { readonly options: RunOptions; readonly run: Run },
  most: number,
): Promise<Run> {
  const { options } = failed;
  const end = failed.run.failedAt < 0 ? options.steps : failed.run.failedAt + 1;
  const of: Shrinking = { run, options, steps: end, checker: failed.run.checker, left: most };
  let best = failed.run;
  let kept = Array.from({ length: end }, (_, step) => step);
  for (let size = Math.ceil(end / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = kept.length - size; at > -size && of.left > 0; at -= size) {
      const fewer = kept.filter((_, index) => index < at || index >= at + size);
      const shorter = await stillFails(of, fewer);
      if (shorter === undefined) continue;
      best = shorter;
      kept = fewer;
    }
  }
  return best;
}
