/** Words for refusals of backups. */
import type { RefusalCode } from '../core/refusal.ts';
import type { WordsFor } from './problem-words.ts';

type BackupCodes = Extract<RefusalCode, 'backup-key-missing' | 'backup-key-exists' | 'backup-running'>;

export const backupWords: WordsFor<BackupCodes> = {
  'backup-key-missing': ({ program }) => ({
    status: 409,
    title: 'There is no key for backups',
    message: 'Backups are sealed to a key of yours, and none is registered here.',
    next: `Make one, and keep its file where this machine cannot be lost with it: calyx ${program} backup-key --out FILE.`,
  }),
  'backup-key-exists': ({ program, recipient }) => ({
    status: 409,
    title: 'There is a key for backups already',
    message: `Backups are sealed to ${recipient}.`,
    next:
      `To seal later ones to another key: calyx ${program} backup-key --replace --out FILE. The earlier ones are ` +
      'still opened by the present key only, so keep it.',
  }),
  'backup-running': ({ program, percent }) => ({
    status: 409,
    title: 'A backup is being made',
    message: `A backup is being made already, and ${percent} % of it is done.`,
    next: `Wait until it is there: calyx ${program} backup shows it.`,
  }),
};
