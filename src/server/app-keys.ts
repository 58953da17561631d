/**
 * What a license server is known by: its key, under the instance secret of this operating system. Where that does not open
 * any more, the folder goes on as a new license server (protocol §5.2).
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOfBase64url } from '../core/bytes.ts';
import { licenseServerIdValue } from '../core/code.ts';
import type { Clock } from '../platform/clock.ts';
import type { DataFolder } from '../platform/data-folder.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import { KeyFileError, openInstanceSecret } from '../platform/instance-secret.ts';
import type { Random } from '../platform/random.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import { keyFile, markFile, ownerInFolder, readServerKey } from './app-files.ts';
import { finishSuccession, succeed } from './app-succession.ts';

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
    if (!isOtherSystem(folder, error)) throw error;
    await succeed(folder.dir, { ...world, cause: 'system-replaced', reason: 'redeployed' });
    return readIdentity(folder, world.random);
  }
}

function readIdentity({ dir, settings }: DataFolder, random: Random): Identity {
  const secret = openInstanceSecret(String(settings['instanceDir'] ?? ''), { create: false, random });
  return { secret, key: readServerKey(dir, secret) };
}

/**
 * A secret that is not there, or is none; or a key that does not open under one that nothing of this server lies beside. A key
 * that is not there is no such sign; nor is one that does not open beside the mark of this server, which is damaged.
 */
function isOtherSystem({ dir, settings }: DataFolder, error: unknown): boolean {
  if (!(error instanceof KeyFileError)) return false;
  if (error.path !== join(dir, keyFile)) return ['damaged', 'missing'].includes(error.problem);
  if (error.problem !== 'damaged') return false;
  const owner = ownerInFolder(dir);
  return owner !== undefined && !existsSync(markFile(String(settings['instanceDir'] ?? ''), owner));
}
