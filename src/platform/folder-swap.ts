/**
 * Puts other files in place of those of a data folder, all or none, whatever ends the process: what is new lies in
 * a folder within, a plan that is written in one step says that it counts, and whoever has the lock next carries it
 * out or sweeps it away. What was there before is kept beside it. Every function here needs the folder's lock.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../core/json.ts';
import { syncFolder, writeFileAtomic } from './atomic-file.ts';
import type { DataFolder, FolderKind } from './data-folder.ts';
import { configFile, openDataFolder } from './data-folder.ts';

export const planFile = 'restore.json';
const newFolder = 'restore-new';
const keptPrefix = 'before-restore-';

export interface SwapPlan {
  /** The folder within that has the new files. */
  readonly from: string;
  /** The folder within that what was there goes to. */
  readonly kept: string;
  /** ISO. */
  readonly at: string;
  readonly files: readonly string[];
  /** Which of them is the database: what SQLite keeps beside it goes with it. */
  readonly database: string;
  /** SHA-256 of the new database, in hex: as long as it is the same, nothing was done on it. */
  readonly sha256: string;
  /** What it is, for people. */
  readonly of: JsonObject;
}

/** A state that was replaced. */
export interface KeptState {
  readonly folder: string;
  readonly plan: SwapPlan;
}

/** Told before each change on the disk. */
export type Step = (what: string) => void;

/** An empty folder for the new files, on the disk of the old ones. */
export function beginSwap(dir: string): string {
  const folder = join(dir, newFolder);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** The name of the folder that `beginSwap` made, for a plan. */
export const begunFolder = newFolder;

/** A name for the state that is replaced at this time (ISO). */
export function keptName(dir: string, at: string): string {
  const name = `${keptPrefix}${at.replaceAll(/[-:]/g, '')}`;
  let free = name;
  for (let more = 2; existsSync(join(dir, free)); more += 1) free = `${name}-${more}`;
  return free;
}

/** From here on the new files count: the caller has put them on disk. */
export function commitSwap(dir: string, plan: SwapPlan, step: Step): void {
  step('commit');
  writeFileAtomic(join(dir, planFile), `${JSON.stringify({ v: 1, ...plan })}\n`);
}

function readPlan(path: string): SwapPlan | undefined {
  // Written in one step; what is no plan is nobody's, and throws.
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as SwapPlan) : undefined;
}

const noStep: Step = () => undefined;

/** Carries out a plan that counts, from wherever it was left; without one, what was only begun goes. */
export function finishSwap(dir: string, step: Step = noStep): void {
  const plan = readPlan(join(dir, planFile));
  if (plan === undefined) {
    if (!existsSync(join(dir, newFolder))) return;
    step('sweep');
    rmSync(join(dir, newFolder), { recursive: true, force: true });
    return;
  }
  const from = join(dir, plan.from);
  const kept = join(dir, plan.kept);
  step('keep');
  mkdirSync(kept, { recursive: true, mode: 0o700 });
  syncFolder(dir);
  for (const name of plan.files) {
    // What was put in place by whoever was killed in this is no longer there.
    if (existsSync(join(from, name))) replace({ dir, from, kept, step }, name, name === plan.database);
  }
  step('end');
  renameSync(join(dir, planFile), join(kept, planFile));
  syncFolder(kept);
  syncFolder(dir);
  step('clean');
  rmSync(from, { recursive: true, force: true });
}

interface Places {
  readonly dir: string;
  readonly from: string;
  readonly kept: string;
  readonly step: Step;
}

function replace({ dir, from, kept, step }: Places, name: string, isDatabase: boolean): void {
  if (isDatabase) {
    // Its log holds commits of it and of no other. The index of the log is made anew from it.
    keep({ dir, from, kept, step }, `${name}-wal`);
    // Its seal is of no other either: with one, the next start would look through all of what is new.
    keep({ dir, from, kept, step }, `${name}-sum`);
    rmSync(join(dir, `${name}-shm`), { force: true });
  }
  keep({ dir, from, kept, step }, name);
  step(`put ${name}`);
  renameSync(join(from, name), join(dir, name));
  syncFolder(dir);
}

/** The settings are copied, so that at no moment the folder is nobody's. */
function keep({ dir, kept, step }: Places, name: string): void {
  const there = join(dir, name);
  if (!existsSync(there)) return;
  step(`keep ${name}`);
  if (name === configFile) {
    copyFileSync(there, `${join(kept, name)}.new`);
    renameSync(`${join(kept, name)}.new`, join(kept, name));
  } else renameSync(there, join(kept, name));
  syncFolder(kept);
}

/** Opens a data folder for its program: what a killed restore has left in it is finished, or undone, before. */
export function openSettled(dir: string, kind: FolderKind): DataFolder {
  finishSwap(dir);
  return openDataFolder(dir, kind);
}

/** Whether something is to be carried out or swept away before the folder is used. */
export function hasSwap(dir: string): boolean {
  return [planFile, newFolder].some((name) => existsSync(join(dir, name)));
}

/** The states that were replaced, oldest first. */
export function keptStates(dir: string): readonly KeptState[] {
  return readdirSync(dir)
    .filter((name) => name.startsWith(keptPrefix) && statSync(join(dir, name)).isDirectory())
    .flatMap((name) => {
      const folder = join(dir, name);
      const plan = readPlan(join(folder, planFile));
      return plan === undefined ? [] : [{ folder, plan }];
    })
    .sort((one, other) => (one.plan.at < other.plan.at ? -1 : 1));
}
