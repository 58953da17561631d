/**
 * Licenses that were collected from their holders. Two of one unit with different holders are proof, for
 * anybody, that a server has given out more than it has; and each one must be in its server's journal.
 */
import { isoTime, msOfIso } from '../core/time.ts';
import type { PermanentClaims } from '../protocol/cal-token.ts';
import { openCalToken, readCalFooter } from '../protocol/cal-token.ts';
import { publicKeyObject } from '../protocol/paseto.ts';
import type { Findings } from './finding.ts';
import { isLostHead } from './put-back.ts';
import type { ServerFacts } from './server-facts.ts';

export interface CollectedToken {
  /** Its line in the file, from 1. */
  readonly line: number;
  readonly token: string;
  readonly claims: PermanentClaims;
}

const where = 'tokens';

/** Opens the tokens whose server's key is shown. Temporary ones spend no unit and are passed over. */
export function readTokens(
  tokens: readonly string[],
  of: { readonly keys: ReadonlyMap<string, Uint8Array>; readonly findings: Findings },
): readonly CollectedToken[] {
  const { keys, findings } = of;
  const opened: CollectedToken[] = [];
  for (const [index, token] of tokens.entries()) {
    const line = index + 1;
    const server = readCalFooter(token)?.kid;
    const publicKey = server === undefined ? undefined : keys.get(server);
    const key = publicKey === undefined ? undefined : publicKeyObject(publicKey);
    if (server === undefined || key === undefined) {
      const text = `line ${line}: ${server === undefined ? 'it is no license' : `the key of ${server} is not shown`}`;
      findings.add('not-shown', 'token-unknown', { where, text });
      continue;
    }
    const result = openCalToken(token, key);
    if (!result.ok) {
      const text = `line ${line}: it is not signed by ${server}: forged, or altered on the way`;
      findings.add('not-shown', 'token-invalid', { where, text });
      continue;
    }
    const { claims } = result.value;
    if (claims.kind !== 'temp') opened.push({ line, token, claims });
  }
  return opened;
}

interface OfTokens {
  readonly servers: ReadonlyMap<string, ServerFacts>;
  /** By the name of the authority: one server may have several for the same agreement, one after another. */
  readonly agreements: ReadonlyMap<string, string>;
  readonly findings: Findings;
}

/** Matches tokens with each other and with the journals of their servers. */
export function matchTokens(tokens: readonly CollectedToken[], of: OfTokens): void {
  const byUnit = new Map<string, CollectedToken[]>();
  for (const token of tokens) {
    const { iss, aid, line, unit } = token.claims;
    matchJournal(token, of);
    const key = `${iss} ${of.agreements.get(aid) ?? aid} ${line} ${unit}`;
    const others = byUnit.get(key) ?? [];
    for (const other of others) compare(other, token, of);
    byUnit.set(key, [...others, token]);
  }
}

/** The journal of its server has given it, to whom it says and for as long. */
function matchJournal(
  { line: at, claims }: CollectedToken,
  { servers, agreements, findings }: OfTokens,
): void {
  const { iss, aid, line, unit, jti, iat, sub, exp } = claims;
  const facts = servers.get(iss);
  if (facts === undefined) return;
  const said = facts.journaled.byId.get(jti);
  if (said === undefined) {
    const [size] = claims.log;
    const givenMs = msOfIso(iat) ?? 0;
    if (isLostHead(facts.putBacks, { size, root: '', seenAtMs: givenMs })) {
      const text = `line ${at}: license ${jti} of unit ${unit} is of entries that were lost when an older database was put back`;
      findings.add('not-shown', 'token-lost', { where, text });
      return;
    }
    const later = givenMs > facts.madeAtMs;
    const text = `line ${at}: license ${jti} of unit ${unit} is not in the journal of ${iss}`;
    const told = later ? `${text}, which was exported before it was issued` : text;
    findings.add(later ? 'not-shown' : 'break', 'token-not-journaled', { where, text: told });
    return;
  }
  const same = said.sub === sub && said.unit === unit && said.line === line && said.until === msOfIso(exp);
  if (same && said.agreement === (agreements.get(aid) ?? said.agreement)) return;
  const text =
    `line ${at}: license ${jti} is of unit ${line}/${unit} for ${sub} until ${exp}; the journal of ${iss} has given ` +
    `unit ${said.line}/${said.unit} of ${said.agreement} to ${said.sub} until ${isoTime(said.until)} under that id`;
  findings.add('break', 'token-differs', { where, text });
}

function compare(one: CollectedToken, other: CollectedToken, of: OfTokens): void {
  const [a, b] = [one.claims, other.claims];
  if (a.sub === b.sub || a.exp <= b.iat || b.exp <= a.iat) return;
  if (givenBack(one, other, of.servers) || givenBack(other, one, of.servers)) return;
  const text =
    `unit ${a.unit} of line ${a.line} on ${a.iss} is with two holders at once, ${a.sub} and ${b.sub}. ` +
    `Proof: ${one.token} and ${other.token}`;
  of.findings.add('break', 'unit-collision', { where, text });
}

/** Whether a license was given back, so that its unit was free, before the other one was given. */
function givenBack(
  { claims: { iss, jti } }: CollectedToken,
  other: CollectedToken,
  servers: ReadonlyMap<string, ServerFacts>,
): boolean {
  const byId = servers.get(iss)?.journaled.byId;
  const returnedBy = byId?.get(jti)?.returnedBy;
  // What the journal does not know was given after all that it does know.
  const given = byId?.get(other.claims.jti)?.position ?? Number.POSITIVE_INFINITY;
  return returnedBy !== undefined && returnedBy < given;
}
