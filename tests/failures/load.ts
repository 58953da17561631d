/**
 * Loads a failure table with the sources as the simulation has them (tests/sim/patches.ts): chains that are short
 * to walk, and signatures that are computed once. A table starts its programs anew for each of its rows.
 */
import { affordable, patchSources } from '../sim/patches.ts';
import { rememberSignatures } from '../sim/remember-signatures.ts';

export async function loadTable() {
  rememberSignatures();
  patchSources(affordable);
  const { failEverythingOnce } = await import('./table.ts');
  const { scenarios } = await import('./scenarios.ts');
  const { deadScenarios } = await import('./dead-scenarios.ts');
  return { failEverythingOnce, scenarios, deadScenarios };
}
