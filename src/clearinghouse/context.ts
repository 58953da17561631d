/** What every use case of the clearinghouse is given: wired once, in `app.ts`. */
import type { Backups } from '../backup/backups.ts';
import type { Digest } from '../core/digest.ts';
import type { Clock } from '../platform/clock.ts';
import type { KnownServer } from '../platform/known-servers.ts';
import type { Mailbox } from '../platform/mailbox.ts';
import type { Random } from '../platform/random.ts';
import type { SealBox } from '../platform/seal-box.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import type { Store } from '../store/port.ts';

export interface ClearinghouseContext {
  readonly store: Store;
  readonly backups: Backups;
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: Digest;
  readonly publisher: string;
  /** The trust lists, signed by the root key: oldest first, the one in force last. */
  trustLists: readonly string[];
  /** Replaces the publisher bundle in the data folder. */
  readonly saveBundle: (text: string) => void;
  readonly issueKey: SigningKey;
  /** The seed of every hash chain: whoever has it can grant anything (protocol §10). */
  readonly kitKey: Uint8Array;
  /** One X25519 agreement with a fresh key of ours that is forgotten at once; undefined for a bad key. */
  readonly keyExchange: (
    otherPublicKey: Uint8Array,
  ) => { readonly publicKey: Uint8Array; readonly shared: Uint8Array } | undefined;
  /** Seals what may not lie in the database in clear. */
  readonly box: SealBox;
  /** Wakes license servers that wait for messages. */
  readonly mailbox: Mailbox;
  /** Aborted when the service stops: whoever waits for mail is answered with what there is. */
  readonly stopping: AbortController;
  /** Exchanges under way: one whose caller has hung up goes on, and the store stays open for it. */
  readonly exchanges: Set<Promise<unknown>>;
  /** Remembers outside of every backup that a server was activated, before that is committed (§5.6). */
  readonly noteServer: (server: KnownServer) => void;
  /** When license servers that are not known here were last refused, within an hour (`stranger-limit.ts`). */
  strangers: readonly number[];
}
