/**
 * The token of a license: who holds which unit until when, signed by this server (protocol §4.3). Tokens
 * are not stored. Ed25519 is deterministic (RFC 8032), so the row gives the same token at any time, and
 * rows are a third as long: the disk is written to for each, the signature is made beside it.
 */
import type { ServerAccounts } from '../../core/account.ts';
import { serverAccount } from '../../core/account.ts';
import { firstBytes, hex } from '../../core/bytes.ts';
import { isoTime } from '../../core/time.ts';
import type { CalClaims } from '../../protocol/cal-token.ts';
import { unsignedCalToken } from '../../protocol/cal-token.ts';
import type { LicenseRow, TemporaryRow, TokenMarks } from '../../store/license-rows.ts';
import type { LogHead } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import type { AuthorityFacts, ServerFacts } from './server-facts.ts';

/** The one journal of a license server. */
export const serverLog = 'server';

/** What a token signed now says of this server. */
export function marksOf(facts: ServerFacts, head: LogHead): TokenMarks {
  return { generation: facts.generation, logSize: head.size, logRoot: hex(firstBytes(head.root, 6)) };
}

/**
 * The token of a permanent license, whose row names the authority in force (`aid`). Where the clock has been set
 * back, it is as old as that authority: what seems older would be refused by whoever verifies it.
 */
export function permanentToken(
  context: ServerContext,
  of: { readonly line: LineRow; readonly authority: AuthorityFacts },
  license: Omit<LicenseRow, 'id' | 'state' | 'move'>,
): Promise<string> {
  const { line, authority } = of;
  return signedOnce(context, { jti: license.jti, bundle: authority.bundleHash }, () => {
    const { notBeforeMs } = authority.authority;
    const { renewedAt, expiresAt } = license;
    const from = isoTime(notBeforeMs < expiresAt ? Math.max(renewedAt, notBeforeMs) : renewedAt);
    return {
      t: 'cal',
      v: 1,
      iss: context.licenseServerId,
      gen: license.generation,
      aid: authority.row.aid,
      line: line.line,
      prod: line.product,
      kind: line.type,
      unit: license.unit,
      origin: license.origin,
      ...(license.late === 1 ? { late: true } : {}),
      jti: license.jti,
      sub: license.sub,
      iat: from,
      nbf: from,
      exp: isoTime(license.expiresAt),
      lvl: authority.row.basis,
      log: [license.logSize, license.logRoot],
    };
  });
}

/** The token of a temporary license: no unit, and no authority where the server has none. */
export function temporaryToken(
  context: ServerContext,
  facts: ServerFacts,
  row: Omit<TemporaryRow, 'id' | 'validatedAt'>,
): Promise<string> {
  return signedOnce(context, { jti: row.jti, bundle: facts.bare.bundleHash }, () => {
    const from = isoTime(row.issuedAt);
    return {
      t: 'cal',
      v: 1,
      iss: context.licenseServerId,
      gen: row.generation,
      aid: null,
      line: null,
      prod: row.product,
      kind: 'temp',
      unit: null,
      origin: null,
      jti: row.jti,
      sub: row.sub,
      iat: from,
      nbf: from,
      exp: isoTime(row.expiresAt),
      lvl: 'none',
      log: [row.logSize, row.logRoot],
    };
  });
}

/** Tokens in one generation of the cache: at most twice as many are kept, about 30 MB. */
const mostFresh = 12_288;

/**
 * Signed tokens by jti, so that a device that asks every day costs one signature in weeks. The footer of
 * one that is found here names the bundle in force when it was signed; what verifies it is the latest.
 */
export interface TokenCache {
  fresh: Map<string, Promise<string>>;
  /** What was fresh before: forgotten as a whole, but for what was asked for meanwhile. */
  older: Map<string, Promise<string>>;
}

/** The token from memory, or signed now. The signature may be under way when the caller goes on. */
function signedOnce(
  context: ServerContext,
  { jti, bundle }: { readonly jti: string; readonly bundle: string },
  claims: () => CalClaims,
): Promise<string> {
  const { tokens } = context.cache;
  const known = tokens.fresh.get(jti);
  if (known !== undefined) return known;
  const token =
    tokens.older.get(jti) ??
    context.signer.sign(unsignedCalToken(claims(), { kid: context.licenseServerId, bundle }));
  if (tokens.fresh.size >= mostFresh) {
    tokens.older = tokens.fresh;
    tokens.fresh = new Map();
  }
  tokens.fresh.set(jti, token);
  return token;
}

/** Names that were built before, by the line in the facts: a request asks for them three times. */
const accountNames = new WeakMap<object, ServerAccounts>();

/** The accounts of a line on this server. */
export function accountsOf(line: Pick<LineRow, 'agreement' | 'line'>): ServerAccounts {
  let accounts = accountNames.get(line);
  if (accounts === undefined) {
    accounts = serverAccount(line.agreement, line.line);
    accountNames.set(line, accounts);
  }
  return accounts;
}
