/** What the commands that restore must know of the two programs, loaded when it is needed. */
import type { Restorable } from '../backup/restore-backup.ts';
import type { Program } from './connect.ts';

export async function restorableOf(program: Program): Promise<Restorable> {
  const { restorable } =
    program === 'server'
      ? await import('../server/app-restore.ts')
      : await import('../clearinghouse/app-restore.ts');
  return restorable;
}
