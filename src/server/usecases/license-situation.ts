/** Loads what decides one license request, within its transaction (`core/cal.ts` then decides). */
import type { RequestState } from '../../core/cal.ts';
import { temporaryCap } from '../../core/cal.ts';
import type { Product } from '../../core/product.ts';
import { rankCandidates } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import { subjectOf } from '../../protocol/cal-token.ts';
import type { LicenseRow, TemporaryRow } from '../../store/license-rows.ts';
import { findTemporary, liveLicenses } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { findReservation } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import type { GapSituation } from './gap.ts';
import { bridgeOf, gapFor } from './gap.ts';
import { accountsOf } from './license-token.ts';
import type { OwnToken } from './own-token.ts';
import { findRecoverable, frozenFor, verifyOwn } from './own-token.ts';
import { reclaimOne } from './reclaim.ts';
import type { LicenseRequest } from './request-license.ts';
import type { AuthorityFacts, ServerFacts } from './server-facts.ts';
import { standingOf } from './server-facts.ts';
import type { ShownToken, TakeOver } from './take-over.ts';
import { findTakeOver, isShownFor } from './take-over.ts';
import { temporariesAlive } from './temporary-count.ts';
import type { Gone } from './where-it-went.ts';
import { whereItWent } from './where-it-went.ts';

/** A line that may serve the product asked for, in the order in which it is to be tried. */
export interface Candidate {
  readonly line: LineRow;
  readonly authority: AuthorityFacts;
}

export interface Situation {
  readonly state: RequestState;
  readonly facts: ServerFacts;
  /** The holder's own license, with its line. */
  readonly own: (Candidate & { readonly license: LicenseRow }) | null;
  readonly temporary: TemporaryRow | null;
  readonly takeOver: (Candidate & { readonly from: TakeOver }) | null;
  /** The move that took what this holder had here, where it is sent after it. */
  readonly movedTo: ServerMoveRow | null;
  /** The license that the holder shows, of a unit that a move has frozen out of quarantine; null: it shows none. */
  readonly frozen: (Candidate & { readonly own: OwnToken; readonly move: string }) | null;
  /** The line that a new holder would be given a unit of. */
  readonly giver: Candidate | null;
  /**
   * A token of another server was shown that names this very holder, under one of our agreements: now, or
   * when it was given a gap license.
   */
  readonly shown: ShownToken | null;
  /** A living license of this server that it shows, where the books may know too little of it. */
  readonly ownShown: OwnToken | null;
  /** Where a source of this holder no longer functions: the gap license that it has, or may be given. */
  readonly gap: GapSituation;
  /** The holder's pseudonym in an agreement. */
  readonly subIn: (authority: AuthorityFacts) => string;
}

export interface Asked {
  readonly request: LicenseRequest;
  readonly nowMs: number;
  readonly shown: ShownToken | null;
  /** A token that was shown and has ended, where that alone speaks against it. */
  readonly ended: ShownToken | null;
  /** Why what was shown does not count; null: it does, or nothing was shown. */
  readonly notShown: Refusal | null;
}

export async function situationOf(
  context: ServerContext,
  tx: WriteTx,
  asked: Asked & { readonly facts: ServerFacts },
): Promise<Situation> {
  const { request, nowMs, facts } = asked;
  const candidates = candidatesFor(facts, request);
  const licenses = await liveLicenses(tx, request.type, request.holder);
  const own = ownLicense(candidates, licenses);
  const subIn = subjects(context, request);
  const before = { shown: asked.shown ?? asked.ended, nowMs };
  const gap = await gapFor(tx, { request, candidates, facts, subIn, ...before });
  const shown = shownForHolder(candidates, asked.shown, subIn) ?? gap.remembered;
  const { ownShown, doubt } = await pastOf(context, tx, { request, nowMs, facts });
  const settled = own !== null && nowMs < own.license.expiresAt;
  // Whoever has a living license is given nothing else: nobody looks for what there might be.
  const temporary =
    request.type === 'device' && !settled
      ? ((await findTemporary(tx, request.product, request.holder)) ?? null)
      : null;
  // One license of a line for each holder: whose lease has ended here is given that unit again, or none.
  const open = candidates.filter(({ line }) => line.id !== own?.line.id);
  const { takeOver, frozen, gone } = settled
    ? nothingExpected
    : await expectedHere(context, tx, {
        ...{ request, candidates, open, facts, shown, subIn, nowMs, ownShown },
      });
  const reclaim = own === null && doubt === null;
  const stock =
    settled || takeOver !== null ? emptyStock : await stockOf(context, tx, { candidates, nowMs, reclaim });
  const movedTo = sentTo({ gone, stock, nowMs });
  const authority = own?.authority ?? takeOver?.authority ?? stock.giver?.authority ?? firstActive(facts);
  const state: RequestState = {
    nowMs,
    doubt,
    shownUntil: shownUntil(own, ownShown),
    product: request.product,
    type: request.type,
    deactivated: facts.activation === 'deactivated',
    standing: authority === null ? null : standingOf(authority, nowMs),
    license: own === null ? null : { expiresAt: own.license.expiresAt },
    temporary:
      temporary === null
        ? null
        : { expiresAt: temporary.expiresAt, validated: temporary.validatedAt !== null },
    reserved: takeOver !== null,
    gap: gapState(gap),
    gapOpen: gap.open !== null,
    // Who had a license here has signed in long since.
    sourceShown: shown !== null || bridgeOf(gap) !== null || (gone !== null && movedTo === null),
    installed: stock.installed,
    unissued: stock.unissued,
    temporariesAlive:
      settled || takeOver !== null || temporary !== null
        ? 0
        : await othersAlive(context, tx, { request, activated: authority !== null, stock, nowMs }),
  };
  const { giver } = stock;
  return { state, facts, own, temporary, takeOver, movedTo, frozen, giver, shown, ownShown, gap, subIn };
}

/** The gap license that this holder has or, restored, may have without more. */
function gapState(gap: GapSituation): RequestState['gap'] {
  const given = bridgeOf(gap);
  const { until, restored } = gap;
  return given === null ? null : { expiresAt: given.expiresAt, until, restored: restored !== null };
}

/** Each pseudonym is computed once for a request, and only where one is needed: it takes 5 µs. */
function subjects(context: ServerContext, request: LicenseRequest): Situation['subIn'] {
  const known = new Map<AuthorityFacts, string>();
  return (authority) => {
    let sub = known.get(authority);
    if (sub === undefined) {
      const { salt } = authority;
      sub = subjectOf(context.digest, { salt, kind: request.type, name: request.holder });
      known.set(authority, sub);
    }
    return sub;
  };
}

/** What `candidatesFor` answered, as long as the facts are the same. */
const candidatesKnown = new WeakMap<ServerFacts, Map<string, readonly Candidate[]>>();

/** Lines of the asked type whose CALs serve the product, the closest version first (core/product.ts). */
export function candidatesFor(facts: ServerFacts, request: LicenseRequest): readonly Candidate[] {
  const known = candidatesKnown.get(facts) ?? new Map<string, readonly Candidate[]>();
  candidatesKnown.set(facts, known);
  const name = `${request.type} ${request.product}`;
  const found = known.get(name) ?? rankedLines(facts, request);
  // Of products that are not here there are as many as anybody can think of.
  if (found.length > 0) known.set(name, found);
  return found;
}

function rankedLines(facts: ServerFacts, request: LicenseRequest): readonly Candidate[] {
  const lines = facts.lines.filter((line) => line.type === request.type);
  const host = lines.map(productOf).find((product) => product.id === request.product);
  if (host === undefined) return [];
  const ranked = rankCandidates(
    lines.map((line) => ({ line, product: productOf(line) })),
    host,
  );
  return ranked.flatMap(({ line }) => {
    const authority = facts.authorities.get(line.agreement);
    return authority === undefined ? [] : [{ line, authority }];
  });
}

function productOf(line: LineRow): Product {
  return { id: line.product, name: line.productName, family: line.family, version: line.version };
}

function ownLicense(candidates: readonly Candidate[], licenses: readonly LicenseRow[]): Situation['own'] {
  for (const candidate of candidates) {
    const license = licenses.find((row) => row.lineId === candidate.line.id);
    if (license !== undefined) return { ...candidate, license };
  }
  return null;
}

type Expected = Pick<Situation, 'takeOver' | 'frozen'> & { readonly gone: Gone | null };

const nothingExpected: Expected = { takeOver: null, frozen: null, gone: null };

/**
 * The move that a holder is sent after whose CAL it took. Nobody is, where CALs have come back; nor where none
 * can be waiting there any more and one is free here: then this holder is served like anybody else.
 */
function sentTo(of: {
  readonly gone: Gone | null;
  readonly stock: Stock;
  readonly nowMs: number;
}): ServerMoveRow | null {
  const { gone, stock, nowMs } = of;
  if (gone === null || gone.cameBack) return null;
  return nowMs > gone.owedUntil && stock.unissued > 0 ? null : gone.move;
}

/** The unit that waits here for this holder; or what became of the one that it had here. */
async function expectedHere(
  context: ServerContext,
  tx: WriteTx,
  of: Parameters<typeof whereItWent>[2] & {
    readonly open: readonly Candidate[];
    readonly ownShown: OwnToken | null;
  },
): Promise<Expected> {
  const inQuarantine = await shownInQuarantine(tx, of);
  if (inQuarantine !== null) return inQuarantine;
  // What waits here for somebody may have been drawn and have gone on since.
  if (of.facts.past?.state === 'doubted') return nothingExpected;
  const takeOver = await findAnyTakeOver(tx, { ...of, candidates: of.open });
  // Whoever has a license of any of these lines has lost nothing.
  if (takeOver !== null || of.open.length < of.candidates.length) return { ...nothingExpected, takeOver };
  const gone = await whereItWent(context, tx, of);
  return { ...nothingExpected, takeOver: gone?.takeOver ?? null, gone };
}

/** What of a license of this server was shown, where its past is in question. */
async function pastOf(
  context: ServerContext,
  tx: WriteTx,
  of: Pick<Asked, 'request' | 'nowMs'> & { readonly facts: ServerFacts },
): Promise<Pick<Situation, 'ownShown'> & Pick<RequestState, 'doubt'>> {
  const { past } = of.facts;
  const { source } = of.request;
  const isAsked = past !== null && source !== undefined;
  return {
    ownShown: isAsked ? await verifyOwn(context, tx, { source, nowMs: of.nowMs }) : null,
    doubt: past?.state === 'doubted' ? past : null,
  };
}

/** When the license ends that its holder shows of the very unit that it has here; null: it shows none. */
function shownUntil(own: Situation['own'], shown: OwnToken | null): number | null {
  const isIt = own !== null && shown?.unit === own.license.unit && shown.sub === own.license.sub;
  return isIt ? shown.expiresAt : null;
}

/** A unit in quarantine that its holder shows a license of: to be had back, or frozen for a move. */
async function shownInQuarantine(
  tx: WriteTx,
  of: Pick<Situation, 'subIn' | 'ownShown'> & { readonly open: readonly Candidate[] },
): Promise<Expected | null> {
  const own = of.ownShown;
  if (own === null) return null;
  for (const candidate of of.open) {
    const { line, authority } = candidate;
    const shown = { line, sub: of.subIn(authority), own };
    const from = await findRecoverable(tx, shown);
    if (from !== null) return { ...nothingExpected, takeOver: { ...candidate, from } };
    const move = await frozenFor(tx, shown);
    if (move !== null) return { ...nothingExpected, frozen: { ...candidate, own, move } };
  }
  return null;
}

/** A shown token counts only for the line and the holder that it names. */
function shownForHolder(
  candidates: readonly Candidate[],
  shown: ShownToken | null,
  subIn: Situation['subIn'],
): ShownToken | null {
  if (shown === null) return null;
  return candidates.some(({ line, authority }) => isShownFor(shown, line, subIn(authority))) ? shown : null;
}

async function findAnyTakeOver(
  tx: WriteTx,
  of: Pick<Situation, 'facts' | 'shown' | 'subIn'> & { readonly candidates: readonly Candidate[] },
): Promise<Situation['takeOver']> {
  for (const candidate of of.candidates) {
    const reservation = of.facts.reservations
      ? await findReservation(tx, candidate.line.id, of.subIn(candidate.authority))
      : undefined;
    if (reservation !== undefined) return { ...candidate, from: { by: 'list', reservation } };
    const isOfLine = of.shown !== null && isShownFor(of.shown, candidate.line, of.subIn(candidate.authority));
    const from = isOfLine ? await findTakeOver(tx, candidate.line.id, of.shown) : null;
    if (from !== null) return { ...candidate, from };
  }
  return null;
}

interface Stock {
  readonly installed: number;
  readonly unissued: number;
  readonly giver: Candidate | null;
}

const emptyStock: Stock = { installed: 0, unissued: 0, giver: null };

/**
 * What the candidate lines have; a lapsed license is taken back where nothing else is left. Not so for a
 * holder whose own lease has ended: it is that very license which would be taken back and renewed at once.
 */
async function stockOf(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly candidates: readonly Candidate[]; readonly nowMs: number; readonly reclaim: boolean },
): Promise<Stock> {
  let stock = await countStock(tx, of);
  if (of.reclaim && stock.unissued === 0 && stock.installed > 0) {
    for (const { line } of of.candidates) {
      if ((await reclaimOne(context, tx, { line, nowMs: of.nowMs })) > 0) {
        stock = await countStock(tx, of);
        break;
      }
    }
  }
  return stock;
}

async function countStock(
  tx: WriteTx,
  of: { readonly candidates: readonly Candidate[]; readonly nowMs: number },
): Promise<Stock> {
  let installed = 0;
  let unissued = 0;
  let giver: Candidate | null = null;
  let past: Candidate | null = null;
  for (const candidate of of.candidates) {
    const accounts = accountsOf(candidate.line);
    installed += await tx.balance(accounts.installed);
    if (candidate.authority.row.state !== 'active') continue;
    const free = await tx.balance(accounts.unissued);
    const { may } = standingOf(candidate.authority, of.nowMs);
    // What a line past its horizon has is there, but for nobody new: then that is what has to be said.
    if (may === 'renew' && free > 0) past ??= candidate;
    if (may !== 'assign') continue;
    unissued += free;
    if (free > 0) giver ??= candidate;
  }
  return { installed, unissued, giver: giver ?? past ?? of.candidates[0] ?? null };
}

/** Looked for only where a cap applies: a server without the product gives as many as ask. */
async function othersAlive(
  context: ServerContext,
  tx: WriteTx,
  of: Pick<Asked, 'request' | 'nowMs'> & { readonly activated: boolean; readonly stock: Stock },
): Promise<number> {
  const { installed, unissued } = of.stock;
  const cap = temporaryCap({ activated: of.activated, installed, unissued });
  const { product, type } = of.request;
  return cap === null || type !== 'device'
    ? 0
    : temporariesAlive(context, tx, { product, cap, nowMs: of.nowMs });
}

function firstActive(facts: ServerFacts): AuthorityFacts | null {
  for (const authority of facts.authorities.values()) {
    if (authority.row.state === 'active') return authority;
  }
  return null;
}
