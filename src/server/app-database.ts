/** The database of a new license server, with what it begins with. */
import { base64url } from '../core/bytes.ts';
import { ok } from '../core/result.ts';
import type { Clock } from '../platform/clock.ts';
import { nodeDigest } from '../platform/digest.ts';
import type { Random } from '../platform/random.ts';
import { writeMeta } from '../store/meta-rows.ts';
import type { Store } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';

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
