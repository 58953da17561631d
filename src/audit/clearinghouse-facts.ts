/**
 * What the journal of an agreement says beside its balances: who was granted what, who gave what back, how
 * far each move has come. Amounts are read from the postings, so that words alone change no number.
 */
import type { AuditBooks, Movement } from './books.ts';
import { emptyBooks, foreignAccount, replayPostings } from './books.ts';
import type { AuditEntry } from './entry.ts';
import { numberIn, objectsIn, textIn } from './entry.ts';
import type { Findings } from './finding.ts';
import type { PutBack } from './put-back.ts';
import { putBackOf } from './put-back.ts';

/** Chain positions that were revealed to a server under one authority. */
export interface Grant {
  readonly server: string;
  readonly line: number;
  readonly aid: string;
  readonly chain: string;
  readonly kBefore: number;
  readonly k: number;
}

export interface AuditMove {
  readonly id: string;
  readonly line: number;
  readonly source: string;
  readonly target: string;
  state: string;
  unissued: number;
  held: number;
  /** Units of it that came out of the source's account and did not go back there. */
  taken: number;
  /** Units of it that its target was granted: what it may ever have installed of it. */
  granted: number;
  /** Whether the clearinghouse has the source's receipt that it gave them up, and when it got it. */
  releasedAt: number | undefined;
  /** The same of the target, of a move that was undone after its grant. */
  relinquishedAt: number | undefined;
  readonly startedAt: number;
}

/** By server or agreement, and line. */
export type ServerAmounts = Map<string, { amount: number; lastAt: number }>;

export interface AgreementFacts {
  readonly agreement: string;
  readonly madeAtMs: number;
  readonly where: string;
  readonly size: number;
  readonly books: AuditBooks;
  readonly lines: Map<number, { product: string; type: string }>;
  readonly moves: Map<string, AuditMove>;
  readonly grants: Grant[];
  /** Out of what is in hand, to a server: what it may ever have installed but for moves. */
  readonly granted: ServerAmounts;
  /** From a server back to what is in hand. */
  readonly credited: ServerAmounts;
  /** When servers that no longer function were fenced off: what they have installed since is without effect. */
  readonly fenced: Map<string, number>;
  /** Units of a source that no longer functions, by move, and when they may have two holders should it live. */
  readonly risks: Map<string, { readonly units: number; readonly from: string; readonly until: string }>;
  /** How often a fenced server was heard of. */
  readonly spoke: Map<string, number>;
  /** The highest horizon position of each server. */
  readonly horizons: Map<string, number>;
  readonly servers: Set<string>;
  /** Older databases that servers have told they were put back to. */
  readonly putBacks: { readonly server: string; readonly declared: PutBack }[];
}

export function emptyAgreement(
  of: Pick<AgreementFacts, 'agreement' | 'madeAtMs' | 'where' | 'size'>,
): AgreementFacts {
  return {
    ...of,
    books: emptyBooks(),
    lines: new Map(),
    moves: new Map(),
    grants: [],
    granted: new Map(),
    credited: new Map(),
    fenced: new Map(),
    risks: new Map(),
    spoke: new Map(),
    horizons: new Map(),
    servers: new Set(),
    putBacks: [],
  };
}

/** Names of accounts by their third part; the fourth is the server or the move. */
interface Account {
  readonly line: number;
  readonly name: string;
  readonly key: string;
}

function accountOf(id: string): Account {
  const [, line = '', name = '', key = ''] = id.split('/');
  return { line: Number(line), name, key };
}

export const amountKey = (owner: string, line: number): string => `${owner} ${line}`;

export function amountKeyParts(key: string): { readonly owner: string; readonly line: number } {
  const at = key.lastIndexOf(' ');
  return { owner: key.slice(0, at), line: Number(key.slice(at + 1)) };
}

/** Adds to what a server has, and remembers when that was. */
export function addAmount(
  amounts: ServerAmounts,
  key: string,
  of: { readonly amount: number; readonly at: number },
): void {
  const before = amounts.get(key) ?? { amount: 0, lastAt: 0 };
  amounts.set(key, { amount: before.amount + of.amount, lastAt: Math.max(before.lastAt, of.at) });
}

/** Accounts of a clearinghouse, as protocol §1.3 names them. */
const accountNames = new Set(['entitled', 'in-hand', 'committed', 'in-transit', 'quarantined', 'retired']);

/** Replays one entry of an agreement's journal. */
export function replayAgreement(
  facts: AgreementFacts,
  entry: AuditEntry,
  on: { readonly position: number; readonly findings: Findings },
): void {
  const { where, agreement, books } = facts;
  const said = `entry ${on.position} (${entry.kind})`;
  noteWords(facts, entry);
  const foreign = foreignAccount(books, entry.postings, { names: accountNames, agreement });
  if (foreign !== undefined) {
    const text = `${said} posts to ${foreign}, which is no account of this agreement`;
    on.findings.add('break', 'account-unknown', { where, text });
    return;
  }
  const moved = replayPostings(books, entry.postings);
  if (typeof moved === 'string') {
    on.findings.add('break', 'not-conserved', { where, text: `${said}: ${moved}` });
    return;
  }
  for (const movement of moved) {
    const from = accountOf(movement.from);
    const to = accountOf(movement.to);
    if ((from.name === 'entitled' || to.name === 'entitled') && entry.kind !== 'entitled') {
      const text = `${said} changes what was bought, which only a purchase does`;
      on.findings.add('break', 'entitled-by-other', { where, text });
    }
    noteMovement(facts, entry, { movement, from, to });
  }
}

interface Between {
  readonly movement: Movement;
  readonly from: Account;
  readonly to: Account;
}

const isPot = ({ name }: Account): boolean => name === 'in-transit' || name === 'quarantined';

function noteMovement(facts: AgreementFacts, { at }: AuditEntry, { movement, from, to }: Between): void {
  const { amount } = movement;
  if (from.name === 'in-hand' && to.name === 'committed') {
    addAmount(facts.granted, amountKey(to.key, to.line), { amount, at });
  }
  if (from.name === 'committed' && to.name === 'in-hand') {
    addAmount(facts.credited, amountKey(from.key, from.line), { amount, at });
  }
  if (from.name === 'committed' && isPot(to)) {
    const move = facts.moves.get(to.key);
    if (move !== undefined) move.taken += amount;
  }
  if (isPot(from) && to.name === 'committed') {
    const move = facts.moves.get(from.key);
    if (move !== undefined && to.key === move.source) move.taken -= amount;
  }
}

/** What the body of an entry says: of kinds that are known; others change nothing but balances. */
function noteWords(facts: AgreementFacts, entry: AuditEntry): void {
  const { kind, body, at } = entry;
  const server = textIn(body, 'server');
  if (server !== '') facts.servers.add(server);
  const line = numberIn(body, 'line');
  if (kind === 'entitled') {
    facts.lines.set(line, { product: textIn(body, 'product'), type: textIn(body, 'type') });
  }
  if (kind === 'granted') noteGrant(facts, { server, line, grant: body });
  if (kind === 'horizon') {
    facts.horizons.set(server, Math.max(facts.horizons.get(server) ?? 0, numberIn(body, 'e')));
  }
  if (kind.startsWith('move-')) noteMove(facts, { kind, body, at });
  if (kind === 'units-at-risk') {
    const [from, until] = [textIn(body, 'from'), textIn(body, 'until')];
    facts.risks.set(textIn(body, 'move'), { units: numberIn(body, 'units'), from, until });
  }
  if (kind === 'server-restored') facts.putBacks.push({ server, declared: putBackOf(entry) });
  if (kind === 'dead-source-spoke') facts.spoke.set(server, (facts.spoke.get(server) ?? 0) + 1);
}

/** The events by which a source is fenced off (protocol §2.5). */
const fencing = new Set(['move-horizon-passed', 'move-early-release', 'move-nothing-left']);

function noteGrant(
  facts: AgreementFacts,
  of: { readonly server: string; readonly line: number; readonly grant: AuditEntry['body'] },
): void {
  const { server, line, grant } = of;
  const [aid, chain] = [textIn(grant, 'aid'), textIn(grant, 'chain')];
  const [kBefore, k] = [numberIn(grant, 'kBefore'), numberIn(grant, 'k')];
  if (aid !== '') facts.grants.push({ server, line, aid, chain, kBefore, k });
}

function noteMove(facts: AgreementFacts, { kind, body, at }: Pick<AuditEntry, 'kind' | 'body' | 'at'>): void {
  const id = textIn(body, 'move');
  const before = facts.moves.get(id);
  const move: AuditMove = before ?? {
    id,
    line: numberIn(body, 'line'),
    source: textIn(body, 'source'),
    target: textIn(body, 'target'),
    ...{
      state: 'reserved',
      unissued: 0,
      held: 0,
      taken: 0,
      granted: 0,
      releasedAt: undefined,
      relinquishedAt: undefined,
      startedAt: at,
    },
  };
  facts.moves.set(id, move);
  move.state = textIn(body, 'state') || move.state;
  if ('unissued' in body) move.unissued = numberIn(body, 'unissued');
  if ('held' in body) move.held = numberIn(body, 'held');
  if (kind === 'move-released') move.releasedAt = at;
  if (fencing.has(kind) && !facts.fenced.has(move.source)) facts.fenced.set(move.source, at);
  if (kind === 'move-relinquished') move.relinquishedAt = at;
  for (const grant of objectsIn(body, 'grants')) {
    move.granted += numberIn(grant, 'k') - numberIn(grant, 'kBefore');
    noteGrant(facts, { server: move.target, line: move.line, grant });
  }
  facts.servers.add(move.source);
  facts.servers.add(move.target);
}
