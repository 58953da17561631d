/**
 * The audit: everything that bundles show, verified and replayed from nothing but what core and protocol
 * say, without a line of the programs that made them (protocol §6, docs/audit.md).
 */
import type { ClearinghouseLine, ServerLine } from '../core/account.ts';
import { sumClearinghouse, sumServer } from '../core/account.ts';
import { base64url, bytesOfBase64url, hex } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import { isoTime } from '../core/time.ts';
import type { AgreementFacts } from './clearinghouse-facts.ts';
import { emptyAgreement, replayAgreement } from './clearinghouse-facts.ts';
import { watchDates } from './dates.ts';
import type { Finding, Findings } from './finding.ts';
import { collectFindings } from './finding.ts';
import type { JournalToRead, Vouched } from './journal.ts';
import { lostText, readJournal } from './journal.ts';
import { matchAgreement, noteAgreement, noteServer } from './match.ts';
import { noteMissing } from './missing.ts';
import type { AuditFile, OpenBundle, Opened } from './open-bundles.ts';
import { openBundles, originOf } from './open-bundles.ts';
import type { EntryProof, WantedEntry } from './proof.ts';
import { proveEntry } from './proof.ts';
import { isLostHead, matchPutBacks } from './put-back.ts';
import type { ServerFacts } from './server-facts.ts';
import { emptyServer, replayServer } from './server-facts.ts';
import { matchTokens, readTokens } from './tokens.ts';

export interface AuditOptions {
  readonly digest: Digest;
  readonly files: readonly AuditFile[];
  /** License tokens that were collected from holders. */
  readonly tokens: readonly string[];
  /** Ids of entries that are to be proven. */
  readonly entries?: readonly string[];
  readonly root: Uint8Array | undefined;
}

/** A journal as it was replayed: what an auditor writes down, and compares with the next time. */
export interface AuditedJournal {
  readonly origin: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly root: string;
  readonly file: string;
  readonly madeAt: string;
  /** The largest size that another side has signed, with the root found to agree. */
  readonly witnessed: number;
}

export interface AuditedAgreement {
  readonly agreement: string;
  readonly lines: readonly (ClearinghouseLine & { readonly product: string; readonly type: string })[];
}

export interface AuditedServer {
  readonly server: string;
  readonly lines: readonly ServerLine[];
}

export interface AuditResult {
  readonly verdict: 'ok' | 'broken';
  readonly findings: readonly Finding[];
  readonly journals: readonly AuditedJournal[];
  readonly agreements: readonly AuditedAgreement[];
  readonly servers: readonly AuditedServer[];
  readonly rootPinned: boolean;
  readonly roots: readonly string[];
  readonly entries: number;
  readonly tokens: number;
  readonly proofs: readonly EntryProof[];
}

interface Auditing {
  readonly digest: Digest;
  readonly findings: Findings;
  readonly opened: Opened;
  readonly journals: AuditedJournal[];
  readonly toProve: ReadonlySet<string>;
  readonly proofs: EntryProof[];
}

/** Audits bundles. Reads each file once, a line at a time; throws only what reading a file throws. */
export function audit(options: AuditOptions): AuditResult {
  const { digest, root } = options;
  const findings = collectFindings();
  const opened = openBundles(digest, options.files, { findings, root });
  const toProve = new Set(options.entries ?? []);
  const auditing: Auditing = { digest, findings, opened, journals: [], toProve, proofs: [] };
  const tokens = readTokens(options.tokens, { keys: opened.serverKeys, findings });
  const wanted = new Set(tokens.map(({ claims }) => claims.jti));
  const agreements = new Map<string, AgreementFacts>();
  const servers = new Map<string, ServerFacts>();
  for (const bundle of opened.bundles.toSorted((one, other) => entriesIn(other) - entriesIn(one))) {
    const { server, agreement } = bundle.manifest;
    const earlier = server === null ? agreements.has(agreement ?? '') : servers.has(server);
    if (earlier) checkEarlier(auditing, bundle);
    else if (server === null) agreements.set(agreement ?? '', auditClearinghouse(auditing, bundle));
    else servers.set(server, auditServer(auditing, bundle, wanted));
  }
  for (const facts of agreements.values()) {
    matchAgreement(facts, servers, findings);
    noteAgreement(facts, findings);
  }
  for (const facts of servers.values()) noteServer(facts, findings);
  matchPutBacks({ agreements, servers }, findings);
  noteMissing({ findings, opened, journals: auditing.journals }, { agreements, servers });
  for (const id of toProve) {
    if (auditing.proofs.some((proof) => proof.id === id)) continue;
    const text = `no sound journal that is shown has an entry ${id}`;
    findings.add('not-shown', 'entry-not-shown', { where: 'all bundles', text });
  }
  matchTokens(tokens, { servers, agreements: opened.agreements, findings });
  return {
    verdict: findings.list.some(({ level }) => level === 'break') ? 'broken' : 'ok',
    findings: findings.list,
    journals: auditing.journals,
    agreements: [...agreements.values()].map(viewAgreement),
    servers: [...servers.values()].map(({ server, books }) => ({ server, lines: sumServer(books.balances) })),
    rootPinned: opened.rootPinned,
    roots: [...opened.roots],
    entries: auditing.journals.reduce((sum, { size }) => sum + size, 0),
    tokens: tokens.length,
    proofs: auditing.proofs,
  };
}

const entriesIn = ({ manifest }: OpenBundle): number =>
  manifest.journals.reduce((sum, { size }) => sum + size, 0);

function viewAgreement({ agreement, books, lines }: AgreementFacts): AuditedAgreement {
  return {
    agreement,
    lines: sumClearinghouse(books.balances).map((line) => ({
      ...line,
      product: lines.get(line.line)?.product ?? '',
      type: lines.get(line.line)?.type ?? '',
    })),
  };
}

function auditClearinghouse(auditing: Auditing, bundle: OpenBundle): AgreementFacts {
  const { file: where, madeAtMs, manifest } = bundle;
  const agreement = manifest.agreement ?? '';
  const size = manifest.journals.find(({ log }) => log === agreement)?.size ?? 0;
  const facts = emptyAgreement({ agreement, madeAtMs, where, size });
  const { findings } = auditing;
  const replayOf =
    (log: string): OnEntry =>
    (entry, position) => {
      if (log === agreement) replayAgreement(facts, entry, { position, findings });
      else if (entry.postings.length > 0) {
        const text = `entry ${position} of the journal ${log} posts units, which only an agreement's journal does`;
        findings.add('break', 'posting-elsewhere', { where, text });
      }
    };
  replayBundle(auditing, bundle, { replayOf });
  return facts;
}

function auditServer(auditing: Auditing, bundle: OpenBundle, wanted: ReadonlySet<string>): ServerFacts {
  const { file: where, madeAtMs, manifest } = bundle;
  const server = manifest.server ?? '';
  const size = manifest.journals[0]?.size ?? 0;
  const { findings, opened } = auditing;
  const facts = emptyServer({ server, madeAtMs, where, size, wanted, types: opened.types });
  replayBundle(auditing, bundle, {
    replayOf: () => (entry, position) => replayServer(facts, entry, { position, findings }),
    isLost: (head) => isLostHead(facts.putBacks, head),
  });
  return facts;
}

/**
 * A bundle of last year beside the one of today: whole in itself, and each of its roots is compared with the
 * longer journal at its size, which is the one that is audited.
 */
function checkEarlier(auditing: Auditing, bundle: OpenBundle): void {
  readBundle(auditing, bundle, (journal) =>
    readJournal(bundle.lines, { ...journal, onEntry: () => undefined }),
  );
  const text = 'it goes no further than another bundle of the same journal, with which it was compared';
  auditing.findings.add('note', 'bundle-earlier', { where: bundle.file, text });
}

type OnEntry = Parameters<typeof readJournal>[1]['onEntry'];

/** The journal of what belongs to no agreement: no license server is shown it. */
const publisherLog = 'publisher';

/** Replays a bundle's journals, and tells how far others have signed them. */
function replayBundle(
  auditing: Auditing,
  bundle: OpenBundle,
  { replayOf, isLost }: { readonly replayOf: (log: string) => OnEntry } & Pick<JournalToRead, 'isLost'>,
): void {
  const { findings } = auditing;
  const { file, lines, madeAtMs } = bundle;
  readBundle(auditing, bundle, (journal) => {
    const { log, origin, root, size, where, vouched } = journal;
    const onEntry = replayOf(log);
    const watch = watchDates(vouched, { madeAtMs, where, findings });
    const wanted: WantedEntry[] = [];
    const leaves: Uint8Array[] = [];
    const read = readJournal(lines, {
      ...{ ...journal, isLost },
      leaves: auditing.toProve.size === 0 ? undefined : leaves,
      onEntry: (entry, position, line) => {
        watch(entry, position);
        onEntry(entry, position, line);
        if (auditing.toProve.has(entry.id)) wanted.push({ id: entry.id, position, line });
      },
    });
    if (!read) return false;
    for (const one of wanted) {
      const proof = proveEntry(auditing.digest, one, { origin, root, leaves });
      if (proof !== undefined) auditing.proofs.push(proof);
    }
    noteBeyond(auditing, { size, within: where, others: vouched, isLost });
    const signed = vouched
      .filter(({ seenAtMs }) => seenAtMs !== undefined)
      .map((each) => Math.min(each.size, size));
    auditing.journals.push({
      ...{ origin, size, root: hex(root), file, madeAt: isoTime(madeAtMs) },
      witnessed: Math.max(0, ...signed),
    });
    if (signed.length === 0 && log !== publisherLog) {
      const text =
        'nobody but its owner has signed it: a history that was rewritten as a whole would look like this one';
      findings.add('note', 'not-witnessed', { where, text });
    }
    return true;
  });
}

interface JournalInFile extends Omit<Parameters<typeof readJournal>[1], 'onEntry'> {
  readonly origin: string;
  readonly root: Uint8Array;
}

/** Reads a bundle's journals to the end of the file, and no further; `read` answers whether one was whole. */
function readBundle(
  { digest, findings, opened }: Auditing,
  { file, manifest, lines }: OpenBundle,
  read: (journal: JournalInFile) => boolean,
): void {
  try {
    for (const { log, size, root: text } of manifest.journals) {
      const root = bytesOfBase64url(text) ?? new Uint8Array(0);
      const origin = originOf(manifest, log);
      const vouched = opened.vouched.get(origin) ?? [];
      const where = `${file}, journal ${log}`;
      if (!read({ digest, log, origin, size, root, where, vouched, findings })) return;
    }
    if (lines.next().done !== true) {
      const text = 'there are lines behind the last journal';
      findings.add('break', 'lines-too-many', { where: file, text });
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    findings.add('break', 'bundle-unreadable', { where: file, text: error.message });
  }
}

/** Somebody has signed a longer journal than is shown: made later, or the end was left out. */
function noteBeyond(
  { findings }: Auditing,
  of: {
    readonly size: number;
    readonly within: string;
    readonly others: readonly Vouched[];
  } & Pick<JournalToRead, 'isLost'>,
): void {
  const longest = of.others.toSorted((one, other) => other.size - one.size)[0];
  if (longest === undefined || longest.size <= of.size) return;
  if (of.isLost?.({ ...longest, root: base64url(longest.root) }) === true) {
    findings.add('note', 'lost-entries', { where: of.within, text: lostText(longest) });
    return;
  }
  const text = `${longest.by} is of ${longest.size} entries, and ${of.size} are shown: export it again, last of all`;
  findings.add('not-shown', 'journal-goes-on', { where: of.within, text });
}
