/**
 * What a license server is known by: its key, under the instance secret of this operating system. Where that does not open
 * any more, the folder goes on as a new license server (protocol §5.2).
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOfBase64url } from '../core/bytes.ts';
import { licenseServerId, licenseServerIdValue } from '../core/code.ts';
import type { Clock } from '../platform/clock.ts';
import type { DataFolder } from '../platform/data-folder.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import { KeyFileError, openInstanceSecret, readSealedFile } from '../platform/instance-secret.ts';
import type { Random } from '../platform/random.ts';
import { signingKeyFromSeed } from '../platform/signing.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import type { Store } from '../store/port.ts';
import { StoreFailure } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { databaseFile, keyFile, keyPurpose, markSuffix } from './app-files.ts';
import { finishSuccession, succeed } from './app-succession.ts';
import { ownerOf } from './usecases/legacy.ts';

interface Identity {
  readonly secret: Uint8Array;
  readonly key: SigningKey;
}

/** A license server's keys, as its folder and its instance secret have them. */
export interface Keys extends Identity {
  readonly lsidValue: Uint8Array;
  readonly rootKey: Uint8Array;
}

/** Opens the keys, of this server or of the one that comes in its place. Throws `Failure` in words. */
export async function openKeys(
  folder: DataFolder,
  world: { readonly clock: Clock; readonly random: Random },
): Promise<Keys> {
  const identity = await openIdentity(folder, world);
  const lsidValue = licenseServerIdValue(nodeDigest, identity.key.kid);
  const rootKey = bytesOfBase64url(String(folder.settings['root'] ?? ''));
  if (!lsidValue.ok || rootKey === undefined) {
    throw new Failure(`The settings in ${folder.dir} name no root key.`, {
      code: 'data-folder-damaged',
      next: 'Put config.json back from a backup.',
    });
  }
  return { ...identity, lsidValue: lsidValue.value, rootKey };
}

/**
 * Where its instance secret is not there, or does not open the key, this is another operating system or another machine:
 * the folder goes on as a new license server, once.
 */
async function openIdentity(
  folder: DataFolder,
  world: { readonly clock: Clock; readonly random: Random },
): Promise<Identity> {
  finishSuccession(folder.dir);
  try {
    return readIdentity(folder, world.random);
  } catch (error) {
    if (!(await isOtherSystem(folder, error))) throw error;
    await succeed(folder.dir, { ...world, cause: 'system-replaced', reason: 'redeployed' });
    return readIdentity(folder, world.random);
  }
}

function readIdentity({ dir, settings }: DataFolder, random: Random): Identity {
  const secret = openInstanceSecret(String(settings['instanceDir'] ?? ''), { create: false, random });
  const seed = readSealedFile(join(dir, keyFile), { secret, purpose: keyPurpose });
  return { secret, key: signingKeyFromSeed(seed, (publicKey) => licenseServerId(nodeDigest, publicKey)) };
}

/**
 * A secret that is not there, or is none; or a key that does not open under one that nothing of this server lies beside. A key
 * that is not there is no such sign; nor is one that does not open beside the mark of this server, which is damaged.
 */
async function isOtherSystem({ dir, settings }: DataFolder, error: unknown): Promise<boolean> {
  if (!(error instanceof KeyFileError)) return false;
  if (error.path !== join(dir, keyFile)) return ['damaged', 'missing'].includes(error.problem);
  if (error.problem !== 'damaged') return false;
  const owner = await databaseOwner(join(dir, databaseFile));
  const mark = join(String(settings['instanceDir'] ?? ''), `${owner ?? ''}${markSuffix}`);
  return owner !== undefined && !existsSync(mark);
}

/** Whose a database is; undefined where it cannot be read. */
async function databaseOwner(file: string): Promise<string | undefined> {
  let store: Store;
  try {
    store = openSqliteStore({ file, migrations: 'server', digest: nodeDigest });
  } catch (error) {
    if (error instanceof StoreFailure && error.code === 'damaged') return undefined;
    throw error;
  }
  try {
    return await store.read(ownerOf);
  } finally {
    await store.close();
  }
}
