/** The publisher of a world signs its next trust list, with the root key that lies in the folder of the clearinghouse. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importTrustList } from '../../src/clearinghouse/usecases/trust-lists.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import { readKeyFile } from '../../src/platform/instance-secret.ts';
import { signingKeyFromSeed } from '../../src/platform/signing.ts';
import { keyId } from '../../src/protocol/trust.ts';
import { nextPublisherBundle } from '../../src/protocol/trust-lists.ts';
import type { World } from './world.ts';
import { value } from './world.ts';

/** The publisher bundle that the folder of the clearinghouse holds now. */
export function bundleOf(world: World): string {
  return readFileSync(join(world.dir, 'ch', 'publisher-bundle.json'), 'utf8');
}

/** A publisher bundle with the list after the one of `bundle`; not yet in force. */
export function signNext(world: World, bundle = bundleOf(world)): string {
  const seed = readKeyFile(join(world.dir, 'ch', 'root.key'));
  const key = signingKeyFromSeed(seed, (publicKey) => keyId(nodeDigest, publicKey));
  const by = { root: key, nowMs: world.clock.nowMs() };
  return value(nextPublisherBundle(nodeDigest, bundle, by));
}

/** The publisher puts its next trust list in force, as it does once a year. */
export async function renewTrust(world: World): Promise<void> {
  value(await importTrustList(world.clearinghouse.context, signNext(world)));
}
