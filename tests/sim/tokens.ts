/**
 * Every license token that was ever handed out in a run, as a person who collected them all would see it:
 * whose they are, how long they live, and what two of them prove together (protocol §1.3, I5; §4.4).
 */
import { readPayload } from '../../src/protocol/paseto.ts';

/** A promise does not hold; `checker` names the one who noticed. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly checker: string;
  constructor(checker: string, message: string) {
    super(`${checker}: ${message}`);
    this.checker = checker;
  }
}

export interface HeldToken {
  readonly holder: string;
  /** `device` or `user`: with one agreement and product, a line. */
  readonly line: string;
  readonly issuer: string;
  readonly unit: number;
  readonly origin: string;
  readonly sub: string;
  readonly jti: string;
  readonly token: string;
  readonly bundle: unknown;
  /** By the clock of its server. */
  readonly issuedMs: number;
  readonly endsMs: number;
  /** Renewed past the horizon of its server. */
  readonly late: boolean;
  /** Given back by its holder: on the list of revoked tokens. */
  returned: boolean;
  /** Of a license that its holder has given back: whoever verifies it still takes it, and its server owes nothing for it. */
  resigned: boolean;
}

interface Claims {
  readonly kind: string;
  readonly iss: string;
  readonly unit: number;
  readonly origin: string;
  readonly sub: string;
  readonly jti: string;
  readonly iat: string;
  readonly exp: string;
  readonly late?: boolean;
}

interface Place {
  readonly places: Map<string, HeldToken[]>;
  readonly what: 'unit' | 'origin';
  readonly name: string;
}

/** Living licenses of one origin that name different holders. */
export interface Shared {
  readonly name: string;
  readonly held: HeldToken;
  readonly other: HeldToken;
}

export class TokenBook {
  readonly #byHolder = new Map<string, HeldToken[]>();
  readonly #byUnit = new Map<string, HeldToken[]>();
  readonly #byOrigin = new Map<string, HeldToken[]>();
  readonly #lines = new Map<string, HeldToken[]>();
  /**
   * Origins that somebody took along to another server before any unit went there (protocol §2.4, early
   * take-over): a unit of that server stands behind them, and the first one is free for others.
   */
  readonly #early = new Set<string>();
  readonly #revoked = new Set<string>();
  #shared: Shared[] = [];

  /**
   * Takes a permanent license in. Fails where it and another living one are of one unit, and name different
   * holders; those of one origin `takeShared` tells. `nowMs` is the latest time that any clock has shown.
   */
  take(given: { holder: string; token: string; bundle: unknown; early: boolean }, nowMs: number): HeldToken {
    const claims = readPayload(given.token) as unknown as Claims;
    const { kind: line, iss: issuer, unit, origin, sub, jti, iat, exp, late = false } = claims;
    const held: HeldToken = {
      ...{
        holder: given.holder,
        token: given.token,
        bundle: given.bundle,
        line,
        issuer,
        unit,
        origin,
        sub,
        jti,
      },
      // Where its clock was put back behind the return, a server hands out once more what is on its list.
      ...{ issuedMs: Date.parse(iat), endsMs: Date.parse(exp), late, resigned: false },
      returned: this.#revoked.has(jti),
    };
    if (isAlive(held, nowMs)) this.#compare(held, { early: given.early, nowMs });
    const known = this.#byHolder.get(given.holder) ?? [];
    this.#byHolder.set(given.holder, [...known.filter((each) => each.jti !== jti), held].slice(-8));
    const all = (this.#lines.get(line) ?? []).filter((each) => isAlive(each, nowMs) && each.jti !== jti);
    this.#lines.set(line, [...all, held]);
    return held;
  }

  /** One that has ended when it is given, by a server whose clock is far behind, is nobody's. */
  #compare(held: HeldToken, { early, nowMs }: { readonly early: boolean; readonly nowMs: number }): void {
    const { line, issuer, unit, origin } = held;
    this.#among({ places: this.#byUnit, what: 'unit', name: `${issuer}/${line}/${unit}` }, held, nowMs);
    if (early) this.#early.add(`${line}/${origin}`);
    else this.#among({ places: this.#byOrigin, what: 'origin', name: `${line}/${origin}` }, held, nowMs);
  }

  #among(at: Place, held: HeldToken, nowMs: number): void {
    const alive = (at.places.get(at.name) ?? []).filter((each) => isAlive(each, nowMs));
    const other = alive.find((each) => each.sub !== held.sub);
    if (other !== undefined && !this.#early.has(at.name)) {
      const shared = { name: at.name, held, other };
      if (at.what === 'unit') throw twoHolders(at.what, shared);
      this.#shared.push(shared);
    }
    at.places.set(at.name, [...alive.filter((each) => each.jti !== held.jti), held]);
  }

  /** Origins that two holders have had at once since this was asked last. */
  takeShared(): readonly Shared[] {
    const shared = this.#shared;
    this.#shared = [];
    return shared;
  }

  /** What a holder still has, the newest last. */
  of(holder: string, line: string): readonly HeldToken[] {
    return (this.#byHolder.get(holder) ?? []).filter((each) => each.line === line && !each.returned);
  }

  /** A holder has given its license back to a server: those from before a renewal or a move are on no list. */
  resign(holder: string, of: { readonly line: string; readonly issuer: string }): void {
    const all = this.of(holder, of.line);
    const given = new Set(all.filter(({ issuer }) => issuer === of.issuer).map(({ origin }) => origin));
    for (const each of all) if (given.has(each.origin)) each.resigned = true;
  }

  /** Tokens that a server has on its list: everybody who verifies one refuses it. */
  revoke(jtis: ReadonlySet<string>): void {
    for (const jti of jtis) this.#revoked.add(jti);
    for (const each of [...this.#byHolder.values()].flat()) {
      if (jtis.has(each.jti)) each.returned = true;
    }
  }

  /**
   * Holders of a line who have a living license of these servers, and none of anybody but `among`; and those of them
   * whose license of these servers is late. What a move has taken from its issuer (`moved`) is none of that one.
   */
  servedOnlyBy(
    issuers: ReadonlySet<string>,
    of: {
      readonly line: string;
      readonly nowMs: number;
      readonly among: ReadonlySet<string>;
      readonly moved: ReadonlySet<string>;
    },
  ): { readonly all: readonly string[]; readonly late: readonly string[] } {
    const alive = (this.#lines.get(of.line) ?? []).filter(
      (each) =>
        isAlive(each, of.nowMs) && (of.among.has(each.issuer) || !of.moved.has(`${each.issuer} ${each.sub}`)),
    );
    const theirsOf = (theirs: readonly HeldToken[]) => theirs.filter(({ issuer }) => issuers.has(issuer));
    const served = [...Map.groupBy(alive, ({ sub }) => sub)].filter(
      ([, theirs]) => theirs.every(({ issuer }) => of.among.has(issuer)) && theirsOf(theirs).length > 0,
    );
    const late = served.filter(([, theirs]) => theirsOf(theirs).some((each) => each.late));
    return { all: served.map(([sub]) => sub), late: late.map(([sub]) => sub) };
  }

  /** Who has a living permanent license of a line, by pseudonym. */
  holders(line: string, nowMs: number): ReadonlySet<string> {
    const alive = (this.#lines.get(line) ?? []).filter((each) => isAlive(each, nowMs));
    return new Set(alive.map((each) => each.sub));
  }
}

export function twoHolders(what: 'unit' | 'origin', { name, held, other }: Shared): Violation {
  const until = new Date(other.endsMs).toISOString();
  const whose = `${held.holder} has ${name}, and ${other.holder} has it until ${until}`;
  return new Violation(`one holder per ${what}`, whose);
}

const isAlive = (held: HeldToken, nowMs: number): boolean => !held.returned && held.endsMs > nowMs;
