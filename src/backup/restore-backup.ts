/**
 * Puts a backup in the place of what a data folder holds, whole or not at all, or rehearses it. It knows neither of the
 * two programs: what is particular to one comes as `Restorable`. The program must not run.
 */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { hex, utf8 } from '../core/bytes.ts';
import type { JsonObject } from '../core/json.ts';
import type { RestoreOutlook } from '../core/restore-outlook.ts';
import { outlookOf } from '../core/restore-outlook.ts';
import { isoTime } from '../core/time.ts';
import { syncFile, syncFolder, writeFileAtomic } from '../platform/atomic-file.ts';
import type { Clock } from '../platform/clock.ts';
import {
  beginDataFolder,
  configFile,
  configText,
  ensureAdminToken,
  openDataFolder,
} from '../platform/data-folder.ts';
import { acquireLock } from '../platform/data-folder-lock.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import type { Step } from '../platform/folder-swap.ts';
import { beginSwap, begunFolder, commitSwap, finishSwap, keptName } from '../platform/folder-swap.ts';
import type { Random } from '../platform/random.ts';
import type { BackupManifest } from '../protocol/backup-manifest.ts';
import type { Progress } from '../store/sqlite-copy.ts';
import { dropParts, partsOf, readProgress, rootWhen } from '../store/sqlite-copy.ts';
import { sealFile } from '../store/sqlite-seal.ts';
import { measureFile } from './age-file.ts';
import type { VerifiedBackup } from './verify-backup.ts';
import { verifyBackup } from './verify-backup.ts';

/** Whether the secret of this machine opens the key in the backup (protocol §5.2). */
export type SecretState = 'present' | 'absent' | 'undecryptable';

export interface RestorePlace {
  readonly dir: string;
  readonly instanceDir: string;
  /** Nothing outside of the files that are answered may be changed. */
  readonly rehearse: boolean;
  readonly random: Random;
  readonly nowMs: number;
}

export interface RestoredFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly modeOctal?: number;
}

/** One of the two programs, as far as a restore must know it. */
export interface Restorable {
  readonly kind: BackupManifest['kind'];
  /** The name of the database file. */
  readonly database: string;
  /** Whose folder this is; undefined where it can no longer be told. */
  readonly present: (dir: string, instanceDir: string) => BackupManifest['id'] | undefined;
  /** The files that go with the database, for this machine; the settings are not among them. */
  readonly files: (
    parts: ReadonlyMap<string, Uint8Array>,
    place: RestorePlace,
  ) => { readonly secret: SecretState; readonly files: readonly RestoredFile[] };
  /** Brings the new database to this version and checks it; what the program has to know of this is written into it. */
  readonly prepare: (
    database: string,
    of: {
      readonly manifest: BackupManifest;
      readonly parts: ReadonlyMap<string, Uint8Array>;
      readonly place: RestorePlace;
    },
  ) => Promise<void>;
}

export interface RestoreOrder {
  readonly file: string;
  readonly identities: readonly string[];
  readonly dir: string;
  readonly of: Restorable;
  /** Where the instance secret lives; where it was unless told. */
  readonly instanceDir?: string | undefined;
  readonly rehearse: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly step?: Step;
}

export interface Restored {
  readonly verified: VerifiedBackup;
  /** Null where the backup is broken, and nothing was done. */
  readonly done: null | {
    /** Of a license server; a clearinghouse goes on with a recovery. */
    readonly outlook: RestoreOutlook;
    readonly secret: SecretState;
    /** What there is now of each line, where that can be read. */
    readonly present: Progress['lines'] | null;
    /** Where the state before lies; null in a rehearsal, and in a new folder. */
    readonly kept: string | null;
  };
}

const rehearsalPrefix = '.calyx-rehearsal-';

/** The folder as it is: a new one, or one with the settings that can be read. */
type Found = { readonly state: 'new' } | { readonly state: 'there'; readonly settings: JsonObject };

function lookAt(dir: string, kind: Restorable['kind'], database: string): Found {
  const names = existsSync(dir) ? readdirSync(dir) : [];
  const used = names.filter((name) => !name.startsWith(rehearsalPrefix));
  if (used.length === 0 || used.includes('init-unfinished')) return { state: 'new' };
  try {
    return { state: 'there', settings: openDataFolder(dir, kind).settings };
  } catch (error) {
    // What is damaged is what a backup is for; somebody else's folder is left alone.
    const code = error instanceof Failure ? error.code : '';
    const ours = code === 'data-folder-damaged' || code === 'admin-token-missing';
    if (!ours && !(code === 'data-folder-unknown' && names.includes(database))) throw error;
    return { state: 'there', settings: {} };
  }
}

/** Restores or rehearses. Throws `Failure` in words, and what the file system and SQLite throw. */
export async function restoreBackup(order: RestoreOrder): Promise<Restored> {
  const dir = resolve(order.dir);
  const found = lookAt(dir, order.of.kind, order.of.database);
  if (order.rehearse) {
    const staging = mkdtempSync(
      join(found.state === 'new' ? dirname(resolve(order.file)) : dir, rehearsalPrefix),
    );
    try {
      return (await stage({ ...order, dir }, found, staging)).restored;
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  }
  return found.state === 'new' ? restoreNew({ ...order, dir }, found) : restoreOver({ ...order, dir }, found);
}

async function restoreNew(order: RestoreOrder, found: Found): Promise<Restored> {
  const { dir, of, random } = order;
  const folder = beginDataFolder(dir, { kind: of.kind, random });
  let finished = false;
  try {
    const staging = beginSwap(dir);
    const { restored, settings, files } = await stage(order, found, staging);
    if (restored.done === null) return restored;
    for (const name of files.filter((each) => each !== configFile)) {
      order.step?.(`put ${name}`);
      renameSync(join(staging, name), join(dir, name));
    }
    rmSync(staging, { recursive: true, force: true });
    syncFolder(dir);
    order.step?.('finish');
    folder.finish(settings);
    finished = true;
    return restored;
  } finally {
    if (!finished) folder.abandon();
  }
}

async function restoreOver(order: RestoreOrder, found: Found): Promise<Restored> {
  const { dir, of, random, clock, step = () => undefined } = order;
  const lock = acquireLock(dir);
  try {
    finishSwap(dir);
    for (const name of readdirSync(dir).filter((each) => each.startsWith(rehearsalPrefix))) {
      rmSync(join(dir, name), { recursive: true, force: true });
    }
    const staging = beginSwap(dir);
    const { restored, files } = await stage(order, found, staging);
    const { manifest } = restored.verified;
    if (restored.done === null || manifest === null) return restored;
    const at = isoTime(clock.nowMs());
    const kept = keptName(dir, at);
    const { sha256 } = await measureFile(join(staging, of.database), 0);
    ensureAdminToken(dir, random);
    const { id, name, at: backupAt } = manifest;
    const what = { id, name, at: backupAt };
    commitSwap(
      dir,
      { from: begunFolder, kept, at, files, database: of.database, sha256: hex(sha256), of: what },
      step,
    );
    finishSwap(dir, step);
    return { ...restored, done: { ...restored.done, kept: join(dir, kept) } };
  } finally {
    // What was not committed is swept; what was is finished by whoever comes next.
    finishSwap(dir);
    lock.release();
  }
}

interface Staged {
  readonly restored: Restored;
  readonly settings: JsonObject;
  readonly files: readonly string[];
}

/** Builds everything that is to be put in place in a folder of its own, on disk when it returns. */
async function stage(order: RestoreOrder, found: Found, staging: string): Promise<Staged> {
  const { of, dir, random, clock, rehearse } = order;
  const database = join(staging, of.database);
  const verified = await verifyBackup(order.file, order.identities, database);
  const { manifest } = verified;
  if (verified.verdict === 'broken' || manifest === null) {
    return { restored: { verified, done: null }, settings: {}, files: [] };
  }
  checkProgram(of.kind, manifest);
  const parts = new Map(partsOf(database).map(({ name, bytes }) => [name, bytes]));
  const settings = settingsOf(parts.get(configFile));
  const instanceDir = instanceDirOf(order, found, settings);
  checkOwner(of.present(dir, instanceDir), manifest);
  const place: RestorePlace = { dir, instanceDir, rehearse, random, nowMs: clock.nowMs() };
  const { secret, files } = of.files(parts, place);
  const done = { ...lookAhead({ order, database, secret }), secret, kept: null };
  dropParts(database);
  await of.prepare(database, { manifest, parts, place });
  syncFile(database);
  const merged = { ...settings, instanceDir };
  const config = { name: configFile, bytes: utf8(configText(of.kind, merged)) };
  const all: readonly RestoredFile[] = [...files, config];
  for (const { name, bytes, modeOctal } of all) writeFileAtomic(join(staging, name), bytes, modeOctal);
  syncFolder(staging);
  // With the seal that closing it has left: without, the first start would look through all of it.
  const seal = [sealFile(of.database)].filter((name) => existsSync(join(staging, name)));
  const names = [of.database, ...seal, ...all.map(({ name }) => name)];
  return { restored: { verified, done }, settings: merged, files: names };
}

const programs = { server: 'a license server', clearinghouse: 'a clearinghouse' } as const;

function checkProgram(kind: Restorable['kind'], manifest: BackupManifest): void {
  if (manifest.kind === kind) return;
  throw new Failure(`This is the backup of ${programs[manifest.kind]}, not of ${programs[kind]}.`, {
    code: 'backup-other-program',
    next: `Restore it with calyx ${manifest.kind} restore.`,
    details: { kind: manifest.kind },
  });
}

/** One License Server ID never spans two machines, and a folder keeps the one it has (protocol §2.1). */
function checkOwner(present: string | undefined, { id, name, kind }: BackupManifest): void {
  if (present === undefined || present === id) return;
  const [what, whose] =
    kind === 'server' ? ['License Server ID', 'license server'] : ['issuing key', 'clearinghouse'];
  throw new Failure(
    `This backup is of another ${whose}: ${name}, ${what} ${id}. The folder belongs to ${present}.`,
    {
      code: 'backup-of-another',
      next: 'Name the backup of this one. To bring that one back on this machine, name an empty folder with --data.',
      details: { backup: id, folder: present },
    },
  );
}

function settingsOf(config: Uint8Array | undefined): JsonObject {
  if (config === undefined) {
    throw new Failure(`This backup has no ${configFile}.`, {
      code: 'backup-incomplete',
      next: 'Restore another one.',
    });
  }
  const { settings } = JSON.parse(Buffer.from(config).toString('utf8')) as { settings: JsonObject };
  return settings;
}

/** As told; else where the folder that is there has its secret; else where it was, or beside the new folder. */
function instanceDirOf(order: RestoreOrder, found: Found, settings: JsonObject): string {
  if (order.instanceDir !== undefined) return resolve(order.instanceDir);
  const present = found.state === 'there' ? found.settings['instanceDir'] : undefined;
  if (typeof present === 'string') return present;
  const recorded = settings['instanceDir'];
  const beside = `${resolve(order.dir)}.instance`;
  if (typeof recorded !== 'string') return beside;
  return existsSync(beside) || !existsSync(recorded) ? beside : recorded;
}

/** What it will come to, held against the database that is there. */
function lookAhead(of: {
  readonly order: RestoreOrder;
  readonly database: string;
  readonly secret: SecretState;
}): { readonly outlook: RestoreOutlook; readonly present: Progress['lines'] | null } {
  const { order, database, secret } = of;
  const there = join(order.dir, order.of.database);
  const unknown = { outlook: outlookOf({ secret, standing: 'unknown', sameRights: false }), present: null };
  if (order.of.kind !== 'server' || !(statSync(there, { throwIfNoEntry: false })?.isFile() ?? false)) {
    return unknown;
  }
  let now: Progress;
  let standing: 'newest' | 'older' | 'forked';
  const then = readProgress(database, nodeDigest);
  try {
    now = readProgress(there, nodeDigest);
    const [earlier, later] = then.head.size < now.head.size ? [then, there] : [now, database];
    const root = rootWhen(later, nodeDigest, earlier.head.size);
    const extends_ = root !== undefined && hex(root) === hex(earlier.head.root);
    if (!extends_) standing = 'forked';
    else standing = earlier === then ? 'older' : 'newest';
  } catch {
    return unknown;
  }
  const sameRights = then.rights === now.rights;
  return { outlook: outlookOf({ secret, standing, sameRights }), present: now.lines };
}
