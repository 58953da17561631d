/**
 * Crash images of a scenario, as many as wanted: the scenario is recorded once, and cut so often.
 *   npm run crash -- --scenario issue|move [--images 1000] [--seed N] [--synchronous normal|off]
 *   npm run crash -- --faults enospc|eio      lets each call to the disk fail once instead
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Chance } from '../kill/random.ts';
import { readRecording } from './disk.ts';
import type { FaultOrder } from './fault-run.ts';
import { faults } from './fault-run.ts';
import type { Found, Verdict } from './images.ts';
import { Images } from './images.ts';
import { compileRecorder, runOver } from './recorder.ts';

export interface CrashOrder {
  readonly scenario: 'issue' | 'move';
  readonly images: number;
  readonly seed: number;
  /** Makes the store wait for less than it does, to see whether the images show it. */
  readonly synchronous?: 'normal' | 'off' | undefined;
}

/** Answers (issue) or moves in one recording: enough for the log to be moved into the database and begun anew. */
const acts = { issue: 2400, move: 36 } as const;

export interface CrashVerdict extends Verdict {
  /** Calls that were recorded. */
  readonly calls: number;
}

export async function crash({ scenario, images, seed, synchronous }: CrashOrder): Promise<CrashVerdict> {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-crash-'));
  try {
    const log = join(dir, 'log');
    mkdirSync(join(dir, 'programs'));
    const weaker = synchronous === undefined ? [] : ['--import', join(import.meta.dirname, 'weaker.ts')];
    const ran = await runOver({
      library: compileRecorder(dir),
      args: [
        ...weaker,
        join(import.meta.dirname, 'scenario.ts'),
        scenario,
        String(seed),
        String(acts[scenario]),
        dir,
      ],
      env: { CALYX_DISK_LOG: log, CALYX_SYNCHRONOUS: synchronous ?? '', TMPDIR: join(dir, 'programs') },
    });
    if (ran.code !== 0) throw new Error(`the scenario ended with ${ran.code}: ${ran.stderr}`);
    const recording = readRecording(log);
    const verdict = await new Images(recording, join(dir, 'image')).check(images, new Chance(seed));
    return { ...verdict, calls: recording.length };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * The disk of a program one of whose syncs failed, and which then ended as it does. What that sync was for
 * is gone, though later syncs succeed: so the kernel has it, and a program that tries again would take for
 * durable what is not. Undefined where nothing is missing.
 */
export async function afterFailedSync(number: number, seed: number): Promise<Found | undefined> {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-crash-'));
  try {
    const log = join(dir, 'log');
    mkdirSync(join(dir, 'programs'));
    const ran = await runOver({
      library: compileRecorder(dir),
      args: [join(import.meta.dirname, 'scenario.ts'), 'issue', String(seed), '300', dir, `sync:${number}`],
      env: { CALYX_DISK_LOG: log, TMPDIR: join(dir, 'programs') },
    });
    if (!ran.stderr.includes('the database cannot go on')) throw new Error(`sync ${number}: ${ran.stderr}`);
    return await new Images(readRecording(log), join(dir, 'image')).checkEnd(new Chance(seed));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', default: 'issue' },
      images: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      synchronous: { type: 'string' },
      faults: { type: 'string' },
    },
  });
  if (values.faults === undefined) {
    const { scenario, synchronous } = values as Pick<CrashOrder, 'scenario' | 'synchronous'>;
    const counts = { images: Number(values.images), seed: Number(values.seed) };
    const verdict = await crash({ scenario, synchronous, ...counts });
    console.log(JSON.stringify(verdict, null, 2));
    if (verdict.corrupt + verdict.unbalanced + verdict.lost > 0) process.exitCode = 1;
  } else {
    const kind = values.faults as FaultOrder['kind'];
    console.log(JSON.stringify(await faults({ kind, first: 1, stride: 1 })));
  }
}
