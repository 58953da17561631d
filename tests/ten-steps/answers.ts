/** The fields of `--json` that scripts may rely on (design §8), as far as these tests read them. */

export interface Pack {
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly installed: number;
  readonly issued: number;
  readonly unissued: number;
  readonly held: number;
  readonly reserved: number;
  readonly quarantined: number;
}

export interface Status {
  readonly licenseServerId: string;
  readonly publicKey: string;
  readonly name: string;
  readonly activation: 'not-activated' | 'activated' | 'deactivated';
  readonly method: 'automatic' | 'web' | 'telephone';
  readonly assurance: 'none' | 'slot' | 'key';
  readonly horizon: string | null;
  readonly clearinghouseUrl: string | null;
  readonly kits: readonly string[];
  readonly packs: readonly Pack[];
  readonly temporary: number;
  readonly lastContactAt: string | null;
}

export interface Line {
  readonly entitled: number;
  readonly inHand: number;
  readonly committed: number;
  readonly inTransit: number;
  readonly quarantined: number;
  readonly retired: number;
}

export interface Agreement {
  readonly number: string;
  readonly lines: readonly Line[];
}

export interface SpokenCode {
  readonly code: string;
  readonly digits: string;
  readonly spelled: readonly (readonly string[])[];
  readonly kind: string;
}

export interface DeskAnswer {
  readonly code: string | null;
  readonly codes: readonly (SpokenCode & { readonly for: string })[];
  readonly digits: string | null;
  readonly spelled: readonly (readonly string[])[] | null;
  readonly next: string;
}

export interface Told extends SpokenCode {
  readonly unissued: number;
  readonly held: number;
}

export interface Installed {
  readonly product: string;
  readonly type: string;
  readonly added: number;
  readonly installed: number;
}

export interface License {
  readonly status: 'issued' | 'renewed' | 'unchanged';
  readonly kind: 'temporary' | 'permanent';
  readonly product: string;
  readonly type: string;
  readonly unit: number | null;
  readonly origin: string | null;
  readonly token: string;
  readonly expiresAt: string;
  readonly bundle: unknown;
}

export interface Move {
  readonly id: string;
  readonly state: string;
  readonly unissued: number;
  readonly held: number;
  readonly moved?: number;
}

export interface Rehearsed {
  readonly unissued: number;
  readonly held: number;
  readonly asks: readonly string[];
  readonly target: {
    readonly reached: boolean;
    readonly url: string | null;
    readonly knownFrom: string | null;
    readonly lastContactAt: string | null;
  };
  readonly clearinghouse: {
    readonly reached: boolean;
    readonly books?: { readonly after: Readonly<Record<string, number>> } | null;
  };
}

export interface Shown {
  readonly valid: boolean;
  readonly rootPinned: boolean;
  readonly holder: string | null;
  readonly claims: {
    readonly iss: string;
    readonly unit: number | null;
    readonly origin: string | null;
    readonly sub: string;
    readonly kind: string;
  };
  readonly proof: { readonly publisher: string; readonly agreement: string; readonly units: number } | null;
}
