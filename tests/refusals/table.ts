/**
 * A table of refusals: each row attempts something on a stage that all rows share, and holds when the
 * refusal has its code and its numbers, and when no row of any database differs afterwards, but for what
 * is recorded by design.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import { assertConserved } from '../world/conserved.ts';
import { differences, takeSnapshot } from '../world/snapshot.ts';
import type { TestClock, World } from '../world/world.ts';
import { refusalOf } from '../world/world.ts';

export type Attempt = () => Promise<Result<unknown, Refusal>>;

/** The code of a refusal and those of its members that are worth telling. */
export type Expected = {
  readonly [Code in Refusal['code']]: Partial<Extract<Refusal, { code: Code }>> & { readonly code: Code };
}[Refusal['code']];

export interface Row<Stage> {
  readonly name: string;
  /** Gets ready what may be changed before; what comes back is what has to be refused. */
  readonly attempt: (stage: Stage) => Attempt | Promise<Attempt>;
  readonly refused: Expected | ((stage: Stage) => Expected);
  /** What else must hold of the refusal. */
  readonly also?: (refusal: Refusal, stage: Stage) => boolean;
  /** What the refusal itself leaves behind, as `differences` names it. */
  readonly recorded?: readonly string[];
}

export function refuses<Stage extends { readonly world: World }>(
  name: string,
  makeStage: () => Promise<Stage>,
  rows: readonly Row<Stage>[],
): void {
  describe(name, () => {
    let stage: Stage;
    before(async () => {
      stage = await makeStage();
    });
    after(async () => {
      await assertConserved(stage.world);
      await stage.world.close();
    });
    for (const row of rows) {
      it(row.name, async () => {
        const attempt = await row.attempt(stage);
        const start = await takeSnapshot(stage.world.programs());
        const refusal = refusalOf(await attempt());
        const expected = typeof row.refused === 'function' ? row.refused(stage) : row.refused;
        assert.partialDeepStrictEqual(refusal, expected);
        assert.ok(row.also?.(refusal, stage) ?? true, JSON.stringify(refusal));
        const changed = differences(start, await takeSnapshot(stage.world.programs()));
        assert.deepEqual(changed, row.recorded ?? []);
      });
    }
  });
}

/** Does something with a clock so many days away from the truth. */
export async function daysAway<T>(clock: TestClock, days: number, work: () => Promise<T>): Promise<T> {
  clock.advanceDays(days);
  try {
    return await work();
  } finally {
    clock.advanceDays(-days);
  }
}
