/** A license server's own files: their names, its key, and whose database lies in a folder. */
import { join } from 'node:path';
import { licenseServerId } from '../core/code.ts';
import { nodeDigest } from '../platform/digest.ts';
import { readSealedFile } from '../platform/instance-secret.ts';
import { signingKeyFromSeed } from '../platform/signing.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import { firstEntryField } from '../store/sqlite-copy.ts';
import { serverLog } from './usecases/license-token.ts';

export const databaseFile = 'license-server.db';
export const keyFile = 'license-server.key';
export const keyPurpose = 'license-server-key';

/** The high-water mark of a license server, beside the instance secret. */
export function markFile(instanceDir: string, id: string): string {
  return join(instanceDir, `${id}.high-water`);
}

/** The key in a data folder, opened with the secret of this machine. Throws `KeyFileError`. */
export function readServerKey(dir: string, secret: Uint8Array): SigningKey {
  const seed = readSealedFile(join(dir, keyFile), { secret, purpose: keyPurpose });
  return signingKeyFromSeed(seed, (publicKey) => licenseServerId(nodeDigest, publicKey));
}

/** Which license server the database in a data folder says that it is of; undefined where it cannot be read. */
export function ownerInFolder(dir: string): string | undefined {
  return firstEntryField(join(dir, databaseFile), { log: serverLog, field: 'licenseServerId' });
}
