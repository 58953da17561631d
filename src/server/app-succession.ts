/**
 * A data folder whose license server cannot be itself any more goes on as a new one (protocol §5.2, §5.5): the new key and
 * database are made aside, and then take the place of the old ones, which are kept whole. Killed at any point, it is begun
 * anew, or gone on with from the moment on that everything new was there.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { licenseServerId } from '../core/code.ts';
import type { LostLine, RecoveryReason, SuccessionCause } from '../core/recovery.ts';
import { isoTime } from '../core/time.ts';
import { syncFolder, writeFileAtomic } from '../platform/atomic-file.ts';
import type { Clock } from '../platform/clock.ts';
import { openDataFolder } from '../platform/data-folder.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import { KeyFileError, renewInstanceSecret, writeSealedFile } from '../platform/instance-secret.ts';
import type { Random } from '../platform/random.ts';
import { generateSigningKey, seedOf } from '../platform/signing.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import { signSuccession } from '../protocol/succession.ts';
import type { Store } from '../store/port.ts';
import { StoreFailure } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { makeDatabase } from './app-database.ts';
import { databaseFile, keyFile, keyPurpose, readServerKey } from './app-files.ts';
import { enterSuccession, ownerOf, takeHolders, takeSettings } from './usecases/legacy.ts';
import { unrecovered } from './usecases/recovered.ts';

/** Where the new key and database are made. */
const stagingFolder = 'succession.new';
/** There from the moment on that all is made; says where the old files go. */
const markerFile = 'succession.json';

/** What the new server has, and what belongs to the old one, in this order. */
const replaced = [databaseFile, `${databaseFile}-sum`, keyFile];
const setAside = [...['', '-sum', '-wal', '-shm'].map((end) => `${databaseFile}${end}`), keyFile];

export interface SuccessionOrder {
  readonly clock: Clock;
  readonly random: Random;
  readonly cause: SuccessionCause;
  readonly reason: RecoveryReason;
  /** Of the old server, where neither its key nor its database can say it. */
  readonly licenseServerId?: string | undefined;
  /** What it was made with, where its database cannot say it: the publisher's trust list, and where the clearinghouse is. */
  readonly settings?:
    | { readonly trustList: string; readonly clearinghouseUrl?: string | undefined }
    | undefined;
  /** Called before each step on the disk, by its name: a test is killed there. */
  readonly beforeStep?: (step: string) => void;
}

export interface Succeeded {
  readonly from: string;
  readonly to: string;
  readonly cause: SuccessionCause;
  readonly reason: RecoveryReason;
  /** The folder that has the old files. */
  readonly aside: string;
  readonly lines: readonly LostLine[] | null;
  /** Whether the old server's own key vouches for the new one. */
  readonly signed: boolean;
}

/** What can still be opened of the old server. */
interface Old {
  readonly key: SigningKey | undefined;
  readonly store: Store | undefined;
  readonly licenseServerId: string;
}

/**
 * Makes the new server. Throws `Failure`: `succession-unknown` where nothing says which server this was,
 * `publisher-bundle-needed` where nothing says whom it trusts, and the disk's own;
 * `StoreFailure` where the database is held by somebody else or of a newer version. The caller holds the folder's lock.
 */
export async function succeed(dir: string, order: SuccessionOrder): Promise<Succeeded> {
  const { random, beforeStep = () => undefined } = order;
  const folder = openDataFolder(dir, 'server');
  beforeStep('secret');
  const secret = renewInstanceSecret(String(folder.settings['instanceDir'] ?? ''), random);
  const old = await openOld(folder.dir, { secret, given: order.licenseServerId });
  try {
    if (old.store === undefined && order.settings === undefined) throw trustUnknown(folder.dir);
    const staging = join(folder.dir, stagingFolder);
    beforeStep('sweep');
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { mode: 0o700 });
    const key = generateSigningKey(random, (publicKey) => licenseServerId(nodeDigest, publicKey));
    beforeStep('key');
    writeSealedFile(join(staging, keyFile), { secret, purpose: keyPurpose, plaintext: seedOf(key), random });
    const at = isoTime(order.clock.nowMs()).replaceAll(/[:.]/g, '-');
    const aside = `before-${old.licenseServerId}-${at}`;
    beforeStep('database');
    const name = String(folder.settings['name'] ?? '');
    const made = await makeNext(join(staging, databaseFile), { order, old, key, name, aside });
    syncFolder(staging);
    await old.store?.close();
    beforeStep('marker');
    writeFileAtomic(join(folder.dir, markerFile), `${JSON.stringify({ aside })}\n`);
    finishSuccession(folder.dir, beforeStep);
    return { ...made, aside: join(folder.dir, aside) };
  } catch (error) {
    await old.store?.close();
    throw error;
  }
}

async function makeNext(
  file: string,
  of: {
    readonly order: SuccessionOrder;
    readonly old: Old;
    readonly key: SigningKey;
    readonly name: string;
    readonly aside: string;
  },
): Promise<Succeeded> {
  const { order, old, key, name, aside } = of;
  const { cause, reason, clock, random } = order;
  const context = { clock, digest: nodeDigest };
  const from = old.licenseServerId;
  const to = key.kid;
  const settings = old.store === undefined ? givenSettings(order) : {};
  const next = await makeDatabase(file, { clock, random, licenseServerId: to, name, settings });
  try {
    if (old.store !== undefined) await takeSettings(context, old.store, next);
    const lines = old.store && (await takeHolders(context, { old: old.store, next, from }));
    const iat = isoTime(clock.nowMs());
    const proof = old.key && signSuccession({ t: 'succession', v: 1, iss: from, to, reason, iat }, old.key);
    await enterSuccession(context, next, {
      succession: { name, from, to, cause, reason, aside, proof: proof ?? null },
      lines: lines ?? null,
      earlier: old.store === undefined ? [] : await old.store.read(unrecovered),
    });
    return { from, to, cause, reason, aside, lines: lines ?? null, signed: proof !== undefined };
  } finally {
    await next.close();
  }
}

function givenSettings({ settings }: SuccessionOrder): Readonly<Record<string, string>> {
  const { trustList = '', clearinghouseUrl } = settings ?? {};
  return { trustList, ...(clearinghouseUrl === undefined ? {} : { clearinghouseUrl }) };
}

function trustUnknown(dir: string): Failure {
  return new Failure(`The database in ${dir} cannot say which keys of the publisher hold.`, {
    code: 'publisher-bundle-needed',
    next: "Give the publisher's bundle again, as for a new license server: calyx server rebuild --bundle FILE",
    details: { folder: dir },
  });
}

/** The old key and database, as far as they open; and whose they are. */
async function openOld(
  dir: string,
  of: { readonly secret: Uint8Array; readonly given: string | undefined },
): Promise<Old> {
  const key = oldKey(dir, of.secret);
  const store = oldStore(join(dir, databaseFile));
  const owner = await store?.read(ownerOf);
  // A database of another server than the key's says nothing of this one's CALs.
  if (key !== undefined && owner !== undefined && owner !== key.kid) {
    await store?.close();
    return { key, store: undefined, licenseServerId: key.kid };
  }
  const id = key?.kid ?? owner ?? of.given;
  if (id !== undefined) return { key, store, licenseServerId: id };
  await store?.close();
  throw new Failure(`Neither the key nor the database in ${dir} can say which license server this was.`, {
    code: 'succession-unknown',
    next: 'Name its License Server ID, which is on its reports and known to the clearinghouse: calyx server rebuild --from CODE',
    details: { folder: dir },
  });
}

function oldKey(dir: string, secret: Uint8Array): SigningKey | undefined {
  try {
    return readServerKey(dir, secret);
  } catch (error) {
    if (error instanceof KeyFileError && ['missing', 'damaged'].includes(error.problem)) return undefined;
    throw error;
  }
}

/** A damaged database is not believed in anything: who has a CAL shows it. */
function oldStore(file: string): Store | undefined {
  try {
    return openSqliteStore({ file, migrations: 'server', digest: nodeDigest });
  } catch (error) {
    if (error instanceof StoreFailure && error.code === 'damaged') return undefined;
    throw error;
  }
}

/**
 * Puts the new files in the place of the old ones, wherever that was stopped. First all that is old goes, then what is new
 * comes; so that a file in place whose successor is no longer in the staging folder is the new one. Without a marker
 * what is in the staging folder was never whole, and goes.
 */
export function finishSuccession(dir: string, beforeStep: (step: string) => void = () => undefined): boolean {
  const staging = join(dir, stagingFolder);
  const marker = join(dir, markerFile);
  if (!existsSync(marker)) {
    rmSync(staging, { recursive: true, force: true });
    return false;
  }
  const { aside: name } = JSON.parse(readFileSync(marker, 'utf8')) as { readonly aside: string };
  const aside = join(dir, name);
  beforeStep('aside');
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  if (existsSync(join(staging, databaseFile))) {
    for (const file of setAside) {
      if (!existsSync(join(dir, file)) || existsSync(join(aside, file))) continue;
      beforeStep(`aside ${file}`);
      renameSync(join(dir, file), join(aside, file));
    }
    syncFolder(aside);
  }
  for (const file of replaced) {
    if (!existsSync(join(staging, file))) continue;
    beforeStep(`place ${file}`);
    renameSync(join(staging, file), join(dir, file));
  }
  syncFolder(dir);
  beforeStep('done');
  rmSync(staging, { recursive: true, force: true });
  rmSync(marker);
  syncFolder(dir);
  return true;
}
