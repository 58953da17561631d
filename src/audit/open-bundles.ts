/**
 * The signed beginnings of all bundles: whose they are, which documents they bring, and every checkpoint
 * that anybody has signed, so that journals can be compared with what the other side has cosigned.
 */
import { base64url, bytesOfBase64url, equalBytes } from '../core/bytes.ts';
import { licenseServerId } from '../core/code.ts';
import type { Digest } from '../core/digest.ts';
import type { CalType } from '../core/product.ts';
import type { BundleStart, Manifest } from '../protocol/audit-bundle.ts';
import { linesOf, openManifest, readStart } from '../protocol/audit-bundle.ts';
import { authorityOfSlot, openCertificate, openKit } from '../protocol/authority.ts';
import type { NoteKey } from '../protocol/checkpoint.ts';
import { clearinghouseOrigin, openCheckpoint, readCheckpoint, serverOrigin } from '../protocol/checkpoint.ts';
import type { TrustList } from '../protocol/trust.ts';
import { checkpointKeys, claimedRoots, keyId, openTrustList } from '../protocol/trust.ts';
import type { Findings } from './finding.ts';
import type { Vouched } from './journal.ts';

export interface AuditFile {
  /** For the findings: its path. */
  readonly name: string;
  readonly chunks: Iterable<Uint8Array>;
}

/** A bundle whose signatures hold; its journals are still to be read from `lines`. */
export interface OpenBundle {
  readonly file: string;
  readonly manifest: Manifest;
  readonly madeAtMs: number;
  readonly lines: Iterator<Uint8Array>;
}

export interface Opened {
  readonly bundles: readonly OpenBundle[];
  /** By origin: what somebody has signed of that journal, but for its own manifest. */
  readonly vouched: ReadonlyMap<string, readonly Vouched[]>;
  /** By License Server ID. */
  readonly serverKeys: ReadonlyMap<string, Uint8Array>;
  /** By the name of an authority (aid). */
  readonly agreements: ReadonlyMap<string, string>;
  /** By `agreement/line`: what its CALs are for, as a kit or a certificate says it. */
  readonly types: ReadonlyMap<string, CalType>;
  readonly publishers: ReadonlySet<string>;
  readonly rootPinned: boolean;
  /** Key ids of the roots that the trust lists are signed by. */
  readonly roots: ReadonlySet<string>;
}

interface Opening {
  readonly digest: Digest;
  readonly findings: Findings;
  /** The publisher's root key as the auditor knows it; undefined: what the bundles claim. */
  readonly root: Uint8Array | undefined;
  readonly serverKeys: Map<string, Uint8Array>;
  readonly agreements: Map<string, string>;
  readonly types: Map<string, CalType>;
  readonly roots: Set<string>;
}

interface Begun {
  readonly file: string;
  readonly lines: Iterator<Uint8Array>;
  readonly start: BundleStart;
  readonly list: TrustList;
  readonly manifest: Manifest;
}

/** Opens all bundles up to their journals. What is not sound is a finding, and left out. */
export function openBundles(
  digest: Digest,
  files: readonly AuditFile[],
  of: { readonly findings: Findings; readonly root: Uint8Array | undefined },
): Opened {
  const opening: Opening = {
    ...{ digest, ...of, serverKeys: new Map(), agreements: new Map(), types: new Map(), roots: new Set() },
  };
  const begun: Begun[] = [];
  for (const file of files) {
    const one = beginOne(opening, file);
    if (typeof one !== 'string') begun.push(one);
    else of.findings.add('break', 'bundle-unreadable', { where: file.name, text: one });
  }
  if (opening.roots.size > 1) {
    const text = `the bundles are of publishers with different root keys: ${[...opening.roots].join(', ')}`;
    of.findings.add('break', 'roots-differ', { where: 'all bundles', text });
  }
  for (const one of begun) checkDocuments(opening, one);
  const vouched = collectCheckpoints(opening, begun);
  for (const one of begun) addManifest(vouched, one);
  const bundles = begun.map(({ file, manifest, lines }) => {
    return { file, manifest, lines, madeAtMs: manifest.at };
  });
  const { serverKeys, agreements, types, roots } = opening;
  const publishers = new Set(begun.map(({ manifest }) => manifest.publisher));
  const rootPinned = of.root !== undefined;
  return { bundles, vouched, serverKeys, agreements, types, publishers, roots, rootPinned };
}

function beginOne(opening: Opening, file: AuditFile): Begun | string {
  const { digest } = opening;
  const lines = linesOf(file.chunks);
  const start = readStart(digest, lines);
  if (!start.ok) return start.error;
  const token = start.value.documents.find((document) => 'trustList' in document)?.trustList;
  if (token === undefined) return 'it has no trust list';
  const { root } = opening;
  const roots = root === undefined ? claimedRoots(token) : [{ kid: keyId(digest, root), publicKey: root }];
  const list = openTrustList(digest, token, roots);
  if (!list.ok) return `its trust list is not signed by the publisher's root (${list.error.code})`;
  const keyOf = (kid: string): Uint8Array | undefined => {
    const key = list.value.keys.find((each) => each.kid === kid && !list.value.revoked.includes(kid));
    return key === undefined ? undefined : bytesOfBase64url(key.pk);
  };
  const opened = openManifest(digest, start.value, keyOf);
  if (!opened.ok) return opened.error;
  const { publicKey, ...manifest } = opened.value;
  if (manifest.publisher !== list.value.publisher) return 'its trust list is of another publisher';
  if (manifest.server !== null) opening.serverKeys.set(manifest.server, publicKey);
  for (const { kid } of list.value.roots) opening.roots.add(kid);
  return { file: file.name, lines, start: start.value, list: list.value, manifest };
}

/** Kits and certificates are the clearinghouse's, and a server's key is the one that its id is the hash of. */
function checkDocuments(opening: Opening, { file, start, list }: Begun): void {
  for (const document of start.documents) {
    let problem: string | undefined;
    if ('kit' in document) problem = takeKit(opening, document.kit, list);
    if ('certificate' in document) problem = takeCertificate(opening, document.certificate, list);
    if ('server' in document) problem = takeKey(opening, document);
    if (problem === undefined) continue;
    opening.findings.add('break', 'document-invalid', { where: file, text: problem });
  }
}

function takeKit(opening: Opening, token: string, list: TrustList): string | undefined {
  const { digest, agreements } = opening;
  const kit = openKit(token, list);
  if (!kit.ok) return `an agreement kit is not valid (${kit.error.code})`;
  takeTypes(opening, kit.value);
  for (const { slot } of kit.value.slots) {
    const authority = authorityOfSlot(digest, kit.value, slot);
    if (authority !== undefined) agreements.set(base64url(authority.aid), kit.value.agreement);
  }
  return undefined;
}

function takeCertificate(opening: Opening, token: string, list: TrustList): string | undefined {
  const { digest, agreements, serverKeys } = opening;
  const certificate = openCertificate(digest, token, list);
  if (!certificate.ok) return `a server certificate is not valid (${certificate.error.code})`;
  const { aid, agreement, pk } = certificate.value;
  agreements.set(aid, agreement);
  takeTypes(opening, certificate.value);
  const key = bytesOfBase64url(pk);
  if (key !== undefined) serverKeys.set(licenseServerId(digest, key), key);
  return undefined;
}

function takeTypes(
  { types }: Opening,
  { agreement, lines }: { readonly agreement: string; readonly lines: readonly { readonly type: CalType }[] },
): void {
  for (const [line, { type }] of lines.entries()) types.set(`${agreement}/${line}`, type);
}

function takeKey(
  { digest, serverKeys }: Opening,
  shown: { readonly server: string; readonly publicKey: string },
): string | undefined {
  const key = bytesOfBase64url(shown.publicKey);
  if (key === undefined || licenseServerId(digest, key) !== shown.server) {
    return `the key of ${shown.server} is not the one that its id is the hash of`;
  }
  serverKeys.set(shown.server, key);
  return undefined;
}

/** Every checkpoint in every bundle, its signatures verified, by the journal that it is of. */
function collectCheckpoints(opening: Opening, begun: readonly Begun[]): Map<string, readonly Vouched[]> {
  const vouched = new Map<string, readonly Vouched[]>();
  for (const one of begun) {
    for (const document of one.start.documents) {
      if ('checkpoint' in document) collectOne(opening, one, { vouched, note: document.checkpoint });
      if (!('conflict' in document)) continue;
      const origin = collectOne(opening, one, { vouched, note: document.conflict });
      if (origin === undefined) continue;
      const text = `${origin} has signed a journal that does not go on from what had been cosigned`;
      opening.findings.add('break', 'fork', { where: one.file, text });
    }
  }
  return vouched;
}

/** What an exporter has signed of each journal counts like a checkpoint: of an earlier bundle, for a later one. */
function addManifest(vouched: Map<string, readonly Vouched[]>, { file, manifest }: Begun): void {
  for (const { log, size, root: text } of manifest.journals) {
    const origin = originOf(manifest, log);
    const root = bytesOfBase64url(text) ?? new Uint8Array(0);
    const said = { size, root, by: `the manifest of ${file}`, seenAtMs: undefined };
    vouched.set(origin, [...(vouched.get(origin) ?? []), said]);
  }
}

/** Verifies one checkpoint and holds it against the others of its size. Answers whose it is. */
function collectOne(
  { digest, findings, ...opening }: Opening,
  { file: where, list, manifest }: Begun,
  of: { readonly vouched: Map<string, readonly Vouched[]>; readonly note: string },
): string | undefined {
  const { vouched, note } = of;
  const keys = keysFor(opening, { list, publisher: manifest.publisher, note });
  const opened = openCheckpoint(digest, note, keys);
  if (opened === undefined) {
    const named = readCheckpoint(note)?.origin ?? 'nothing that can be read';
    const text = `a checkpoint of ${named} is not signed by whom it names, or their key is not shown`;
    findings.add('break', 'checkpoint-invalid', { where, text });
    return undefined;
  }
  const { origin, size, root } = opened;
  const witnesses = opened.cosigned.map(({ name }) => name);
  const by = `a checkpoint in ${where}${witnesses.length === 0 ? '' : `, cosigned by ${witnesses.join(', ')},`}`;
  const before = vouched.get(origin) ?? [];
  const split = before.find((each) => each.size === size && !equalBytes(each.root, root));
  if (split !== undefined) {
    const text = `${origin} has two roots for ${size} entries: ${split.by} and ${by}`;
    findings.add('break', 'split-view', { where, text });
  }
  const times = opened.cosigned.map(({ atMs }) => atMs);
  const seenAtMs = times.length === 0 ? undefined : Math.min(...times);
  vouched.set(origin, [...before, { size, root, by, seenAtMs }]);
  return origin;
}

/** Which journal a log of a bundle is. */
export function originOf({ publisher, server }: Manifest, log: string): string {
  return server === null ? clearinghouseOrigin(publisher, log) : serverOrigin(server);
}

/** The keys that may stand under a checkpoint: of the log that it names, and of every witness there is. */
function keysFor(
  opening: Pick<Opening, 'serverKeys'>,
  of: { readonly list: TrustList; readonly publisher: string; readonly note: string },
): readonly NoteKey[] {
  const { list, publisher } = of;
  const origin = readCheckpoint(of.note)?.origin ?? '';
  const ours = clearinghouseOrigin(publisher);
  const keys: NoteKey[] = [...checkpointKeys(list, { name: ours, role: 'witness' })];
  if (origin.startsWith(`${ours}/`)) keys.push(...checkpointKeys(list, { name: origin, role: 'log' }));
  for (const [server, publicKey] of opening.serverKeys) {
    const name = serverOrigin(server);
    keys.push({ name, role: 'witness', publicKey });
    if (name === origin) keys.push({ name, role: 'log', publicKey });
  }
  return keys;
}
