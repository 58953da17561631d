/**
 * Every way in which Calyx says no, as one tagged union: a stable `code` and the numbers that a
 * person needs. `protocol/problem.ts` turns each into words, an HTTP status and the next step.
 */

export type Refusal =
  // ---- asking in the wrong way
  | { readonly code: 'invalid-input'; readonly field: string; readonly problem: string }
  | { readonly code: 'not-found'; readonly what: string; readonly id: string }
  | { readonly code: 'not-authorized' }
  | { readonly code: 'idempotency-key-reused'; readonly id: string }
  // ---- products and agreements
  | { readonly code: 'product-unknown'; readonly product: string; readonly known: readonly string[] }
  | { readonly code: 'product-exists'; readonly product: string }
  | { readonly code: 'agreement-missing' }
  | { readonly code: 'agreement-unknown'; readonly agreement: string }
  | { readonly code: 'agreement-exists'; readonly agreement: string }
  | {
      readonly code: 'program-field-missing';
      readonly program: string;
      readonly field: string;
      readonly expected: string;
    }
  | {
      readonly code: 'program-field-wrong';
      readonly program: string;
      readonly field: string;
      readonly expected: string;
    }
  | {
      readonly code: 'line-unknown';
      readonly agreement: string;
      readonly product: string;
      readonly type: string;
    }
  | { readonly code: 'lines-full'; readonly agreement: string; readonly most: number }
  | {
      readonly code: 'quantity-above-agreement';
      readonly agreement: string;
      readonly product: string;
      readonly type: string;
      readonly asked: number;
      readonly inHand: number;
      readonly entitled: number;
    }
  | { readonly code: 'quantity-invalid'; readonly quantity: number; readonly most: number }
  // ---- license servers
  | { readonly code: 'server-unknown'; readonly licenseServerId: string }
  | { readonly code: 'not-activated'; readonly agreement: string | null }
  | { readonly code: 'already-activated'; readonly agreement: string }
  | { readonly code: 'deactivated' }
  | { readonly code: 'server-closed'; readonly licenseServerId: string; readonly generation: number }
  | { readonly code: 'server-suspect'; readonly licenseServerId: string; readonly reason: string }
  /** Its database is not what it has told (protocol §5.2): nothing new is given out or given up. */
  | { readonly code: 'server-in-doubt'; readonly reason: string; readonly until: string }
  | { readonly code: 'strangers-limited'; readonly refused: number; readonly until: string }
  /** The clearinghouse's journal does not go on from the `seen` entries that this server has cosigned. */
  | {
      readonly code: 'clearinghouse-forked';
      readonly agreement: string;
      readonly seen: number;
      readonly told: number;
    }
  /** The clearinghouse was restored, and has not heard from everybody since (protocol §5.6). */
  | {
      readonly code: 'clearinghouse-recovering';
      readonly agreement: string;
      /** As of when the backup was. */
      readonly backup: string;
      readonly awaited: readonly string[];
      /** Whether there may be servers that the backup does not know. */
      readonly unknown: boolean;
      /** When the last of their horizons has passed. */
      readonly until: string;
    }
  /** What was asked for may be forgotten by a clearinghouse that was restored since. */
  | { readonly code: 'request-forgotten'; readonly request: string; readonly backup: string }
  | { readonly code: 'server-declared-dead'; readonly licenseServerId: string; readonly move: string }
  | { readonly code: 'kit-missing'; readonly agreement: string | null }
  | { readonly code: 'kit-full'; readonly agreement: string; readonly slots: number }
  | { readonly code: 'horizon-passed'; readonly horizon: string; readonly now: string }
  | { readonly code: 'clock-behind'; readonly now: string; readonly seen: string }
  | { readonly code: 'clock-ahead'; readonly now: string; readonly seen: string }
  | {
      readonly code: 'holders-remain';
      readonly issued: number;
      readonly unissued: number;
      readonly reserved: number;
    }
  | { readonly code: 'no-clearinghouse-address' }
  | { readonly code: 'clearinghouse-unreachable'; readonly url: string; readonly detail: string }
  | { readonly code: 'answer-pending'; readonly waitingFor: string }
  // ---- licenses
  | {
      readonly code: 'none-available';
      readonly product: string;
      readonly type: string;
      readonly installed: number;
      readonly unissued: number;
    }
  | { readonly code: 'product-not-installed'; readonly product: string }
  | { readonly code: 'temporary-used-up'; readonly product: string; readonly expiredAt: string }
  | { readonly code: 'temporary-cap'; readonly product: string; readonly cap: number }
  | { readonly code: 'host-not-allowed'; readonly host: string }
  | { readonly code: 'license-unknown'; readonly product: string; readonly holder: string }
  | { readonly code: 'license-moved'; readonly product: string; readonly licenseServerId: string }
  | { readonly code: 'type-not-supported'; readonly type: string }
  | { readonly code: 'source-token-invalid'; readonly problem: string }
  | { readonly code: 'referral-invalid'; readonly problem: string }
  | { readonly code: 'referral-expired'; readonly expiredAt: string; readonly now: string }
  | { readonly code: 'referral-loop'; readonly licenseServerIds: readonly string[] }
  | {
      readonly code: 'referral-address-unknown';
      readonly licenseServerId: string;
      /** Addresses that the referral names, at which other servers answer. */
      readonly tried: readonly string[];
    }
  // ---- codes
  | {
      readonly code: 'code-unreadable';
      readonly problem: 'length' | 'character';
      readonly length: number;
      /** 1-based places of what cannot be read, with what stands there. */
      readonly places: readonly { readonly place: number; readonly found: string }[];
    }
  | {
      readonly code: 'code-mistyped';
      /** Empty where each group is right by itself and the whole is not: all of it must be read again. */
      readonly groups: readonly {
        /** 1-based. */
        readonly group: number;
        /** In upper case, with O, I and L read as 0, 1 and 1. */
        readonly typed: string;
        /** One-character repairs, the likeliest first. */
        readonly repairs: readonly {
          readonly text: string;
          readonly place: number;
          readonly from: string;
          readonly to: string;
        }[];
      }[];
    }
  /** Read without error, and yet no code that we know: type number and context byte of it. */
  | { readonly code: 'code-kind-unknown'; readonly type: number; readonly ctx: number }
  | { readonly code: 'code-wrong-kind'; readonly expected: string; readonly found: string }
  | {
      readonly code: 'code-other-server';
      readonly licenseServerId: string;
      readonly name: string | null;
    }
  /** How far it was searched, and for what quantity, where one was said with a key pack. */
  | {
      readonly code: 'code-not-for-this-server';
      readonly kind: 'activation' | 'horizon' | 'key-pack';
      readonly searched: number;
      readonly quantity: number | null;
    }
  | { readonly code: 'code-other-kit'; readonly slot: number; readonly slots: readonly number[] }
  | {
      readonly code: 'already-applied';
      readonly product: string | null;
      readonly type: string | null;
      readonly added: number;
      readonly installed: number;
      readonly at: string;
    }
  | { readonly code: 'source-needed' }
  | { readonly code: 'source-wrong'; readonly licenseServerId: string }
  | { readonly code: 'quantity-differs'; readonly expected: number; readonly found: number }
  | { readonly code: 'confirmation-needed'; readonly added: number; readonly total: number }
  | { readonly code: 'confirmation-unmatched'; readonly licenseServerId: string | null }
  | { readonly code: 'confirmation-locked'; readonly failures: number; readonly until: string }
  | { readonly code: 'earlier-code-missing'; readonly kind: string }
  | { readonly code: 'move-needed'; readonly licenseServerId: string }
  // ---- moves
  | { readonly code: 'move-to-itself'; readonly licenseServerId: string }
  | {
      readonly code: 'move-more-than-there-is';
      readonly asked: number;
      readonly available: number;
    }
  /** More than `most` unissued CALs, or more than that with holders: no grant can bring them (protocol §3.4). */
  | { readonly code: 'move-too-large'; readonly asked: number; readonly most: number }
  /** A chain of the target has `left` positions, and cannot be renewed: by telephone, or in a kit slot. */
  | {
      readonly code: 'chains-used-up';
      readonly licenseServerId: string;
      readonly agreement: string;
      readonly asked: number;
      readonly left: number;
      /** Whether it has a slot of a kit, or a certificate that names its key. */
      readonly basis: 'slot' | 'key';
    }
  | { readonly code: 'move-open'; readonly move: string; readonly state: string }
  /** An undo was asked for here and is not answered yet: to give up what it brings back would lose it. */
  | { readonly code: 'undo-open'; readonly move: string; readonly target: string }
  | { readonly code: 'move-unknown'; readonly move: string }
  | { readonly code: 'move-state'; readonly move: string; readonly state: string; readonly act: string }
  | {
      readonly code: 'undo-too-late';
      readonly move: string;
      readonly state: string;
      readonly carrier: 'online' | 'telephone';
      readonly agreement: string;
      readonly product: string;
      readonly type: string;
      readonly quantity: number | 'all';
      /** Both ends of the move: the way back is from its target to its source. */
      readonly source: string;
      readonly target: string;
      /** Whether CALs can go back there: not while it is deactivated, and never where it was declared dead. */
      readonly sourceIs: 'active' | 'deactivated' | 'declared-dead' | 'not-known';
    }
  | { readonly code: 'approval-same-person'; readonly move: string; readonly name: string }
  /** The clearinghouse or the server itself knows of nothing of the server before that is not here. */
  | { readonly code: 'nothing-to-recover'; readonly licenseServerId: string }
  | {
      readonly code: 'early-release-limit';
      readonly agreement: string;
      readonly most: number;
      readonly next: string;
    }
  | { readonly code: 'nothing-frozen'; readonly product: string; readonly type: string }
  | { readonly code: 'not-yet-supported'; readonly what: string }
  // ---- backups
  | { readonly code: 'backup-key-missing'; readonly program: 'server' | 'clearinghouse' }
  | {
      readonly code: 'backup-key-exists';
      readonly program: 'server' | 'clearinghouse';
      readonly recipient: string;
    }
  | {
      readonly code: 'backup-running';
      readonly program: 'server' | 'clearinghouse';
      readonly percent: number;
    }
  // ---- messages and files
  | { readonly code: 'file-damaged'; readonly problem: string }
  | { readonly code: 'file-other-kind'; readonly expected: string; readonly found: string }
  | { readonly code: 'message-invalid'; readonly problem: string }
  | { readonly code: 'message-untrusted'; readonly signer: string }
  | {
      readonly code: 'message-expired';
      readonly madeAt: string;
      readonly expiredAt: string;
      readonly now: string;
    }
  | { readonly code: 'message-not-for-us'; readonly recipient: string }
  | { readonly code: 'message-out-of-order'; readonly expected: number; readonly found: number }
  | { readonly code: 'publisher-different'; readonly expected: string; readonly found: string };

export type RefusalCode = Refusal['code'];

/** The member of the union with this code. */
export type RefusalOf<Code extends RefusalCode> = Extract<Refusal, { readonly code: Code }>;
