/** The database of a license server: a new one, with what it begins with; and whose one is. */
import { base64url } from '../core/bytes.ts';
import { ok } from '../core/result.ts';
import type { Clock } from '../platform/clock.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import type { Random } from '../platform/random.ts';
import { writeMeta } from '../store/meta-rows.ts';
import type { Store } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { ownerOf } from './usecases/legacy.ts';

/** Makes it, and leaves it open. */
export async function makeDatabase(
  file: string,
  of: {
    readonly clock: Clock;
    readonly random: Random;
    readonly licenseServerId: string;
    readonly name: string;
    readonly settings: Readonly<Record<string, string>>;
  },
): Promise<Store> {
  const { clock, random, licenseServerId, name, settings } = of;
  const store = openSqliteStore({ file, migrations: 'server', digest: nodeDigest, create: true });
  await store.write(async (tx) => {
    await writeMeta(tx, 'generation', '1');
    await writeMeta(tx, 'salt', base64url(random.bytes(16)));
    for (const [key, value] of Object.entries(settings)) await writeMeta(tx, key, value);
    await tx.post({
      ...{ log: 'server', kind: 'made', id: 'made', at: clock.nowMs() },
      body: { licenseServerId, name },
    });
    return ok(null);
  });
  return store;
}

/**
 * Throws `Failure` (`database-of-another`) where the database is of another license server than the key: its books would be
 * acted on under a name that nothing in them was granted to. The store is closed then.
 */
export async function checkOwner(
  store: Store,
  { dir, licenseServerId }: { readonly dir: string; readonly licenseServerId: string },
): Promise<void> {
  const owner = await store.read(ownerOf);
  if (owner === undefined || owner === licenseServerId) return;
  await store.close();
  throw new Failure(
    `The database in ${dir} is that of license server ${owner}, and the key is of ${licenseServerId}.`,
    {
      code: 'database-of-another',
      next:
        'Database and key of one license server belong together. Put both files of the newest one back (those of an earlier ' +
        'one are in before-ID-TIME), or restore a backup: calyx server restore.',
      details: { folder: dir, database: owner, key: licenseServerId },
    },
  );
}
