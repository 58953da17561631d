/** A rule that is left out of the programs, and where that shows. */
import type { Patch } from './patches.ts';
import type { Profile } from './profile.ts';

export interface Mutant {
  readonly name: string;
  /** The rule that is left out. */
  readonly rule: string;
  readonly patches: readonly Patch[];
  /** Which runs can show it at all; others are passed over. */
  readonly only?: (profile: Profile) => boolean;
  /** So many steps are looked at; 400 where nothing is said. */
  readonly steps?: number;
  /** Whether it shows only in the end, where everything has been delivered. */
  readonly atEnd?: true;
  /** `npm run sim:mutants` looks for it from this seed on; from the first where nothing is said. */
  readonly from?: number;
  /** A seed that catches it, and the check that fires (`exception`: the books or the database refuse). */
  readonly caught: { readonly seed: number; readonly checker: string };
}

/** In such runs what is wrong shows soon, and each step takes long. */
export const whereMovesTakeLong = { only: ({ overlaps }: Profile) => overlaps > 0, steps: 150 } as const;
export const whereServersFail = { only: ({ deaths }: Profile) => deaths > 0, steps: 100 } as const;
export const whereLinesAreLost = { only: ({ lostLines }: Profile) => lostLines > 0, steps: 60 } as const;
export const whereMovesGoOn = { only: ({ onward }: Profile) => onward > 0, steps: 100 } as const;
export const whereHoldersLeave = { only: ({ leftEarly }: Profile) => leftEarly > 0, steps: 60 } as const;
/** A rule that hours of the soak run have asked for: in whole runs only, and looked for where it was found. */
export const rareSince = (from: number) => ({ from, steps: 1000, atEnd: true }) as const;
