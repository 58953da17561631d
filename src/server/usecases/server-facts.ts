/**
 * What the license path needs to know of the server beyond the holder: lines, standing of each
 * agreement, salts and the bundle that verifies its tokens. Loaded once and kept until it changes.
 */
import { base64url, bytesOfBase64url } from '../../core/bytes.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import type { Standing } from '../../core/standing.ts';
import { standing } from '../../core/standing.ts';
import { isoTime } from '../../core/time.ts';
import type { Authority } from '../../protocol/authority.ts';
import { authorityOf } from '../../protocol/authority.ts';
import type { LicenseBundle } from '../../protocol/license-bundle.ts';
import { bundleHash } from '../../protocol/license-bundle.ts';
import { hasDead } from '../../store/gap-rows.ts';
import { listRevoked } from '../../store/license-rows.ts';
import { readMeta } from '../../store/meta-rows.ts';

import type { ReadTx, WriteTx } from '../../store/port.ts';
import { hasRestored } from '../../store/predecessor-rows.ts';
import { hasReservations } from '../../store/reserve-rows.ts';
import type { AuthorityRow, LineRow } from '../../store/server-authority-rows.ts';
import { listAuthorities, listLines } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { readGeneration } from '../generation.ts';
import type { AtRisk } from './at-once.ts';
import { readAtRisk } from './at-once.ts';
import type { Past } from './past.ts';
import { readPast } from './past.ts';
import { setAsideInDoubt } from './quarantine.ts';
import { noteTime } from './seen-time.ts';

export interface AuthorityFacts {
  readonly row: AuthorityRow;
  readonly authority: Authority;
  readonly salt: Uint8Array;
  /** The bundle as JSON text, ready to stand in an answer, and its hash for the token's footer. */
  readonly bundleText: string;
  readonly bundleHash: string;
  /** Units of the agreement that may have a second holder; null: there are none, and there were none. */
  readonly atRisk: AtRisk | null;
}

export interface ServerFacts {
  readonly activation: 'not-activated' | 'activated' | 'deactivated';
  readonly generation: number;
  readonly lines: readonly LineRow[];
  /** Whether any CAL ever came here for a named holder: where none did, nobody looks for one. */
  readonly reservations: boolean;
  /** Whether another server is known to be dead here, likewise. */
  readonly deadSources: boolean;
  /** What it knows of its own past; null: nothing is wrong with it. */
  readonly past: Past | null;
  /** Whether the server before this one had holders under an agreement that this one is not activated for. */
  readonly restored: boolean;
  /** By agreement number. */
  readonly authorities: ReadonlyMap<string, AuthorityFacts>;
  /** For temporary licenses of a server without any agreement. */
  readonly bare: { readonly salt: Uint8Array; readonly bundleText: string; readonly bundleHash: string };
}

/**
 * The facts, from memory where nothing has changed. Called within `write` alone: a reader could put
 * facts into the cache that the command under way is just changing.
 */
export async function serverFacts(context: ServerContext, tx: WriteTx): Promise<ServerFacts> {
  const facts = context.cache.facts ?? (await readFacts(context, tx));
  context.cache.facts = facts;
  return facts;
}

/**
 * A write that may change lines, authorities, horizon or the revoked list: the facts are forgotten
 * whatever comes of it.
 */
export async function administer<T>(
  context: ServerContext,
  work: (tx: WriteTx) => Promise<Result<T, Refusal>>,
): Promise<Result<T, Refusal>> {
  return context.store.write(async (tx) => {
    try {
      const done = await work(tx);
      if (!done.ok) return done;
      await setAsideInDoubt(context, tx);
      await noteTime(context, tx, context.clock.nowMs());
      return done;
    } finally {
      context.cache.facts = null;
    }
  });
}

/** The facts as the database has them, for those who only show them. */
export async function readFacts(context: ServerContext, tx: ReadTx): Promise<ServerFacts> {
  const rows = await listAuthorities(tx);
  const lines = await listLines(tx);
  const trustList = (await readMeta(tx, 'trustList')) ?? '';
  const atRisk = await readAtRisk(tx);
  const authorities = new Map<string, AuthorityFacts>();
  for (const row of rows) {
    const authority = authorityOf(context.digest, row);
    const own = lines.filter((line) => line.agreement === row.agreement);
    const ids = own.map((line) => line.id);
    const revoked = await listRevoked(tx, ids, context.clock.nowMs());
    const bundle: LicenseBundle = {
      trustList: row.trustList,
      authority:
        row.basis === 'slot' ? { kit: row.document, slot: row.slot ?? 0 } : { certificate: row.document },
      serverKey: base64url(context.key.publicKey),
      reveals: {
        horizon: row.horizonE === 0 ? null : { e: row.horizonE, value: row.horizonValue },
        lines: own.map((line) => ({
          line: line.line,
          free: { k: line.freeK, value: line.freeValue },
          held: { k: line.heldK, value: line.heldValue },
        })),
      },
      revoked: revoked.map(({ jti, expiresAt }) => ({ jti, exp: isoTime(expiresAt) })),
    };
    authorities.set(row.agreement, {
      row,
      authority,
      salt: authority.salt,
      bundleText: JSON.stringify(bundle),
      bundleHash: bundleHash(context.digest, bundle),
      atRisk: atRisk.get(row.agreement) ?? null,
    });
  }
  const bare: LicenseBundle = {
    trustList,
    authority: null,
    serverKey: base64url(context.key.publicKey),
    reveals: { horizon: null, lines: [] },
    revoked: [],
  };
  return {
    activation: activationOf(rows),
    generation: await readGeneration(tx),
    lines,
    reservations: await hasReservations(tx),
    past: await readPast(tx),
    deadSources: await hasDead(tx),
    restored: await hasRestored(tx),
    authorities,
    bare: {
      salt: bytesOfBase64url((await readMeta(tx, 'salt')) ?? '') ?? new Uint8Array(16),
      bundleText: JSON.stringify(bare),
      bundleHash: bundleHash(context.digest, bare),
    },
  };
}

/** Activated under any agreement; deactivated where all there were have been closed. */
export function activationOf(rows: readonly AuthorityRow[]): ServerFacts['activation'] {
  if (rows.some((row) => row.state === 'active')) return 'activated';
  return rows.length > 0 ? 'deactivated' : 'not-activated';
}

/** How far the authority over a line reaches now. */
export function standingOf(facts: AuthorityFacts, nowMs: number): Standing {
  return standing({
    baseMonth: facts.authority.baseMonth,
    e: facts.row.horizonE,
    sunsetMonths: facts.authority.sunsetMonths,
    nowMs,
    risk: facts.atRisk,
  });
}

/**
 * Whether a license given, renewed or only signed again now is late: a verifier wants to be told, and what is renewed
 * past the horizon is at risk (protocol §2.1).
 */
export function isPastHorizon(facts: AuthorityFacts, nowMs: number): boolean {
  return standingOf(facts, nowMs).may !== 'assign';
}
