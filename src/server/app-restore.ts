/** What a restore must know of a license server: whose folder it is, and its key file. */
import type { Restorable, SecretState } from '../backup/restore-backup.ts';
import { nodeDigest } from '../platform/digest.ts';
import { KeyFileError, openInstanceSecret, unseal } from '../platform/instance-secret.ts';
import type { Random } from '../platform/random.ts';
import { systemRandom } from '../platform/random.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { databaseFile, keyFile, keyPurpose, ownerInFolder, readServerKey } from './app-files.ts';

/** The secret of this machine; undefined where there is none. One that may not be used is told. */
function secretAt(instanceDir: string, random: Random): Uint8Array | undefined {
  try {
    return openInstanceSecret(instanceDir, { create: false, random });
  } catch (error) {
    if (error instanceof KeyFileError && error.problem === 'missing') return undefined;
    throw error;
  }
}

/** By its key; where that is gone or does not open, by what its database says of itself. */
function presentId(dir: string, instanceDir: string): string | undefined {
  return idByKey(dir, instanceDir) ?? ownerInFolder(dir);
}

function idByKey(dir: string, instanceDir: string): string | undefined {
  try {
    const secret = secretAt(instanceDir, systemRandom);
    return secret && readServerKey(dir, secret).kid;
  } catch (error) {
    // A key that is gone or does not open is one of the things that a backup is for.
    if (error instanceof KeyFileError) return undefined;
    throw error;
  }
}

export const restorable: Restorable = {
  kind: 'server',
  database: databaseFile,
  present: presentId,
  files: (parts, place) => {
    const sealed = parts.get(keyFile);
    if (sealed === undefined) throw new Error(`a backup of a license server has no ${keyFile}`);
    const found = secretAt(place.instanceDir, place.random);
    let secret: SecretState = 'absent';
    if (found !== undefined) {
      const opens = unseal(found, { purpose: keyPurpose, sealed }) !== undefined;
      secret = opens ? 'present' : 'undecryptable';
    }
    return { secret, files: [{ name: keyFile, bytes: sealed }] };
  },
  prepare: async (file) => {
    await openSqliteStore({ file, migrations: 'server', digest: nodeDigest }).close();
  },
};
