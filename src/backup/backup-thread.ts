/**
 * Makes a backup beside the main thread: it takes seconds of processor time, and nobody who asks for a
 * license is to wait for it. This file is both ends: the thread runs it, too.
 */
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { basename } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { reasonOf } from './failure-words.ts';
import type { BackupOrder, MadeBackup } from './make-backup.ts';
import { makeBackup } from './make-backup.ts';

export interface RunningBackup {
  /** Rejects with an Error whose message is for people. */
  readonly done: Promise<MadeBackup>;
  /** Ends the thread where it stands; what it has written stays for the next start to sweep. */
  readonly stop: () => Promise<void>;
}

/** For what is new and soon forgotten, which is all that this thread has: left to itself it takes 50 MiB more. */
const youngMiB = 8;

type Said = { readonly part: number } | { readonly made: MadeBackup } | { readonly problem: string };

/** Starts a thread for one backup; `progress` is told how much is done, from 0 to 1. */
export function startBackup(order: BackupOrder, progress: (part: number) => void): RunningBackup {
  const thread = new Worker(new URL(import.meta.url), {
    workerData: { [threadMark]: order },
    resourceLimits: { maxYoungGenerationSizeMb: youngMiB },
  });
  const { promise, resolve, reject } = Promise.withResolvers<MadeBackup>();
  thread.on('message', (said: Said) => {
    if ('part' in said) progress(said.part);
    else if ('made' in said) resolve(said.made);
    else reject(new Error(said.problem));
  });
  thread.once('error', (error) => reject(error));
  thread.once('exit', () => reject(new Error('it was stopped')));
  promise.catch(() => undefined);
  return {
    done: promise,
    stop: async () => {
      await thread.terminate();
    },
  };
}

const threadMark = 'calyx-backup';

/**
 * Whoever asks for a license goes first. Not before the database is copied: a thread that waits for its turn
 * while it holds a lock of SQLite's would hold up the one that commits. On Linux each thread has a priority of its own, under the number that
 * /proc names it by; elsewhere it has that of the program.
 */
function giveWay(): void {
  try {
    setPriority(
      Number(basename(readlinkSync('/proc/thread-self'))),
      constants.priority.PRIORITY_BELOW_NORMAL,
    );
  } catch {
    // It takes longer for others then, and nothing else.
  }
}

async function serve(order: BackupOrder, say: (said: Said) => void): Promise<void> {
  let told = 0;
  try {
    const progress = (part: number): void => {
      if (part - told < 0.01) return;
      told = part;
      say({ part });
    };
    const made = await makeBackup(order, progress, giveWay);
    say({ made });
  } catch (error) {
    say({ problem: reasonOf(error) });
  }
}

const ours = (workerData as { readonly [threadMark]?: BackupOrder } | null)?.[threadMark];
if (!isMainThread && parentPort !== null && ours !== undefined) {
  const port = parentPort;
  void serve(ours, (said) => port.postMessage(said));
}
