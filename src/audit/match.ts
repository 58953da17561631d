/**
 * What each side says, held against the other (protocol §1.3, I3): no server has more than it was granted,
 * and whatever the clearinghouse has taken back was given up. Expects license servers to be exported before
 * their clearinghouse; what one of them did after the other was exported is not shown.
 */
import { sumClearinghouse, sumServer } from '../core/account.ts';
import { dayMs, isoTime, msOfIso } from '../core/time.ts';
import type { AgreementFacts, AuditMove } from './clearinghouse-facts.ts';
import { amountKey, amountKeyParts } from './clearinghouse-facts.ts';
import type { Findings } from './finding.ts';
import type { Release, ServerFacts } from './server-facts.ts';

/** Matches an agreement with the servers that are shown. */
export function matchAgreement(
  facts: AgreementFacts,
  servers: ReadonlyMap<string, ServerFacts>,
  findings: Findings,
): void {
  // Also those that the clearinghouse does not know, and that have installed something under its agreement.
  const strangers = [...servers.values()].filter(
    (server) => linesInstalled(server, facts.agreement).length > 0,
  );
  for (const id of new Set([...facts.servers, ...strangers.map(({ server }) => server)])) {
    const server = servers.get(id);
    if (server === undefined) {
      const text = `license server ${id} is not shown: what it has installed and given up is the clearinghouse's word`;
      findings.add('not-shown', 'server-not-shown', { where: facts.where, text });
      continue;
    }
    if (server.madeAtMs > facts.madeAtMs + dayMs) {
      const text = `it was exported after the clearinghouse, on ${isoTime(server.madeAtMs)}: nothing there tells of what it did since`;
      findings.add('not-shown', 'exported-later', { where: server.where, text });
    }
    for (const line of new Set([...facts.lines.keys(), ...linesInstalled(server, facts.agreement)])) {
      matchGranted(facts, { server, line, findings });
      matchCredited(facts, { server, line, findings });
      matchBalance(facts, { server, line, findings });
    }
    matchChains(facts, { server, findings });
    matchReleases(facts, { server, findings });
    matchRelinquished(facts, { server, findings });
    matchInstalledMoves(facts, { server, findings });
  }
}

/** The lines of an agreement of which a server has ever installed something: granted, one should think. */
function linesInstalled(server: ServerFacts, agreement: string): readonly number[] {
  return [...server.cameIn.keys()]
    .map(amountKeyParts)
    .filter((key) => key.owner === agreement)
    .map(({ line }) => line);
}

interface OnLine {
  readonly server: ServerFacts;
  readonly line: number;
  readonly findings: Findings;
}

const nothing = { amount: 0, lastAt: 0 };

/** Whatever a server has ever installed was granted to it, or came with a move. */
function matchGranted(facts: AgreementFacts, { server, line, findings }: OnLine): void {
  const came = server.cameIn.get(amountKey(facts.agreement, line)) ?? nothing;
  const granted = facts.granted.get(amountKey(server.server, line))?.amount ?? 0;
  const moved = [...facts.moves.values()]
    .filter((move) => move.target === server.server && move.line === line)
    .reduce((sum, move) => sum + move.granted, 0);
  if (came.amount <= granted + moved) return;
  const text =
    `line ${facts.agreement}/${line}: it has installed ${came.amount} units in all; ` +
    `${granted} were granted to it and ${moved} came with moves`;
  const later = came.lastAt > facts.madeAtMs;
  const told = later ? `${text}. The last came after the clearinghouse was exported` : text;
  findings.add(later ? 'not-shown' : 'break', 'installed-not-granted', { where: server.where, text: told });
}

/** Whatever the clearinghouse has taken back from a server was given up there first. */
function matchCredited(facts: AgreementFacts, { server, line, findings }: OnLine): void {
  const credited = facts.credited.get(amountKey(server.server, line)) ?? nothing;
  const released = [...facts.moves.values()].filter(
    (move) => move.source === server.server && move.line === line && move.releasedAt !== undefined,
  );
  const moved = released.reduce((sum, { taken }) => sum + taken, 0);
  const gave = server.gaveUp.get(amountKey(facts.agreement, line))?.amount ?? 0;
  if (credited.amount + moved <= gave) return;
  const lastAt = Math.max(credited.lastAt, ...released.map(({ releasedAt }) => releasedAt ?? 0));
  const text =
    `line ${facts.agreement}/${line}: the clearinghouse has taken ${credited.amount + moved} units back, ` +
    `and it has given up ${gave}`;
  notBefore(server, { lastAt, code: 'credited-not-given-up', text, findings });
}

/** A break, unless it came after the server was exported: then the bundle cannot show it. */
function notBefore(
  server: ServerFacts,
  of: { readonly lastAt: number; readonly code: string; readonly text: string; readonly findings: Findings },
): void {
  const later = of.lastAt > server.madeAtMs;
  const told = later ? `${of.text}. That was after it was exported` : of.text;
  of.findings.add(later ? 'not-shown' : 'break', of.code, { where: server.where, text: told });
}

/** I3: installed − held ≤ committed + what unfinished moves bring + what waits for its horizon. */
function matchBalance(facts: AgreementFacts, { server, line, findings }: OnLine): void {
  const own = sumServer(server.books.balances).find(
    (each) => each.agreement === facts.agreement && each.line === line,
  );
  // A source that no longer functions has in its books what is another's; it can give out none of it.
  if (own === undefined || facts.fenced.has(server.server)) return;
  const there = sumClearinghouse(facts.books.balances).find((each) => each.line === line);
  const committed = (there?.servers ?? [])
    .filter(({ licenseServerId }) => licenseServerId === server.server)
    .reduce((sum, { amount }) => sum + amount, 0);
  const prefix = `${facts.agreement}/${line}/in-transit/`;
  const quarantine = `${facts.agreement}/${line}/quarantined/`;
  const coming = [...facts.moves.values()]
    .filter((move) => move.target === server.server && move.line === line)
    .reduce((sum, move) => sum + (facts.books.balances.get(prefix + move.id) ?? 0), 0);
  const waiting = [...facts.moves.values()]
    .filter((move) => move.source === server.server && move.line === line)
    .reduce((sum, move) => sum + (facts.books.balances.get(quarantine + move.id) ?? 0), 0);
  const usable = own.installed - own.held;
  if (usable <= committed + coming + waiting) return;
  const text =
    `line ${facts.agreement}/${line}: ${usable} units are installed and not frozen there; the clearinghouse ` +
    `has ${committed} committed to it and ${coming} under way`;
  const came = server.cameIn.get(amountKey(facts.agreement, line)) ?? nothing;
  const later = came.lastAt > facts.madeAtMs || lastActAt(facts, server, line) > server.madeAtMs;
  const told = later ? `${text}. One of the two was exported before the last of it happened` : text;
  findings.add(later ? 'not-shown' : 'break', 'more-than-committed', { where: server.where, text: told });
}

/** When the clearinghouse last heard that this server gave something up. */
function lastActAt(facts: AgreementFacts, server: ServerFacts, line: number): number {
  const credited = facts.credited.get(amountKey(server.server, line))?.lastAt ?? 0;
  const released = [...facts.moves.values()].filter((move) => move.source === server.server);
  return Math.max(credited, ...released.map(({ releasedAt }) => releasedAt ?? 0));
}

/** Each installation names a position of a chain that the clearinghouse has granted that far. */
function matchChains(
  facts: AgreementFacts,
  { server, findings }: { readonly server: ServerFacts; readonly findings: Findings },
): void {
  const highest = new Map<string, number>();
  for (const grant of facts.grants) {
    if (grant.server !== server.server) continue;
    const key = `${grant.aid} ${grant.line} ${grant.chain}`;
    const before = highest.get(key) ?? 0;
    if (grant.kBefore !== before) {
      const text = `a grant of chain ${key} goes on from ${grant.kBefore}, and ${before} was granted before`;
      findings.add('break', 'grant-gap', { where: facts.where, text });
    }
    highest.set(key, grant.k);
  }
  for (const { agreement, aid, line, chain, k, at } of server.installations) {
    if (
      agreement !== facts.agreement ||
      chain === 'open' ||
      k <= (highest.get(`${aid} ${line} ${chain}`) ?? 0)
    ) {
      continue;
    }
    const text = `position ${k} of its ${chain} chain of line ${agreement}/${line} is installed, and was not granted`;
    const level = at > facts.madeAtMs ? 'not-shown' : 'break';
    findings.add(level, 'position-not-granted', { where: server.where, text });
  }
}

/** Each move that the clearinghouse closed on its source's word is released in the journal of the source. */
function matchReleases(
  facts: AgreementFacts,
  { server, findings }: { readonly server: ServerFacts; readonly findings: Findings },
): void {
  const left = new Set(server.releases.filter(({ agreement }) => agreement === facts.agreement));
  const closed = [...facts.moves.values()].filter(
    (move) => move.source === server.server && move.releasedAt !== undefined,
  );
  // By id first: a move by telephone has another id on its source, and is found by line and amounts.
  const unmatched = closed.filter((move) => !take(left, (release) => release.move === move.id));
  for (const move of unmatched) {
    if (take(left, (release) => sameAmounts(release, move))) continue;
    const text = `move ${move.id} of ${move.unissued} + ${move.held} units is closed on its receipt, and its journal has no release`;
    notBefore(server, { lastAt: move.releasedAt ?? 0, code: 'release-missing', text, findings });
  }
}

function sameAmounts(release: Release, move: AuditMove): boolean {
  return release.line === move.line && release.unissued === move.unissued && release.held === move.held;
}

function take(from: Set<Release>, fits: (release: Release) => boolean): boolean {
  const found = [...from].find(fits);
  if (found !== undefined) from.delete(found);
  return found !== undefined;
}

/** Each move that was undone after its grant was given back in the journal of its target. */
function matchRelinquished(
  facts: AgreementFacts,
  { server, findings }: { readonly server: ServerFacts; readonly findings: Findings },
): void {
  for (const { id, target, relinquishedAt } of facts.moves.values()) {
    const known = target !== server.server || server.relinquished.has(id);
    if (relinquishedAt === undefined || known) continue;
    const text = `move ${id} was undone on its receipt, and its journal has given nothing back`;
    notBefore(server, { lastAt: relinquishedAt, code: 'relinquish-missing', text, findings });
  }
}

/** A server that installed a move by message is the target that the clearinghouse knows. */
function matchInstalledMoves(
  facts: AgreementFacts,
  { server, findings }: { readonly server: ServerFacts; readonly findings: Findings },
): void {
  for (const id of server.installedMoves) {
    const move = facts.moves.get(id);
    if (move === undefined || move.target === server.server) continue;
    const text = `it has installed move ${id}, which goes to ${move.target}`;
    findings.add('break', 'move-of-another', { where: server.where, text });
  }
}

/** States in which nothing more is awaited. */
const over = new Set(['closed', 'aborted']);

/** What a reader wants to know of sound books: moves under way, units at risk, temporary licenses, horizons. */
export function noteAgreement(facts: AgreementFacts, findings: Findings): void {
  const { where } = facts;
  for (const move of facts.moves.values()) {
    if (over.has(move.state)) continue;
    const waiting = facts.books.balances.get(`${facts.agreement}/${move.line}/quarantined/${move.id}`) ?? 0;
    const units = move.state === 'dead-wait' ? waiting : move.unissued + move.held;
    const what = `${units} units of line ${move.line}, ${move.source} to ${move.target}`;
    const since = isoTime(move.startedAt);
    const receipt = move.state === 'committed' ? ', without the release receipt of its source' : '';
    findings.add('note', 'move-open', {
      where,
      text: `move ${move.id} is ${move.state}${receipt}: ${what}, begun ${since}`,
    });
  }
  for (const [account, amount] of facts.books.balances) {
    if (amount === 0 || account.split('/')[2] !== 'quarantined') continue;
    findings.add('note', 'units-at-risk', { where, text: `${amount} units are quarantined: ${account}` });
  }
  noteDeadSources(facts, findings);
  for (const [server, e] of facts.horizons) {
    if (e < perpetual) continue;
    findings.add('note', 'horizon-perpetual', {
      where,
      text: `the horizon of ${server} is the end of its chain`,
    });
  }
}

/** Sources that no longer function: what is at risk of them, and which of them was heard of afterwards. */
function noteDeadSources(facts: AgreementFacts, findings: Findings): void {
  const { where } = facts;
  for (const [move, { units, from, until }] of facts.risks) {
    if ((msOfIso(until) ?? 0) < facts.madeAtMs) continue;
    const days = `from ${from.slice(0, 10)} until ${until.slice(0, 10)}`;
    const text = `${units} units of move ${move} may have two holders ${days}, should its source live`;
    findings.add('note', 'units-at-risk', { where, text });
  }
  for (const [server, times] of facts.spoke) {
    const text = `license server ${server} was declared to function no longer and has spoken ${times} times since`;
    findings.add('note', 'dead-source-alive', { where, text });
  }
}

/** The last position of the horizon chain: nothing bounds the server any more (protocol §3.4). */
const perpetual = 360;

/** Quarantined units and temporary licenses of a server. */
export function noteServer(facts: ServerFacts, findings: Findings): void {
  const { where } = facts;
  for (const [account, amount] of facts.books.balances) {
    if (amount === 0 || !account.endsWith('/quarantined')) continue;
    findings.add('note', 'units-at-risk', { where, text: `${amount} units are quarantined: ${account}` });
  }
  const alive = [...facts.temporaries.values()].filter((until) => until > facts.madeAtMs).length;
  if (alive === 0) return;
  const text = `${alive} temporary licenses were given out and have not ended; they spend no unit`;
  findings.add('note', 'temporary-licenses', { where, text });
}
