/** A fifth of the 500 seeds that are run each time, in files of their own to run side by side. */
import { checkMany } from './sim/wide.ts';

checkMany(2000, 100);
