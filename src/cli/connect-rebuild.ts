/** `calyx server rebuild` on the folder itself: its database may be one that no program opens any more. */
import { base64url } from '../core/bytes.ts';
import type { RecoveryReason } from '../core/recovery.ts';
import { systemClock } from '../platform/clock.ts';
import { openDataFolder } from '../platform/data-folder.ts';
import { acquireLock } from '../platform/data-folder-lock.ts';
import { nodeDigest } from '../platform/digest.ts';
import { systemRandom } from '../platform/random.ts';
import { readPublisherBundle } from '../protocol/trust.ts';
import type { Succeeded } from '../server/app-succession.ts';
import { finishSuccession, succeed } from '../server/app-succession.ts';
import { openInWords } from './connect-failure.ts';
import { must, Refused } from './outcome.ts';

interface RebuildOrder {
  readonly reason: RecoveryReason;
  readonly licenseServerId: string | undefined;
  /** The text of the publisher bundle file, where one is given, and the address of the clearinghouse. */
  readonly bundle: string | undefined;
  readonly clearinghouseUrl: string | undefined;
}

/** Makes the new license server; nobody else may work in the folder meanwhile. Refused: a bundle of another publisher. */
export async function rebuildServer(folder: string, order: RebuildOrder): Promise<Succeeded> {
  const { dir, settings } = openDataFolder(folder, 'server');
  const { bundle, clearinghouseUrl } = order;
  const trusted = bundle === undefined ? undefined : trustOf(bundle, String(settings['root'] ?? ''));
  const given = trusted === undefined ? undefined : { trustList: trusted, clearinghouseUrl };
  const lock = acquireLock(dir);
  try {
    finishSuccession(dir);
    const world = { clock: systemClock, random: systemRandom };
    return await openInWords(dir, () =>
      succeed(dir, { ...world, ...order, settings: given, cause: 'rebuilt' }),
    );
  } finally {
    lock.release();
  }
}

/** The trust list of a bundle, whose root must be the one that this server was made with. */
function trustOf(bundle: string, root: string): string {
  const read = must(readPublisherBundle(nodeDigest, bundle));
  if (base64url(read.root.publicKey) === root) return read.trustListToken;
  throw Refused.of({ code: 'message-untrusted', signer: read.root.kid });
}
