/**
 * What the journal of a license server says beside its balances: what it installed under which proof, what
 * it gave up, and which licenses it gave to whom.
 */
import type { AuditBooks } from './books.ts';
import { emptyBooks, foreignAccount, replayPostings } from './books.ts';
import type { ServerAmounts } from './clearinghouse-facts.ts';
import { addAmount, amountKey } from './clearinghouse-facts.ts';
import type { AuditEntry } from './entry.ts';
import { numberIn, textIn } from './entry.ts';
import type { Findings } from './finding.ts';
import type { HolderBooks } from './holders.ts';
import { replayHolders, withoutUnit } from './holders.ts';
import type { JournaledLicenses } from './journaled.ts';
import { emptyJournaled, noteJournaled } from './journaled.ts';
import type { PutBack } from './put-back.ts';
import { putBackOf } from './put-back.ts';

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
  /** Older databases that it was put back to. */
  readonly putBacks: PutBack[];
  readonly holders: HolderBooks;
  /** Ends of temporary licenses, by product and pseudonym. */
  readonly temporaries: Map<string, number>;
  readonly journaled: JournaledLicenses;
}

export function emptyServer({
  types,
  wanted,
  ...of
}: Pick<ServerFacts, 'server' | 'madeAtMs' | 'where' | 'size'> &
  Pick<HolderBooks, 'types'> &
  Pick<JournaledLicenses, 'wanted'>): ServerFacts {
  return {
    ...of,
    books: emptyBooks(),
    installations: [],
    releases: [],
    installedMoves: new Set(),
    relinquished: new Set(),
    cameIn: new Map(),
    gaveUp: new Map(),
    putBacks: [],
    holders: { server: of.server, types, lines: new Map(), latestMs: 0 },
    temporaries: new Map(),
    journaled: emptyJournaled(wanted),
  };
}

/** The two entries by which units come in. */
const installing = new Set(['installed', 'move-installed']);

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
    if (fromName === 'installed') {
      addAmount(facts.cameIn, key, { amount, at: entry.at });
      if (!installing.has(entry.kind)) {
        const text = `${said} brings ${amount} units in, which only an installation does`;
        on.findings.add('break', 'installed-by-other', { where, text });
      }
    }
    if (to.endsWith('/installed')) addAmount(facts.gaveUp, key, { amount, at: entry.at });
  }
  noteJournaled(facts.journaled, entry, on.position);
  const cameIn = (agreement: string, line: number): number =>
    facts.cameIn.get(amountKey(agreement, line))?.amount ?? 0;
  for (const { code, text } of replayHolders(facts.holders, entry, { books: facts.books, moved, cameIn })) {
    on.findings.add('break', code, { where, text: `${said}: ${text}` });
  }
  if (entry.kind === 'restored') facts.putBacks.push(putBackOf(entry));
  noteWords(facts, entry);
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
  if (withoutUnit.has(kind)) {
    facts.temporaries.set(`${textIn(body, 'product')} ${textIn(body, 'sub')}`, numberIn(body, 'until'));
  }
}
