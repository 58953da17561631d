/**
 * The same programs with chains of two positions: moves are too large at every turn, certificates are renewed all the
 * time, and dead sources come in parts. By telephone not all of that can end by itself, so each step is looked at alone.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { loadSimulation } from './sim/start.ts';

const { run } = await loadSimulation([
  { file: 'core/chain.ts', find: '? 360 : 255', replace: '? 360 : 2' },
  { file: 'core/agreement.ts', find: 'mostUnits = 65_535', replace: 'mostUnits = 2' },
]);

it('seeds on chains of two positions, 150 steps each: every promise holds', async () => {
  let tooLarge = 0;
  let followed = 0;
  for (const seed of [1005, 1010, 1016, 1018, 1021, 1022, 1023, 1032, 1039, 1041, 1053, 1063]) {
    const { failure, history } = await run({ seed, steps: 150, ending: false });
    assert.equal(failure, undefined, `seed ${seed}: ${failure?.stack}`);
    tooLarge += history.filter(({ words }) => words.includes('move-too-large')).length;
    // A declaration is told before its grant; one that comes with a grant is of the CALs which that one could not bring.
    followed += history.filter(({ words }) => words.includes('grant source-dead')).length;
  }
  assert.notEqual(tooLarge, 0, 'nothing was too large for them');
  assert.notEqual(followed, 0, 'no dead source came in parts');
});
