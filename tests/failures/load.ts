/**
 * Loads a failure table with the sources as the simulation has them (tests/sim/patches.ts): chains that are short
 * to walk, and signatures that are computed once. A table starts its programs anew for each of its rows.
 */
import type { Patch } from '../sim/patches.ts';
import { affordable, patchSources } from '../sim/patches.ts';
import { rememberSignatures } from '../sim/remember-signatures.ts';

/** So few at once, and in one code, that three CALs with holders go in two parts, each with a new certificate after it. */
export const inParts: readonly Patch[] = [
  { file: 'core/chain.ts', find: '? 360 : 255', replace: '? 360 : 2' },
  { file: 'core/agreement.ts', find: 'mostUnits = 65_535', replace: 'mostUnits = 2' },
  { file: 'core/confirmation.ts', find: 'mostInConfirmation = 0xffff', replace: 'mostInConfirmation = 2' },
];

export async function loadTable(more: readonly Patch[] = []) {
  rememberSignatures();
  patchSources([...affordable, ...more]);
  const { failEverythingOnce } = await import('./table.ts');
  const { scenarios } = await import('./scenarios.ts');
  const { deadScenarios } = await import('./dead-scenarios.ts');
  const { severalScenarios } = await import('./several-scenarios.ts');
  const { partsScenarios } = await import('./parts-scenarios.ts');
  return { failEverythingOnce, scenarios, deadScenarios, severalScenarios, partsScenarios };
}
