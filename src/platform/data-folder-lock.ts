/**
 * One process per data folder. The lock itself is an exclusive transaction on `lock.sqlite` that is
 * kept open: the kernel lets go of it when the process dies, however it dies, and two processes can
 * never both have it. `lock.json` beside it only tells who that is and where it listens.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isoTime } from '../core/time.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { systemClock } from './clock.ts';
import { Failure, systemCode } from './failure.ts';

const lockFile = 'lock.sqlite';
const noteFile = 'lock.json';

/** How long a look by somebody else may hold us up, milliseconds. */
const patienceMs = 500;

/** What the holder of the lock says about itself. */
interface LockNote {
  readonly pid: number;
  /** When the process began, in the kernel's ticks since boot; null where that cannot be known. */
  readonly processStart: string | null;
  readonly startedAt: string;
  /** Base URL for programs on this machine; null until it listens, or where it never does. */
  readonly address: string | null;
  /** The certificate (PEM) that it shows there; null without TLS. */
  readonly certificate: string | null;
}

export type LockState =
  | { readonly state: 'free' }
  /** Somebody holds it who has not said where it listens (it is starting, or runs a single command). */
  | { readonly state: 'held'; readonly pid: number | null }
  | {
      readonly state: 'running';
      readonly pid: number;
      readonly address: string;
      readonly certificate: string | null;
      readonly startedAt: string;
    };

export interface FolderLock {
  /** Says where the holder listens, so that the command line finds it. */
  readonly publish: (address: string, certificate?: string) => void;
  readonly release: () => void;
}

/**
 * Field 22 of /proc/PID/stat (proc_pid_stat(5)): with the number of the process it names one process
 * until the next boot. The second field, in parentheses, may hold anything.
 */
function processStartOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function isAlive(note: LockNote): boolean {
  try {
    process.kill(note.pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if (systemCode(error) !== 'EPERM') return false;
  }
  return note.processStart === null || note.processStart === processStartOf(note.pid);
}

/** The note of a living process; a dead one's is as good as none. */
function readNote(dir: string): LockNote | undefined {
  let note: LockNote;
  try {
    note = JSON.parse(readFileSync(join(dir, noteFile), 'utf8')) as LockNote;
  } catch {
    return undefined;
  }
  return typeof note?.pid === 'number' && isAlive(note) ? note : undefined;
}

const isBusy = (error: unknown): boolean => (error as { readonly errcode?: number } | null)?.errcode === 5;

/** Whether somebody holds the lock. The look itself takes a shared lock for a moment. */
function isHeld(dir: string): boolean {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(dir, lockFile), { readOnly: true });
    database.exec('select count(*) from sqlite_schema');
    return false;
  } catch (error) {
    return isBusy(error);
  } finally {
    database?.close();
  }
}

/** Who works in the folder. */
export function readLock(dir: string): LockState {
  if (!isHeld(dir)) return { state: 'free' };
  const note = readNote(dir);
  if (note === undefined || note.address === null) return { state: 'held', pid: note?.pid ?? null };
  const { pid, address, certificate, startedAt } = note;
  return { state: 'running', pid, address, certificate, startedAt };
}

function busyFailure(dir: string): Failure {
  const held = readLock(dir);
  const address = held.state === 'running' ? held.address : null;
  const pid = held.state === 'free' ? null : held.pid;
  const where = address === null ? '' : `, at ${address}`;
  return new Failure(`Another process${pid === null ? '' : ` (${pid})`} works in ${dir}${where}.`, {
    code: 'data-folder-busy',
    next: 'Wait until it is done, or stop it, then try again.',
    details: { folder: dir, pid, address },
  });
}

/** Takes the lock, for the life of this process or until `release`. Held by another: a `Failure`. */
export function acquireLock(dir: string): FolderLock {
  const database = new DatabaseSync(join(dir, lockFile), { timeout: patienceMs });
  try {
    database.exec('begin exclusive');
  } catch (error) {
    database.close();
    if (isBusy(error)) throw busyFailure(dir);
    throw error;
  }
  const self = {
    pid: process.pid,
    processStart: processStartOf(process.pid),
    startedAt: isoTime(systemClock.nowMs()),
  };
  const write = (address: string | null, certificate: string | null): void =>
    writeFileAtomic(join(dir, noteFile), `${JSON.stringify({ ...self, address, certificate })}\n`);
  write(null, null);
  let held = true;
  return {
    publish: (address, certificate) => write(address, certificate ?? null),
    release: () => {
      if (!held) return;
      held = false;
      rmSync(join(dir, noteFile), { force: true });
      database.close();
    },
  };
}
