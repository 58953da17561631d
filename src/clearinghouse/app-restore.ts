/** What a restore must know of a clearinghouse: whose folder it is, its keys, and the recovery that follows. */
import { join } from 'node:path';
import type { Restorable, RestoredFile, RestorePlace } from '../backup/restore-backup.ts';
import { ok } from '../core/result.ts';
import { nodeDigest } from '../platform/digest.ts';
import {
  instanceSealBox,
  KeyFileError,
  openInstanceSecret,
  readSealedFile,
  seal,
  unsealWith,
} from '../platform/instance-secret.ts';
import { readKnownServers } from '../platform/known-servers.ts';
import { newId, systemRandom } from '../platform/random.ts';
import { signingKeyFromSeed } from '../platform/signing.ts';
import { msOf } from '../protocol/schema.ts';
import { saveSealedKey, sealedKeys } from '../store/committed-server-rows.ts';
import type { WriteTx } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import {
  bareParts,
  bundleFile,
  confirmationPurpose,
  databaseFile,
  issueKeyFile,
  issuePurpose,
  kitKeyFile,
  kitPurpose,
  nameOf,
} from './app.ts';
import { beginRecovery } from './usecases/recovery.ts';

type Parts = ReadonlyMap<string, Uint8Array>;

/** The id of the key that issues; undefined where it is gone or does not open. */
function presentId(dir: string, instanceDir: string): string | undefined {
  try {
    const secret = openInstanceSecret(instanceDir, { create: false, random: systemRandom });
    const seed = readSealedFile(join(dir, issueKeyFile), { secret, purpose: issuePurpose });
    return signingKeyFromSeed(seed, nameOf).kid;
  } catch (error) {
    if (error instanceof KeyFileError) return undefined;
    throw error;
  }
}

function partOf(parts: Parts, name: string): Uint8Array {
  const bytes = parts.get(name);
  if (bytes === undefined) throw new Error(`a backup of a clearinghouse has no ${name}`);
  return bytes;
}

/** The keys of the backup under the secret of this machine, which is made where there is none. */
function filesOf(parts: Parts, { instanceDir, rehearse, random }: RestorePlace): readonly RestoredFile[] {
  const bundle = { name: bundleFile, bytes: partOf(parts, bundleFile), modeOctal: 0o644 };
  const keys = [
    { name: issueKeyFile, purpose: issuePurpose, plaintext: partOf(parts, bareParts.issueSeed) },
    { name: kitKeyFile, purpose: kitPurpose, plaintext: partOf(parts, bareParts.kitKey) },
  ];
  if (rehearse) return [bundle];
  const secret = openInstanceSecret(instanceDir, { create: true, random });
  const sealed = keys.map(({ name, purpose, plaintext }) => ({
    name,
    bytes: seal(secret, { purpose, plaintext, random }),
  }));
  return [bundle, ...sealed];
}

/** The ratchets of confirmations are sealed under the secret of the machine that was backed up. */
async function sealAnew(tx: WriteTx, parts: Parts, place: RestorePlace): Promise<void> {
  const { instanceDir, random } = place;
  const box = instanceSealBox(openInstanceSecret(instanceDir, { create: true, random }), random);
  const before = partOf(parts, bareParts.confirmations);
  for (const { aid, sealed } of await sealedKeys(tx)) {
    const key = unsealWith(before, sealed);
    if (key === undefined) throw new Error(`the ratchet of ${aid} does not open with the key in the backup`);
    await saveSealedKey(tx, aid, box.seal(confirmationPurpose, key));
  }
}

export const restorable: Restorable = {
  kind: 'clearinghouse',
  database: databaseFile,
  present: presentId,
  // A clearinghouse has its keys with it: it is the same on any machine.
  files: (parts, place) => ({ secret: 'present', files: filesOf(parts, place) }),
  prepare: async (file, { manifest, parts, place }) => {
    const store = openSqliteStore({ file, migrations: 'clearinghouse', digest: nodeDigest });
    try {
      await store.write(async (tx) => {
        if (!place.rehearse) await sealAnew(tx, parts, place);
        await beginRecovery(tx, {
          ...{ nowMs: place.nowMs, backupMs: msOf(manifest.at), id: newId(place.random) },
          known: readKnownServers(place.instanceDir),
        });
        return ok(null);
      });
    } finally {
      await store.close();
    }
  },
};
