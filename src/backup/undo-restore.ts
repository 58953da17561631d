/** After a restore: what was there before goes for good, or comes back. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { hex } from '../core/bytes.ts';
import { isoTime } from '../core/time.ts';
import type { Clock } from '../platform/clock.ts';
import { openDataFolder } from '../platform/data-folder.ts';
import { acquireLock } from '../platform/data-folder-lock.ts';
import { Failure } from '../platform/failure.ts';
import type { KeptState } from '../platform/folder-swap.ts';
import { commitSwap, finishSwap, hasSwap, keptName, keptStates, planFile } from '../platform/folder-swap.ts';
import { measureFile } from './age-file.ts';
import type { Restorable } from './restore-backup.ts';

function nothingKept(dir: string): Failure {
  return new Failure(`Nothing from before a restore is kept in ${dir}.`, {
    code: 'restore-nothing-kept',
    next: 'There is nothing to do.',
    details: { folder: dir },
  });
}

/** With the lock where something is left to be finished; the program may run otherwise. */
function settled(folder: string, kind: Restorable['kind']): string {
  const { dir } = openDataFolder(folder, kind);
  if (hasSwap(dir)) {
    const lock = acquireLock(dir);
    try {
      finishSwap(dir);
    } finally {
      lock.release();
    }
  }
  return dir;
}

/** Removes the states from before restores; answers their folders. Throws `Failure` `restore-nothing-kept`. */
export function confirmRestore(folder: string, { kind }: Restorable): readonly string[] {
  const dir = settled(folder, kind);
  const kept = keptStates(dir).map((state) => state.folder);
  if (kept.length === 0) throw nothingKept(dir);
  for (const each of kept) rmSync(each, { recursive: true });
  return kept;
}

/**
 * Puts back what the last restore has replaced; the state that it made is kept in its stead. Throws `Failure`:
 * `restore-nothing-kept`, `restore-served` (the restored program has worked since: what was there before would be
 * another branch of the same books), `data-folder-busy`.
 */
export async function undoRestore(
  folder: string,
  { kind, database }: Restorable,
  clock: Clock,
): Promise<{ readonly undone: KeptState; readonly kept: string }> {
  const { dir } = openDataFolder(folder, kind);
  const lock = acquireLock(dir);
  try {
    finishSwap(dir);
    const undone = keptStates(resolve(dir)).at(-1);
    if (undone === undefined) throw nothingKept(dir);
    await checkUntouched(join(dir, database), undone);
    const at = isoTime(clock.nowMs());
    const kept = keptName(dir, at);
    const files = readdirSync(undone.folder).filter((name) => name !== planFile && !name.endsWith('-shm'));
    // The database goes first: its log follows it into the place that the other's log has left.
    files.sort((one, other) => Number(other === database) - Number(one === database));
    const { sha256 } = await measureFile(join(undone.folder, database), 0);
    const of = { ...undone.plan.of, undone: true };
    const plan = { from: basename(undone.folder), kept, at, files, database, sha256: hex(sha256), of };
    commitSwap(dir, plan, () => undefined);
    finishSwap(dir);
    return { undone, kept: join(dir, kept) };
  } finally {
    lock.release();
  }
}

async function checkUntouched(database: string, { folder, plan }: KeptState): Promise<void> {
  const log = statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  // Nobody has it open: the lock of the folder is ours.
  const { sha256 } = await measureFile(database, 0);
  if (log === 0 && hex(sha256) === plan.sha256) return;
  throw new Failure(
    'It has worked since it was restored: licenses may have been answered that were unknown before.',
    {
      code: 'restore-served',
      next:
        `Go on with what was restored, or restore a backup. The state before is in ${folder}; it is another branch of ` +
        'the same books, and is not put back.',
      details: { kept: folder },
    },
  );
}
