/** Lets the calls to a disk fail, one in each round, in a program of its own (`faults.ts`). */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileRecorder, runOver } from './recorder.ts';

export interface FaultOrder {
  readonly kind: 'enospc' | 'eio';
  /** The first call that fails, and how many later the next one does. */
  readonly first: number;
  readonly stride: number;
}

export interface FaultVerdict {
  readonly rounds: number;
  /** Rounds in which the failure was noticed; a failed checkpoint is made up for by the next one. */
  readonly stopped: number;
}

/** Throws where a failure came out as anything but a failure of the store, or something acknowledged was lost. */
export async function faults({ kind, first, stride }: FaultOrder): Promise<FaultVerdict> {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-faults-'));
  try {
    mkdirSync(join(dir, 'programs'));
    const ran = await runOver({
      library: compileRecorder(dir),
      args: [join(import.meta.dirname, 'faults.ts'), kind, String(first), String(stride), dir],
      env: { TMPDIR: join(dir, 'programs') },
    });
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout) as FaultVerdict;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
