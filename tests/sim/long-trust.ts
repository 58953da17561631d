/**
 * A trust list that outlasts every run. The one that `init` makes ends after 400 days, and nobody in a run signs the
 * next one (tests/trust-lists.test.ts is about those): afterwards nobody would believe a message of the
 * clearinghouse, and runs go on for years. The root key signs it, as `init` does.
 */
import { join } from 'node:path';
import { ok } from '../../src/core/result.ts';
import { dayMs, isoTime } from '../../src/core/time.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import { readKeyFile } from '../../src/platform/instance-secret.ts';
import { signingKeyFromSeed } from '../../src/platform/signing.ts';
import {
  keyId,
  makeTrustList,
  openTrustList,
  readPublisherBundle,
  writePublisherBundle,
} from '../../src/protocol/trust.ts';
import { writeMeta } from '../../src/store/meta-rows.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { value } from '../world/world.ts';

const years = 60;

/** Puts it into the books of a clearinghouse that was just made; answers the publisher's bundle with it. */
export async function trustForLong(
  dir: string,
  made: { readonly bundle: string; readonly rootKeyFile: string; readonly nowMs: number },
): Promise<string> {
  const { publisher, root, trustListToken } = value(readPublisherBundle(nodeDigest, made.bundle));
  const list = value(openTrustList(nodeDigest, trustListToken, [root]));
  const exp = isoTime(made.nowMs + years * 365 * dayMs);
  const key = signingKeyFromSeed(readKeyFile(made.rootKeyFile), (pk) => keyId(nodeDigest, pk));
  const longer = { ...list, exp, keys: list.keys.map((each) => ({ ...each, exp })) };
  const token = makeTrustList(nodeDigest, longer, key);
  const file = join(dir, 'clearinghouse.db');
  const store = openSqliteStore({ file, migrations: 'clearinghouse', digest: nodeDigest });
  await store.write(async (tx) => {
    await writeMeta(tx, 'trustList', token);
    return ok(null);
  });
  await store.close();
  return writePublisherBundle({ publisher, root, trustListToken: token });
}
