/** Loads the simulation with the sources changed as it needs them, and as a mutant asks. */
import type { Patch } from './patches.ts';
import { affordable, patchSources } from './patches.ts';
import { rememberSignatures } from './remember-signatures.ts';

export async function loadSimulation(mutant: readonly Patch[] = []) {
  rememberSignatures();
  patchSources([...affordable, ...mutant]);
  return import('./run.ts');
}
