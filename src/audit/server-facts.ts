/**
 * What the journal of a license server says beside its balances: what it installed under which proof, what
 * it gave up, and who holds which unit.
 */
import type { AuditBooks } from './books.ts';
import { emptyBooks, foreignAccount, replayPostings } from './books.ts';
import type { ServerAmounts } from './clearinghouse-facts.ts';
import { addAmount, amountKey } from './clearinghouse-facts.ts';
import type { AuditEntry } from './entry.ts';
import { numberIn, textIn } from './entry.ts';
import type { Findings } from './finding.ts';

/** Units that came in under a chain of an authority. */
export interface Installation {
  readonly agreement: string;
  readonly line: number;
  readonly aid: string;
  readonly chain: string;
  readonly k: number;
  readonly at: number;
}

export interface Release {
  readonly agreement: string;
  readonly line: number;
  readonly move: string;
  readonly unissued: number;
  readonly held: number;
}

export interface ServerFacts {
  readonly server: string;
  readonly madeAtMs: number;
  readonly where: string;
  readonly size: number;
  readonly books: AuditBooks;
  readonly installations: Installation[];
  readonly releases: Release[];
  /** Moves that it installed as their target. */
  readonly installedMoves: Set<string>;
  /** Moves that it gave back as their target. */
  readonly relinquished: Set<string>;
  /** By agreement and line, with when it came in last. */
  readonly cameIn: ServerAmounts;
  readonly gaveUp: ServerAmounts;
  /** By agreement, line and unit: who has it now. */
  readonly holders: Map<string, string>;
  /** Ends of temporary licenses, by product and pseudonym. */
  readonly temporaries: Map<string, number>;
  /** Ids of licenses that an auditor was shown and that the journal must know. */
  readonly wanted: ReadonlySet<string>;
  readonly known: Set<string>;
  /** Units that were given back early: agreement, line, unit and pseudonym. */
  readonly returned: Set<string>;
}

export function emptyServer(
  of: Pick<ServerFacts, 'server' | 'madeAtMs' | 'where' | 'size' | 'wanted'>,
): ServerFacts {
  return {
    ...of,
    books: emptyBooks(),
    installations: [],
    releases: [],
    installedMoves: new Set(),
    relinquished: new Set(),
    cameIn: new Map(),
    gaveUp: new Map(),
    holders: new Map(),
    temporaries: new Map(),
    known: new Set(),
    returned: new Set(),
  };
}

const accountNames = new Set(['installed', 'unissued', 'issued', 'held', 'reserved', 'quarantined']);

/** Replays one entry of a license server's journal. */
export function replayServer(
  facts: ServerFacts,
  entry: AuditEntry,
  on: { readonly position: number; readonly findings: Findings },
): void {
  const { where } = facts;
  const said = `entry ${on.position} (${entry.kind})`;
  const foreign = foreignAccount(facts.books, entry.postings, { names: accountNames });
  if (foreign !== undefined) {
    const text = `${said} posts to ${foreign}, which is no account of a license server`;
    on.findings.add('break', 'account-unknown', { where, text });
    return;
  }
  const moved = replayPostings(facts.books, entry.postings);
  if (typeof moved === 'string') {
    on.findings.add('break', 'not-conserved', { where, text: `${said}: ${moved}` });
    return;
  }
  for (const { from, to, amount } of moved) {
    const [agreement = '', line = '', fromName = ''] = from.split('/');
    const key = amountKey(agreement, Number(line));
    if (fromName === 'installed') addAmount(facts.cameIn, key, { amount, at: entry.at });
    if (to.endsWith('/installed')) addAmount(facts.gaveUp, key, { amount, at: entry.at });
  }
  if (facts.wanted.has(entry.id)) facts.known.add(entry.id);
  const holding = noteHolder(facts, entry);
  if (holding !== undefined) on.findings.add('break', 'unit-twice', { where, text: `${said}: ${holding}` });
  noteWords(facts, entry);
}

function unitKey(body: AuditEntry['body'], unit: unknown): string {
  return `${textIn(body, 'agreement')}/${numberIn(body, 'line')}/${String(unit)}`;
}

/** Who holds which unit; in words what cannot be: a unit that is given to a second holder. */
function noteHolder(facts: ServerFacts, { kind, body }: AuditEntry): string | undefined {
  const sub = textIn(body, 'sub');
  const key = unitKey(body, body['unit']);
  if (kind === 'issued' || kind === 'taken-over' || kind === 'renewed') {
    const holder = facts.holders.get(key);
    facts.holders.set(key, sub);
    if (holder !== undefined && holder !== sub) return `unit ${key} goes to ${sub} and is held by ${holder}`;
    const brought =
      facts.cameIn.get(amountKey(textIn(body, 'agreement'), numberIn(body, 'line')))?.amount ?? 0;
    if (numberIn(body, 'unit') > brought) return `unit ${key} is given out, and ${brought} ever came in`;
  }
  if (kind === 'returned' && body['waits'] === false) {
    facts.holders.delete(key);
    facts.returned.add(`${key} ${sub}`);
  }
  const units = body['units'];
  if (kind === 'expired' && Array.isArray(units)) {
    for (const unit of units) facts.holders.delete(unitKey(body, unit));
  }
  return undefined;
}

function noteWords(facts: ServerFacts, { kind, body, at }: AuditEntry): void {
  const [agreement, line, aid] = [textIn(body, 'agreement'), numberIn(body, 'line'), textIn(body, 'aid')];
  if (kind === 'installed' && 'k' in body) {
    facts.installations.push({
      agreement,
      line,
      aid,
      chain: textIn(body, 'chain'),
      k: numberIn(body, 'k'),
      at,
    });
  }
  const move = textIn(body, 'move');
  if (kind === 'move-installed') {
    facts.installedMoves.add(move);
    for (const [chain, name] of [
      ['free', 'freeK'],
      ['held', 'heldK'],
    ] as const) {
      if (aid !== '') facts.installations.push({ agreement, line, aid, chain, k: numberIn(body, name), at });
    }
  }
  if (kind === 'relinquished') facts.relinquished.add(move);
  if (kind === 'released') {
    const amounts = { unissued: numberIn(body, 'unissued'), held: numberIn(body, 'held') };
    facts.releases.push({ agreement, line, move, ...amounts });
  }
  if (['temporary', 'gap-license', 'gap-license-renewed'].includes(kind)) {
    facts.temporaries.set(`${textIn(body, 'product')} ${textIn(body, 'sub')}`, numberIn(body, 'until'));
  }
}
