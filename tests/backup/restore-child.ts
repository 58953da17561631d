/**
 * A process for tests: restores a backup into a folder and kills itself before the change on the disk that it is told.
 * With a change that never comes it restores to the end, and prints all changes.
 */
import { readFileSync } from 'node:fs';
import { identitiesIn } from '../../src/backup/age-key.ts';
import { restoreBackup } from '../../src/backup/restore-backup.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { systemRandom } from '../../src/platform/random.ts';
import { restorable } from '../../src/server/app-restore.ts';

const [, , file = '', keyFile = '', dir = '', killAt = ''] = process.argv;
const steps: string[] = [];
const identities = (await identitiesIn(readFileSync(keyFile, 'utf8'))) ?? [];
await restoreBackup({
  ...{ file, identities, dir, of: restorable, rehearse: false, clock: systemClock, random: systemRandom },
  step: (what) => {
    if (steps.length === Number(killAt)) process.kill(process.pid, 'SIGKILL');
    steps.push(what);
  },
});
process.stdout.write(JSON.stringify(steps));
