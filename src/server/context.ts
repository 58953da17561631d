/** What every use case of a license server is given: wired once, in `app.ts`. */
import type { Backups } from '../backup/backups.ts';
import type { Digest } from '../core/digest.ts';
import type { HighWater } from '../core/high-water.ts';
import type { Clock } from '../platform/clock.ts';
import type { Delivery } from '../platform/delivery.ts';
import type { Machine } from '../platform/machine-signals.ts';
import type { Random } from '../platform/random.ts';
import type { SealBox } from '../platform/seal-box.ts';
import type { TokenSigner } from '../platform/token-signer.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import type { RootKey } from '../protocol/trust.ts';
import type { KnownBlocks } from '../store/checkpoint-rows.ts';
import type { Store } from '../store/port.ts';
import type { TokenCache } from './usecases/license-token.ts';
import type { KeptReferral } from './usecases/refer.ts';
import type { ServerFacts } from './usecases/server-facts.ts';
import type { TemporaryCount } from './usecases/temporary-count.ts';

export interface ServerContext {
  readonly store: Store;
  readonly backups: Backups;
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: Digest;
  /** The License Server ID in its 7 groups, and the 16-byte value in it. */
  readonly licenseServerId: string;
  readonly lsidValue: Uint8Array;
  readonly name: string;
  readonly key: SigningKey;
  /** Signs tokens with that key. */
  readonly signer: TokenSigner;
  readonly publisher: string;
  /** The root key of the publisher, which every signature leads back to. */
  readonly root: RootKey;
  readonly box: SealBox;
  /** A fresh X25519 key pair as (seed, public key), and the agreement of a seed with another's key. */
  readonly oneTimeKey: () => { readonly seed: Uint8Array; readonly publicKey: Uint8Array };
  readonly agreeWith: (seed: Uint8Array, otherPublicKey: Uint8Array) => Uint8Array | undefined;
  /** Lets the event loop turn, in work that is long and nobody else's. */
  readonly nextTurn: () => Promise<void>;
  readonly delivery: Delivery;
  /** What this machine is known by; null in tests that have none. */
  readonly machine: Machine | null;
  /** Aborted when the service stops: a contact that the clearinghouse holds back is cut off. */
  readonly stopping: AbortController;
  /** What the hot path would otherwise look up or build for each request. */
  readonly cache: ServerCache;
}

/** Facts that change only when an administrator or the clearinghouse acts (`server-facts.ts`). */
export interface ServerCache {
  facts: ServerFacts | null;
  /** The high-water mark as it was written last (protocol §5.1); null: none is kept. */
  mark: HighWater | null;
  readonly tokens: TokenCache;
  /** By move and address of its target. */
  readonly referrals: Map<string, KeptReferral>;
  /** By product. */
  readonly temporaries: Map<string, TemporaryCount>;
  /** Addresses of hosts that may ask for licenses; empty: any host. */
  hosts: ReadonlySet<string>;
  /** When a denial was last written into the System log, by product and reason. */
  readonly denials: Map<string, number>;
  /** Codes that failed in a row. */
  codeFailures: number;
  /** Of this server's own journal, what the clearinghouse has not cosigned yet (`witness.ts`). */
  readonly blocks: KnownBlocks;
  /** The contact under way: the next one waits for it. */
  contact: Promise<void>;
  /** The newest time seen, and what of it was written down (`seen-time.ts`); null: not looked up yet. */
  seen: { readonly newestMs: number; readonly savedMs: number } | null;
  /** Cuts off the service's own contact, which the clearinghouse may be holding back; null: none is under way. */
  poll: AbortController | null;
}
