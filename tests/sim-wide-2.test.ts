/** Half of the seeds that are run each time, side by side; `npm run sim -- --seeds 500` runs more. */
import { checkMany } from './sim/wide.ts';

await checkMany(3000, 75);
