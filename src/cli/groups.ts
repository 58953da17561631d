/** The commands of the first level, in the order of the help; each is loaded only when it is named. */
import type { CommandGroup } from './main.ts';

export const groups: readonly CommandGroup[] = [];
