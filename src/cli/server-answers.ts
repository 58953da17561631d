/** What the routes of a license server answer, as the commands read it. More fields may come. */
import type { JsonObject } from '../core/json.ts';
import type { LastBackup } from './backup-answers.ts';
import type { ApiClient } from './client.ts';
import type { Succession } from './server-successions.ts';

export type Pack = JsonObject & {
  readonly agreement: string;
  readonly product: string;
  readonly name: string;
  readonly type: string;
  readonly installed: number;
  readonly issued: number;
  readonly unissued: number;
  readonly held: number;
  readonly reserved: number;
  readonly quarantined: number;
  readonly keptUntil: string | null;
};

export type Status = JsonObject & {
  readonly licenseServerId: string;
  readonly publicKey: string;
  readonly name: string;
  readonly publisher: string;
  readonly activation: 'not-activated' | 'activated' | 'deactivated';
  readonly generation: number;
  readonly method: 'automatic' | 'web' | 'telephone';
  readonly clearinghouseUrl: string | null;
  readonly address: string | null;
  readonly assurance: 'none' | 'slot' | 'key';
  readonly horizon: string | null;
  readonly horizonWarning: string;
  readonly agreements: readonly {
    readonly agreement: string;
    readonly assurance: string;
    readonly state: string;
    readonly horizon: string | null;
  }[];
  readonly kits: readonly string[];
  readonly packs: readonly Pack[];
  readonly temporary: number;
  readonly openMoves: readonly (JsonObject & {
    readonly id: string;
    readonly role: 'source' | 'target';
    readonly product: string;
    readonly type: string;
    readonly state: string;
    readonly ageDays: number;
    readonly reminder: number;
    readonly awaited: { readonly from: string; readonly text: string };
  })[];
  readonly gap: number;
  readonly lastContactAt: string | null;
  readonly lastBackup: LastBackup | null;
  /** An older database was put back, or the past of this server is in doubt. */
  readonly past:
    | (JsonObject & {
        readonly state: 'restored' | 'doubted';
        readonly until: string;
        readonly reason: string | null;
        readonly answer: { readonly ahead: SeenAhead | null } | null;
      })
    | null;
  readonly successions: readonly Succession[];
  readonly atRisk: readonly {
    readonly source: string;
    readonly product: string;
    readonly type: string;
    readonly units: number;
    readonly until: string;
    readonly suspendedAt: string | null;
  }[];
};

/** What the clearinghouse has seen of a server beyond its database. */
export type SeenAhead = JsonObject & {
  readonly what: string;
  readonly seen: number;
  readonly here: number;
};

/** A code to be read to the clearinghouse. */
export type ToldCode = JsonObject & {
  /** Of a code that is only shown again: when it was made. */
  readonly madeAt?: string;
  readonly code: string;
  readonly digits: string;
  readonly spelled: readonly (readonly string[])[];
  readonly kind: string;
  readonly agreement: string;
  readonly unissued: number;
  readonly held: number;
  /** Of a release: until when what holders leave here is given to nobody else. */
  readonly keptUntil?: string | null;
  /** Further servers to be named with the key pack (`--from A,B`). */
  readonly alsoFrom: readonly string[];
};

export type MoveView = JsonObject & {
  readonly id: string;
  readonly role: 'source' | 'target';
  readonly carrier: 'online' | 'telephone';
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
  readonly source: string;
  readonly target: string;
  readonly state: string;
  readonly unissued: number;
  readonly held: number;
  readonly hold: boolean;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly resumed: boolean;
  readonly undoing: boolean;
  readonly ageDays: number;
  readonly reminder: number;
  readonly awaited: { readonly from: string; readonly text: string };
  /** Of one that was undone because what was frozen could not be taken in: why. */
  readonly refused: (JsonObject & { readonly message: string; readonly next: string }) | null;
};

/** What came of one message of the clearinghouse. */
export type AppliedResult = JsonObject & {
  readonly message: string;
  readonly again: boolean;
  readonly at: string;
};

export type Applied = JsonObject & {
  readonly applied: readonly string[];
  readonly again: readonly string[];
  readonly results: readonly AppliedResult[];
  readonly failed: readonly { readonly type: string; readonly refusal: JsonObject }[];
};

/** What a code that was read out to this server did, or would do. */
export type CodeOutcome = JsonObject & {
  readonly kind: string;
  readonly agreement: string;
  readonly horizon?: string;
  readonly product?: string;
  readonly productName?: string;
  readonly type?: string;
  readonly added?: number;
  readonly installed?: number;
};

export async function readStatus(api: ApiClient): Promise<Status> {
  return api.call<Status>('GET', '/v1/admin/status');
}
