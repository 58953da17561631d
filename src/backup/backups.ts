/**
 * The backups of one program: settings, one under way at a time, those that are kept, and the schedule. Both
 * programs have one, made in `app.ts`; what becomes of its backups is told to them (`note`), for their own log.
 */
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { intervalMs, nextBackupMs, retryAfterMs, surplusOf } from '../core/backup-schedule.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { isoTime } from '../core/time.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { newId } from '../platform/random.ts';
import { version } from '../platform/version.ts';
import type { BackupManifest } from '../protocol/backup-manifest.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import type { BackupSettings, LastBackup } from '../store/backup-rows.ts';
import {
  readBackupSettings,
  readLastBackup,
  writeBackupSettings,
  writeLastBackup,
} from '../store/backup-rows.ts';
import type { Store, WriteTx } from '../store/port.ts';
import type { CopiedPart } from '../store/sqlite-copy.ts';
import { isRecipient } from './age-key.ts';
import type { RunningBackup } from './backup-thread.ts';
import { startBackup } from './backup-thread.ts';
import { reasonOf } from './failure-words.ts';
import type { KeptBackup } from './kept-backups.ts';
import { backupEnding, backupId, keptBackups, makingName, sweepMaking } from './kept-backups.ts';

/** What a program wants to remember of its backups, in the transaction that remembers it anyway. */
export type BackupNote =
  | { readonly what: 'made'; readonly file: string; readonly bytes: number }
  | { readonly what: 'failed'; readonly problem: string; readonly next: string | null }
  | { readonly what: 'key'; readonly recipient: string; readonly before: string | null };

export interface BackupsOf {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** The data folder, and the database in it. */
  readonly dir: string;
  readonly database: string;
  readonly whose: Pick<BackupManifest, 'kind' | 'id' | 'publisher' | 'name'>;
  readonly key: SigningKey;
  /** The files that go with the database, read when a backup begins. Never the instance secret. */
  readonly parts: () => readonly CopiedPart[];
  readonly note: (tx: WriteTx, note: BackupNote) => Promise<void>;
}

export type BackupView = {
  readonly id: string;
  readonly state: 'running' | 'kept' | 'failed';
  readonly percent: number;
  readonly file: string;
  readonly at: string;
  readonly bytes: number | null;
  readonly scheduled: boolean;
  readonly problem: string | null;
};

export type BackupsView = {
  readonly settings: BackupSettings;
  readonly last: LastBackup | null;
  /** When the next scheduled one is due; null: none is. */
  readonly next: string | null;
  readonly running: BackupView | null;
  readonly kept: readonly BackupView[];
};

export interface SettingsChange {
  /** `off`: none any more. */
  readonly every?: string | undefined;
  readonly keep?: number | undefined;
  /** Empty: the data folder. */
  readonly folder?: string | undefined;
  readonly recipient?: string | undefined;
  /** Without, a recipient takes no other's place. */
  readonly replace?: boolean | undefined;
}

interface UnderWay {
  readonly id: string;
  readonly file: string;
  readonly at: string;
  readonly scheduled: boolean;
  /** The caller's idempotency key: the same request sent again is about the same backup. */
  readonly key: string | undefined;
  percent: number;
  thread?: RunningBackup;
  finished: Promise<void>;
}

const viewOf = (kept: KeptBackup): BackupView => {
  const { id, file, at, bytes, scheduled } = kept;
  return { id, state: 'kept', percent: 100, file, at, bytes, scheduled, problem: null };
};

export class Backups {
  readonly #of: BackupsOf;
  readonly #folder: string;
  #underWay: UnderWay | undefined;
  /** The one that ended last, for a request that is repeated; and the last one that failed, for who asks. */
  #ended: UnderWay | undefined;
  #failed: (BackupView & { readonly atMs: number }) | undefined;
  #closing = false;

  constructor(of: BackupsOf) {
    this.#of = of;
    this.#folder = join(of.dir, 'backups');
    sweepMaking(this.#folder, of.whose.id);
  }

  async list(): Promise<BackupsView> {
    const settings = await this.#settings();
    const kept = await this.#kept(settings);
    const next = this.#nextMs(settings, kept);
    return {
      settings,
      last: await this.#of.store.read(readLastBackup),
      next: next === null ? null : isoTime(next),
      running: this.#underWay === undefined ? null : this.#runningView(this.#underWay),
      kept: kept.map(viewOf),
    };
  }

  /** Refused: not-found. */
  async find(id: string): Promise<Result<BackupView, Refusal>> {
    if (this.#underWay?.id === id) return ok(this.#runningView(this.#underWay));
    const kept = (await this.#kept(await this.#settings())).find((each) => each.id === id);
    if (kept !== undefined) return ok(viewOf(kept));
    if (this.#failed?.id === id) return ok(this.#failed);
    return err({ code: 'not-found', what: 'backup', id });
  }

  /** A backup that is whole. Refused: not-found (also where it failed), backup-running. */
  async readable(id: string): Promise<Result<BackupView, Refusal>> {
    const found = await this.find(id);
    if (!found.ok || found.value.state === 'kept') return found;
    if (found.value.state === 'running') return err(this.#isRunning(found.value.percent));
    return err({ code: 'not-found', what: 'backup', id });
  }

  /** Removes a backup. Refused as `readable`. */
  async remove(id: string): Promise<Result<BackupView, Refusal>> {
    const found = await this.readable(id);
    if (found.ok) rmSync(found.value.file, { force: true });
    return found;
  }

  /**
   * Changes what is given. Refused: invalid-input, backup-key-exists (another recipient, without `replace`),
   * backup-key-missing (a schedule without a recipient).
   */
  async change(change: SettingsChange): Promise<Result<BackupSettings, Refusal>> {
    const problem = problemOf(change);
    if (problem !== undefined) return err({ code: 'invalid-input', ...problem });
    const { kind: program } = this.#of.whose;
    return this.#of.store.write(async (tx) => {
      const before = await readBackupSettings(tx);
      const settings = changed(before, change);
      const { recipient } = settings;
      if (settings.every !== null && recipient === null) return err({ code: 'backup-key-missing', program });
      if (recipient !== null && recipient !== before.recipient) {
        if (before.recipient !== null && change.replace !== true) {
          return err({ code: 'backup-key-exists', program, recipient: before.recipient });
        }
        await this.#of.note(tx, { what: 'key', recipient, before: before.recipient });
      }
      await writeBackupSettings(tx, settings);
      return ok(settings);
    });
  }

  /**
   * Begins one: into the folder of the schedule where it is the schedule's, else into the data folder, to be
   * taken from there. Refused: backup-key-missing, backup-running.
   */
  async start(asked: {
    readonly scheduled: boolean;
    readonly key?: string | undefined;
  }): Promise<Result<BackupView, Refusal>> {
    const repeated = this.#repeated(asked.key);
    if (repeated !== undefined) return this.find(repeated);
    const settings = await this.#settings();
    if (this.#underWay !== undefined) return err(this.#isRunning(this.#underWay.percent));
    const { recipient } = settings;
    if (recipient === null) return err({ code: 'backup-key-missing', program: this.#of.whose.kind });
    const at = isoTime(this.#of.clock.nowMs());
    const folder = asked.scheduled ? (settings.folder ?? this.#folder) : this.#folder;
    const id = freeId(folder, backupId({ name: this.#of.whose.name, at, scheduled: asked.scheduled }));
    const file = join(folder, `${id}${backupEnding}`);
    const underWay: UnderWay = {
      ...asked,
      key: asked.key,
      id,
      file,
      at,
      percent: 0,
      finished: Promise.resolve(),
    };
    this.#underWay = underWay;
    underWay.finished = this.#make(underWay, recipient);
    return ok(this.#runningView(underWay));
  }

  /** Waits for the one under way, if any. */
  async settled(): Promise<void> {
    await this.#underWay?.finished;
  }

  /** Makes the scheduled one where it is due, and waits for it. How it went, the note and the list tell. */
  async tick(): Promise<void> {
    const settings = await this.#settings();
    // What a killed process left in the folder of the schedule, which is not known before this.
    if (settings.folder !== null && this.#underWay === undefined)
      sweepMaking(settings.folder, this.#of.whose.id);
    if (settings.every === null) return;
    const next = this.#nextMs(settings, await this.#kept(settings));
    if (next === null || next > this.#of.clock.nowMs() || this.#underWay !== undefined) return;
    const started = await this.start({ scheduled: true });
    if (!started.ok) return;
    await this.settled();
    if (this.#failed?.id === started.value.id) return;
    const kept = (await this.#kept(settings)).filter(({ scheduled }) => scheduled);
    for (const { file } of surplusOf(kept, settings.keep)) rmSync(file, { force: true });
  }

  /** Stops the one under way; nothing of it stays. */
  async close(): Promise<void> {
    this.#closing = true;
    const underWay = this.#underWay;
    if (underWay === undefined) return;
    await underWay.thread?.stop();
    await underWay.finished;
    for (const folder of [this.#folder, dirname(underWay.file)]) sweepMaking(folder, this.#of.whose.id);
  }

  #settings(): Promise<BackupSettings> {
    return this.#of.store.read(readBackupSettings);
  }

  #kept(settings: BackupSettings): Promise<readonly KeptBackup[]> {
    return keptBackups([this.#folder, settings.folder ?? this.#folder], this.#of.whose.id);
  }

  #nextMs(settings: BackupSettings, kept: readonly KeptBackup[]): number | null {
    const everyMs = settings.every === null ? undefined : intervalMs(settings.every);
    if (everyMs === undefined) return null;
    const newestMs = kept.findLast(({ scheduled }) => scheduled)?.atMs ?? null;
    const failedMs = this.#failed?.scheduled === true ? this.#failed.atMs : null;
    return nextBackupMs({ everyMs, newestMs, failedMs, nowMs: this.#of.clock.nowMs() });
  }

  #repeated(key: string | undefined): string | undefined {
    if (key === undefined) return undefined;
    return [this.#underWay, this.#ended].find((each) => each?.key === key)?.id;
  }

  #isRunning(percent: number): Refusal {
    return { code: 'backup-running', program: this.#of.whose.kind, percent };
  }

  #runningView({ id, file, at, scheduled, percent }: UnderWay): BackupView {
    return { id, state: 'running', percent, file, at, bytes: null, scheduled, problem: null };
  }

  async #make(underWay: UnderWay, recipient: string): Promise<void> {
    const { file, at } = underWay;
    let bytes: number | null = null;
    let problem: string | null = null;
    try {
      underWay.thread = this.#startThread(underWay, recipient);
      ({ bytes } = await underWay.thread.done);
    } catch (error) {
      problem = reasonOf(error);
      this.#failed = {
        ...this.#runningView(underWay),
        state: 'failed',
        problem,
        atMs: this.#of.clock.nowMs(),
      };
    }
    if (problem === null && underWay.scheduled) this.#failed = undefined;
    if (!this.#closing) await this.#remember({ at, file, bytes, problem }, underWay.scheduled);
    this.#ended = underWay;
    this.#underWay = undefined;
  }

  #startThread(underWay: UnderWay, recipient: string): RunningBackup {
    const { whose, database, key, parts, random } = this.#of;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const making = makingName(whose.id, newId(random));
    const { file, at } = underWay;
    const order = {
      ...{ database, key, file, parts: parts(), recipients: [recipient] },
      scratch: join(this.#folder, making),
      temporary: join(dirname(file), `${making}.new`),
      whose: { ...whose, version, at },
    };
    return startBackup(order, (part) => {
      underWay.percent = Math.min(99, Math.floor(part * 100));
    });
  }

  /** What is not written down here is lost with the process, and only that: the store has failed. */
  async #remember(last: LastBackup, scheduled: boolean): Promise<void> {
    const { store, note, clock } = this.#of;
    const { file, bytes, problem } = last;
    const next = scheduled ? isoTime(clock.nowMs() + retryAfterMs) : null;
    const remembered = store.write(async (tx) => {
      await writeLastBackup(tx, last);
      if (problem !== null) await note(tx, { what: 'failed', problem, next });
      else if (bytes !== null) await note(tx, { what: 'made', file, bytes });
      return ok(null);
    });
    await remembered.catch(() => undefined);
  }
}

/** Times in names are to the second: a second one within it is told by a number. */
function freeId(folder: string, id: string): string {
  let free = id;
  for (let more = 2; existsSync(join(folder, `${free}${backupEnding}`)); more += 1) free = `${id}-${more}`;
  return free;
}

interface FieldProblem {
  readonly field: string;
  readonly problem: string;
}

function problemOf({ every, keep, folder, recipient }: SettingsChange): FieldProblem | undefined {
  if (every !== undefined && every !== 'off' && intervalMs(every) === undefined) {
    return {
      field: 'every',
      problem: 'it must look like 12h, 1d or 2w, from 10 minutes to 366 days, or off',
    };
  }
  if (keep !== undefined && !(Number.isInteger(keep) && keep >= 1 && keep <= 1000)) {
    return { field: 'keep', problem: 'it must be a whole number from 1 to 1000' };
  }
  if (folder !== undefined && folder !== '') {
    if (!isAbsolute(folder)) return { field: 'folder', problem: 'it must be a full path' };
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
      return { field: 'folder', problem: `there is no folder ${folder} on the machine of the program` };
    }
  }
  if (recipient !== undefined && !isRecipient(recipient)) {
    return { field: 'recipient', problem: 'it is no public key of age: age1…' };
  }
  return undefined;
}

/** What is given in place of what was; the text that takes a setting back is null. */
function given(text: string | undefined, back: string, before: string | null): string | null {
  if (text === undefined) return before;
  return text === back ? null : text;
}

function changed(before: BackupSettings, change: SettingsChange): BackupSettings {
  return {
    every: given(change.every, 'off', before.every),
    keep: change.keep ?? before.keep,
    folder: given(change.folder, '', before.folder),
    recipient: change.recipient ?? before.recipient,
  };
}
