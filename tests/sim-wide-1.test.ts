/** Half of the seeds that are run each time; the files run side by side. */
import { checkMany } from './sim/wide.ts';

await checkMany(2000, 252);
