/**
 * The CAL Key Pack ID of the source document: finds the chain and position that a code proves, says
 * what it would add, and installs it once that is confirmed.
 */
import { base64url } from '../../core/bytes.ts';
import { findAppliedPosition, findPosition, maskValue, searchLimit } from '../../core/chain.ts';
import type { Code } from '../../core/code.ts';
import { formatLicenseServerId, licenseServerIdValue } from '../../core/code.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import { waitingByTelephone } from '../../store/gap-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import { reserveOf } from '../../store/reserve-source-rows.ts';
import type { AppliedReveal, LineRow } from '../../store/server-authority-rows.ts';
import {
  findAppliedReveal,
  findOvertaking,
  listAuthorities,
  listLines,
} from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { freePool } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { administerOnce } from './administer-once.ts';
import type { Proof, Taken } from './advance-chain.ts';
import { chainOf, installProof } from './advance-chain.ts';
import { linesOf } from './apply-activation-code.ts';
import type { CodeInput, CodeOutcome } from './apply-code.ts';
import { openDead, takeDead } from './dead-key-pack.ts';
import { noteEvent } from './events.ts';
import { installHeld } from './held-key-pack.ts';
import { accountsOf } from './license-token.ts';
import { serveOvertaken } from './reserve.ts';
import { checkTime } from './seen-time.ts';
import type { KnownServer } from './whose-code.ts';
import { knownServers, readServerIds, slotsOfKits, whyNotActivated } from './whose-code.ts';

interface Found {
  readonly line: LineRow;
  readonly proof: Proof;
  /** Of a held key pack: licenses were returned to its source that still run. */
  readonly someReturned: boolean;
}

/** Installs, or says what would be installed. Refused: see `applyCode`. */
export async function applyKeyPackCode(
  context: ServerContext,
  code: Code,
  input: CodeInput,
): Promise<Result<CodeOutcome, Refusal>> {
  const source = readSource(context, code, input.from);
  if (!source.ok) return source;
  const alsoFrom = readServerIds(context, input.alsoFrom ?? []);
  if (!alsoFrom.ok) return alsoFrom;
  const nowMs = context.clock.nowMs();
  // Only an installation is remembered under its key; what a code would do may be asked any time.
  const order = input.confirmed ? input : { ...input, requestId: undefined };
  const search: Search = { code, source: source.value, quantity: input.quantity };
  const asked = { ...input, alsoFrom: alsoFrom.value };
  const outcome = await administerOnce<CodeOutcome>(context, { act: 'install-code', order }, async (tx) => {
    const found = await findProof(context, tx, search);
    if (!found.ok)
      return (
        (await saidLater(context, tx, { search, input: asked, nowMs })) ??
        (await overtaken(context, tx, { search, input: asked, nowMs })) ??
        found
      );
    const clock = await checkTime(context, tx, nowMs);
    if (!clock.ok) return clock;
    const { line } = found.value;
    if (input.confirmed) {
      const dead = await openDead(context, tx, { line, kind: code.kind, from: input.from, nowMs });
      const of = { source: source.value, alsoFrom: alsoFrom.value, dead, nowMs };
      return install(context, tx, { ...found.value, ...of, from: input.from });
    }
    return ok(await preview(tx, code, found.value));
  });
  if (outcome.ok || !['source-wrong', 'code-not-for-this-server'].includes(outcome.error.code))
    return outcome;
  const other = await findOther(context, search);
  if (other === undefined) return outcome;
  return err({ code: 'code-other-server', licenseServerId: other.licenseServerId, name: other.name });
}

interface Source {
  readonly licenseServerId: string;
  readonly value: Uint8Array;
}

/** The source of a held key pack, as typed. A held pack without one is told apart later. */
function readSource(
  context: ServerContext,
  code: Code,
  from: string | undefined,
): Result<Source | null, Refusal> {
  if (code.kind !== 'held-key-pack' || from === undefined) return ok(null);
  const value = licenseServerIdValue(context.digest, from);
  if (!value.ok) return value;
  const licenseServerId = formatLicenseServerId(value.value);
  if (base64url(value.value) === base64url(context.lsidValue)) {
    return err({ code: 'source-wrong', licenseServerId });
  }
  return ok({ licenseServerId, value: value.value });
}

interface Search {
  readonly code: Code;
  readonly source: Source | null;
  readonly quantity: number | undefined;
}

/**
 * Looks for the position: what was applied already first, then every line of every agreement. Where
 * nothing fits it is told apart what can be told apart: a missing source, a server without authority.
 */
async function findProof(
  context: ServerContext,
  tx: WriteTx,
  search: Search,
): Promise<Result<Found, Refusal>> {
  const lines = await listLines(tx);
  if (lines.length === 0) return err(await whyNotActivated(tx));
  const held = search.code.kind === 'held-key-pack';
  const sources = held ? await sourcesOf(context, tx, search) : [null];
  const applied = await findApplied(context, tx, { lines, search, sources });
  const isSaid = !held || search.source !== null;
  // One that a later code has overtaken was never typed: with its source it serves that one's holders.
  if (applied !== null && (isSaid || applied.record !== undefined)) {
    return err(await firstNumbers(tx, applied));
  }
  if (!isSaid) return err({ code: 'source-needed' });
  const found = findAhead(context, { lines, search, lsidValue: context.lsidValue, source: search.source });
  if (found !== null) return activeOnly(tx, found);
  // Whose the mask is cannot be seen: of what can be wrong, the source that was typed is the likeliest.
  if (search.source !== null) {
    return err({ code: 'source-wrong', licenseServerId: search.source.licenseServerId });
  }
  const { quantity = null } = search;
  return err({ code: 'code-not-for-this-server', kind: 'key-pack', searched: searchLimit, quantity });
}

async function activeOnly(tx: ReadTx, found: Found): Promise<Result<Found, Refusal>> {
  const authority = (await listAuthorities(tx)).find((row) => row.aid === found.line.aid);
  return authority?.state === 'active' ? ok(found) : err({ code: 'deactivated' });
}

/** Whence a held code may have come that was typed before: also from another source than is said now. */
async function sourcesOf(context: ServerContext, tx: ReadTx, { source }: Search): Promise<readonly Source[]> {
  const servers = await knownServers(context, tx);
  return source === null ? servers : [source, ...servers];
}

interface Attempt {
  readonly lines: readonly LineRow[];
  readonly search: Search;
  readonly lsidValue: Uint8Array;
  readonly source: Source | null;
}

/** What the value of a code is without its mask: a held key pack has one of two. */
function unmask(
  context: ServerContext,
  attempt: Omit<Attempt, 'lines'>,
): readonly { readonly value: Uint8Array; readonly someReturned: boolean }[] {
  const { lsidValue, search, source } = attempt;
  const { kind, value } = search.code;
  if (kind !== 'held-key-pack') {
    return [
      { value: maskValue(context.digest, { kind: 'key-pack', lsidValue }, value), someReturned: false },
    ];
  }
  const sourceValue = source?.value ?? new Uint8Array(16);
  return [false, true].map((someReturned) => {
    const mask = { kind, lsidValue, sourceValue, someReturned };
    return { value: maskValue(context.digest, mask, value), someReturned };
  });
}

function findAhead(context: ServerContext, attempt: Attempt): Found | null {
  const { code, quantity } = attempt.search;
  const chain = code.kind === 'key-pack' ? 'free' : 'held';
  for (const { value, someReturned } of unmask(context, attempt)) {
    for (const line of attempt.lines) {
      const place = chainOf(line, chain);
      const sought = { ...place, value, ctx: code.ctx };
      const position = findPosition(
        context.digest,
        quantity === undefined ? sought : { ...sought, quantity },
      );
      if (position !== null) return { line, proof: { chain, k: position.k, value }, someReturned };
    }
  }
  return null;
}

/** What a code has brought that was typed before; no record where a later one had overtaken it. */
interface Applied {
  readonly line: LineRow;
  readonly record: AppliedReveal | undefined;
  readonly place: Pick<AppliedReveal, 'aid' | 'chain' | 'k'>;
  readonly someReturned: boolean;
}

/** A position at or below the present one: typed before, or overtaken by a later code. */
async function findApplied(
  context: ServerContext,
  tx: ReadTx,
  of: Pick<Attempt, 'lines' | 'search'> & { readonly sources: readonly (Source | null)[] },
): Promise<Applied | null> {
  const { search, sources } = of;
  const { lsidValue } = context;
  const masks = sources.flatMap((source) => unmask(context, { search, lsidValue, source }));
  const values = masks.map(({ value }) => value);
  const chain = search.code.kind === 'key-pack' ? 'free' : 'held';
  for (const line of of.lines) {
    const place = chainOf(line, chain);
    const position = findAppliedPosition(context.digest, { ...place, values, ctx: search.code.ctx });
    if (position === null) continue;
    const record = await findAppliedReveal(tx, {
      aid: line.aid,
      chain: place.chain,
      value: base64url(position.value),
    });
    const someReturned = masks.find(({ value }) => value === position.value)?.someReturned ?? true;
    return { line, record, place: { aid: line.aid, chain: place.chain, k: position.k }, someReturned };
  }
  return null;
}

async function firstNumbers(tx: ReadTx, { line, record }: Applied): Promise<Refusal> {
  return {
    code: 'already-applied',
    product: line.product,
    type: line.type,
    added: record?.added ?? 0,
    installed: record?.installed ?? (await tx.balance(accountsOf(line).installed)),
    at: record === undefined ? '' : isoTime(record.at),
  };
}

/**
 * Typed again with the source that was left out the first time, or typed after a later code that had brought its CALs, the
 * key pack of a dead source which a second person released early is for the holders of that one: what it had brought and
 * nobody has. undefined: it is no such code, or was typed with its source before.
 */
async function saidLater(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly search: Search; readonly input: SourcedInput; readonly nowMs: number },
): Promise<Result<CodeOutcome, Refusal> | undefined> {
  const { search, input, nowMs } = of;
  if (search.code.kind !== 'key-pack') return undefined;
  const lines = await listLines(tx);
  const found = await findApplied(context, tx, { lines, search, sources: [null] });
  const came = found && (found.record ?? (await findOvertaking(tx, found.place)));
  if (!found || !came) return undefined;
  const { line, place } = found;
  const move = await openDead(context, tx, { line, kind: search.code.kind, from: input.from, nowMs });
  const waits = move?.state === 'dead-wait';
  if (move === undefined || (waits ? came.at < move.startedAt : came.at <= move.updatedAt)) return undefined;
  const accounts = accountsOf(line);
  if (input.confirmed) {
    const { alsoFrom } = input;
    const free = place.k - (came.k - came.added);
    await takeDead(context, tx, { line, move, alsoFrom, free, held: 0, nowMs });
  }
  const installed = await tx.balance(accounts.installed);
  return ok(outcome('key-pack', { line, added: 0, installed, applied: input.confirmed }));
}

/**
 * A held key pack that a later one of another source was typed before: its CALs are in the reserve of that one, which
 * serves its holders too from now on. undefined: it is no such code.
 */
async function overtaken(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly search: Search; readonly input: SourcedInput; readonly nowMs: number },
): Promise<Result<CodeOutcome, Refusal> | undefined> {
  const { search, input, nowMs } = of;
  const { source } = search;
  if (source === null) return undefined;
  const lines = await listLines(tx);
  const found = await findApplied(context, tx, { lines, search, sources: [source] });
  if (found === null || found.record !== undefined) return undefined;
  const { line } = found;
  const later = await findOvertaking(tx, found.place);
  const reserve = later && (await reserveOf(tx, line.id, later.at));
  if (reserve === undefined) return undefined;
  if (input.confirmed) {
    const { from, alsoFrom } = input;
    const sources = [source.licenseServerId, ...alsoFrom] as const;
    const move = await openDead(context, tx, { line, kind: search.code.kind, from, nowMs });
    const countsEarly = move === undefined && !found.someReturned;
    await serveOvertaken(context, tx, { line, reserve, sources, countsEarly, nowMs });
    // Of a source that no longer functions nothing else will come: its move is over here as well.
    if (move !== undefined) await takeDead(context, tx, { line, move, alsoFrom, free: 0, held: 0, nowMs });
  }
  const installed = await tx.balance(accountsOf(line).installed);
  return ok(outcome('held-key-pack', { line, added: 0, installed, applied: input.confirmed }));
}

type SourcedInput = CodeInput & { readonly alsoFrom: readonly string[] };

/**
 * Which of the servers known here the code is meant for, under a slot of one of our kits. That takes up
 * to 9,216 hashes for each server and line, so it is done outside of any transaction, a turn of the
 * event loop for each: licenses are given meanwhile. A held code is looked for with the source that was
 * typed, and with this server as its source, which is the mix-up of two telephones on one desk.
 */
async function findOther(context: ServerContext, search: Search): Promise<KnownServer | undefined> {
  const { servers, slots } = await context.store.read(async (tx) => ({
    servers: await knownServers(context, tx),
    slots: await slotsOfKits(context, tx),
  }));
  const lines = slots.flatMap(linesOf).map((line) => ({ ...line, id: -1, lastUnit: 0, namelessUntil: 0 }));
  const own: Source = { licenseServerId: context.licenseServerId, value: context.lsidValue };
  const sources = search.code.kind === 'key-pack' ? [null] : [search.source, own];
  for (const server of servers) {
    for (const source of sources) {
      for (const line of lines) {
        const attempt = { lines: [line], search, lsidValue: server.value, source };
        if (findAhead(context, attempt) !== null) return server;
        await context.nextTurn();
      }
    }
  }
  return undefined;
}

async function preview(tx: ReadTx, code: Code, found: Found): Promise<CodeOutcome> {
  const { line, proof } = found;
  const added = proof.k - chainOf(line, proof.chain).present.k;
  const installed = (await tx.balance(accountsOf(line).installed)) + added;
  return outcome(code.kind === 'key-pack' ? 'key-pack' : 'held-key-pack', {
    line,
    added,
    installed,
    applied: false,
  });
}

function outcome(
  kind: 'key-pack' | 'held-key-pack',
  of: {
    readonly line: LineRow;
    readonly added: number;
    readonly installed: number;
    readonly applied: boolean;
  },
): CodeOutcome {
  const { agreement, product, productName, type } = of.line;
  const { added, installed, applied } = of;
  return { kind, applied, agreement, product, productName, type, added, installed };
}

async function install(
  context: ServerContext,
  tx: WriteTx,
  of: Found & {
    readonly source: Source | null;
    /** As it was typed, which a key pack of unissued CALs has only where its source no longer functions. */
    readonly from: string | undefined;
    readonly alsoFrom: readonly string[];
    /** The move of its declaration: what comes is for the holders of that source first. */
    readonly dead: ServerMoveRow | undefined;
    readonly nowMs: number;
  },
): Promise<Result<CodeOutcome, Refusal>> {
  const { source, from, alsoFrom, dead, nowMs } = of;
  const { line, added, installed } =
    source === null
      ? await installFree(context, tx, of)
      : await installHeld(context, tx, {
          ...{ ...of, source: source.licenseServerId, carrier: 'telephone' },
          countsEarly: !of.someReturned,
        });
  if (source === null && dead !== undefined) {
    await takeDead(context, tx, { line, move: dead, alsoFrom, free: added, held: 0, nowMs });
  }
  const kind = source === null ? 'key-pack' : 'held-key-pack';
  const done = outcome(kind, { line, added, installed, applied: true });
  const waits = from === undefined ? await waitingByTelephone(tx, line.id) : [];
  return ok(waits.length === 0 ? done : { ...done, waitingFor: waits });
}

async function installFree(
  context: ServerContext,
  tx: WriteTx,
  of: Found & { readonly nowMs: number },
): Promise<Taken> {
  const told = { carrier: 'telephone', source: null };
  const taken = await installProof(context, tx, { ...of, pool: freePool, to: 'unissued', told });
  const { line, added, installed } = taken;
  const { product, type, agreement } = line;
  await noteEvent(context, tx, { number: 5000, data: { product, type, added, installed, agreement } });
  return taken;
}
