/**
 * A program's data folder: its kind and settings (`config.json`), the administrator's token, and who
 * works in it (`data-folder-lock.ts`). What the databases hold is none of its business.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { createMarker, writeFileAtomic } from './atomic-file.ts';
import type { FolderLock } from './data-folder-lock.ts';
import { acquireLock } from './data-folder-lock.ts';
import { Failure, systemCode } from './failure.ts';
import type { Random } from './random.ts';

/** `world` is what `calyx up` makes: a folder of folders. */
export type FolderKind = 'clearinghouse' | 'server' | 'world';

export interface DataFolder {
  readonly dir: string;
  readonly kind: FolderKind;
  readonly settings: JsonObject;
  /** What administrative routes ask for. */
  readonly adminToken: string;
}

const kinds: Readonly<Record<FolderKind, { readonly name: string; readonly init: (dir: string) => string }>> =
  {
    clearinghouse: {
      name: 'clearinghouse',
      init: (dir) => `calyx clearinghouse init --data ${dir} --publisher NAME`,
    },
    server: { name: 'license server', init: (dir) => `calyx server init --data ${dir} --bundle FILE` },
    world: { name: 'calyx up', init: (dir) => `calyx up --data ${dir}` },
  };

export const configFile = 'config.json';
const tokenFile = 'admin-token';
/** Stands in the folder while `init` is under way, so that a killed one can be told from somebody's files. */
const unfinishedFile = 'init-unfinished';

/** The version of the folder's form; a newer one is refused. */
const formatVersion = 1;

const pathIn = (dir: string, name: string): string => join(dir, name);

/** The file that holds the administrator's token of a folder. */
export function adminTokenFile(dir: string): string {
  return pathIn(resolve(dir), tokenFile);
}

/** Runs a step on the folder and explains what the operating system refuses. */
function inFolder<T>(dir: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      throw new Failure(`This account may not write in ${dir} (${code}).`, {
        code: 'data-folder-not-writable',
        next: 'Run the command as the account that owns the folder, or give this one the right to write there.',
        details: { folder: dir },
        cause: error,
      });
    }
    if (code === 'ENOSPC') {
      throw new Failure(`The disk that holds ${dir} is full.`, {
        code: 'disk-full',
        next: 'Free some space and run the same command again; nothing was changed.',
        details: { folder: dir },
        cause: error,
      });
    }
    throw error;
  }
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isKind = (value: JsonValue | undefined): value is FolderKind =>
  typeof value === 'string' && Object.hasOwn(kinds, value);

function damaged(dir: string, problem: string, cause?: unknown): Failure {
  return new Failure(`${pathIn(dir, configFile)} ${problem}.`, {
    code: 'data-folder-damaged',
    next: 'Put the file back from a backup; the folder is not touched before that.',
    details: { folder: dir },
    cause,
  });
}

/** The commands that would make this folder one of ours. */
function initAdvice(dir: string, kind: FolderKind | undefined): string {
  const wanted = kind === undefined ? (['server', 'clearinghouse'] as const) : [kind];
  return `Create one with: ${wanted.map((each) => kinds[each].init(dir)).join('   or: ')}`;
}

function readConfig(dir: string, kind: FolderKind | undefined): JsonObject {
  let text: string;
  try {
    text = readFileSync(pathIn(dir, configFile), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw notAFolder(dir, kind);
    throw error;
  }
  let config: JsonValue;
  try {
    config = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw damaged(dir, 'is no JSON', error);
  }
  if (!isObject(config)) throw damaged(dir, 'is no JSON object');
  return config;
}

function notAFolder(dir: string, kind: FolderKind | undefined): Failure {
  const exists = statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true;
  const next = initAdvice(dir, kind);
  if (!exists) {
    return new Failure(`There is no folder ${dir}.`, {
      code: 'data-folder-missing',
      next,
      details: { folder: dir },
    });
  }
  return new Failure(`${dir} is no Calyx data folder: it has no ${configFile}.`, {
    code: 'data-folder-unknown',
    next,
    details: { folder: dir },
  });
}

/** Opens a data folder; a missing, foreign, newer or (where `kind` is given) wrong one is a `Failure`. */
export function openDataFolder(folder: string, kind?: FolderKind): DataFolder {
  const dir = resolve(folder);
  return inFolder(dir, () => {
    const config = readConfig(dir, kind);
    if (!isKind(config['kind'])) throw damaged(dir, 'names no kind of program');
    if (typeof config['format'] !== 'number') throw damaged(dir, 'names no format');
    if (config['format'] > formatVersion) {
      throw new Failure(`${dir} was written by a newer Calyx.`, {
        code: 'data-folder-newer',
        next: 'Use that version, or a newer one.',
        details: { folder: dir, format: config['format'], known: formatVersion },
      });
    }
    if (kind !== undefined && config['kind'] !== kind) throw wrongKind(dir, config['kind'], kind);
    const settings = isObject(config['settings']) ? config['settings'] : {};
    const adminToken = readAdminToken(dir);
    return { dir, kind: config['kind'], settings, adminToken };
  });
}

function readAdminToken(dir: string): string {
  try {
    return readFileSync(adminTokenFile(dir), 'utf8').trim();
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new Failure(`The administrator's token ${adminTokenFile(dir)} is gone.`, {
      code: 'admin-token-missing',
      next: 'Put the file back as it was, or make a new one by restoring a backup (calyx server restore).',
      details: { folder: dir },
      cause: error,
    });
  }
}

/** A new token of the folder's administrator where there is none: `cal_` and 256 random bits. */
export function ensureAdminToken(dir: string, random: Random): void {
  if (existsSync(adminTokenFile(dir))) return;
  writeFileAtomic(adminTokenFile(dir), `${newAdminToken(random)}\n`);
}

const newAdminToken = (random: Random): string =>
  `cal_${Buffer.from(random.bytes(32)).toString('base64url')}`;

/** The text of the settings file of a folder. */
export function configText(kind: FolderKind, settings: JsonObject): string {
  return `${JSON.stringify({ format: formatVersion, kind, settings }, null, 2)}\n`;
}

function wrongKind(dir: string, found: FolderKind, expected: FolderKind): Failure {
  const inner =
    found === 'world'
      ? ` It is a folder of folders: name one of them, for example ${join(dir, expected === 'clearinghouse' ? 'clearinghouse' : 'ls-new')}.`
      : '';
  return new Failure(`${dir} belongs to a ${kinds[found].name}, not to a ${kinds[expected].name}.${inner}`, {
    code: 'data-folder-wrong-kind',
    next: 'Give the other folder with --data.',
    details: { folder: dir, found, expected },
  });
}

/** Replaces the settings of a folder, whole or not at all. */
export function writeSettings(folder: DataFolder, settings: JsonObject): DataFolder {
  inFolder(folder.dir, () =>
    writeFileAtomic(pathIn(folder.dir, configFile), configText(folder.kind, settings)),
  );
  return { ...folder, settings };
}

export interface NewDataFolder {
  readonly dir: string;
  readonly adminToken: string;
  /** Makes it a data folder: from here on it can be opened. Lets go of the lock. */
  readonly finish: (settings: JsonObject) => DataFolder;
  /** Lets go of the lock and leaves the folder unfinished: the next `init` starts anew. */
  readonly abandon: () => void;
}

/** An empty folder of our own, or what a killed `init` left, swept. Anything else is left alone. */
function prepare(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const entries = readdirSync(dir);
  if (entries.includes(configFile)) {
    throw new Failure(`${dir} is a Calyx data folder already.`, {
      code: 'data-folder-exists',
      next: 'Use it as it is, or choose another folder with --data.',
      details: { folder: dir },
    });
  }
  if (entries.length > 0 && !entries.includes(unfinishedFile)) {
    throw new Failure(`${dir} holds other files.`, {
      code: 'data-folder-not-empty',
      next: 'Choose an empty or a new folder with --data.',
      details: { folder: dir, found: entries.slice(0, 5) },
    });
  }
  chmodSync(dir, 0o700);
  createMarker(pathIn(dir, unfinishedFile));
}

/** What a killed `init` left, except the marker and the lock that we hold ourselves. */
function sweep(dir: string): void {
  for (const entry of readdirSync(dir)) {
    if (entry !== unfinishedFile && !entry.startsWith('lock.'))
      rmSync(pathIn(dir, entry), { recursive: true });
  }
}

/**
 * Begins a data folder: mode 0700, a new administrator's token (`cal_` and 256 random bits) in a file
 * of mode 0600, locked. Only `finish` makes it one that can be opened, so that a killed `init` leaves
 * nothing that looks whole.
 */
export function beginDataFolder(
  folder: string,
  options: { readonly kind: FolderKind; readonly random: Random },
): NewDataFolder {
  const dir = resolve(folder);
  const { kind, random } = options;
  const adminToken = newAdminToken(random);
  const lock: FolderLock = inFolder(dir, () => {
    prepare(dir);
    return acquireLock(dir);
  });
  try {
    inFolder(dir, () => {
      sweep(dir);
      writeFileAtomic(adminTokenFile(dir), `${adminToken}\n`);
    });
  } catch (error) {
    lock.release();
    throw error;
  }
  const finish = (settings: JsonObject): DataFolder => {
    const made = writeSettings({ dir, kind, settings, adminToken }, settings);
    rmSync(pathIn(dir, unfinishedFile), { force: true });
    lock.release();
    return made;
  };
  return { dir, adminToken, finish, abandon: () => lock.release() };
}
