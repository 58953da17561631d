/**
 * Seeds whose servers fail and are declared dead, whose moves take weeks, or whose pasts come into doubt
 * (tests/sim/profile.ts). Their steps are long, and after some hundred of them little is left to happen.
 */
import { checkMany } from './sim/wide.ts';

checkMany(1000, 30, { steps: 120 });
checkMany(6000, 60, { steps: 60 });
checkMany(8000, 30, { steps: 60 });
checkMany(9000, 30, { steps: 60 });
checkMany(4000, 10, { steps: 150 });
checkMany(4500, 10, { steps: 150 });
checkMany(43_000, 20, { steps: 300 });
