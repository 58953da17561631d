/**
 * This server for an auditor (protocol §6, docs/audit.md): the manifest and documents at once, the entries
 * of its journal page by page, so that no more than a page is ever in memory.
 */
import { base64url } from '../../core/bytes.ts';
import { ok } from '../../core/result.ts';
import type { Document, Manifest } from '../../protocol/audit-bundle.ts';
import { documentLine, documentsDigest, headerLine } from '../../protocol/audit-bundle.ts';
import { signCheckpoint } from '../../protocol/checkpoint.ts';
import { listCheckpoints } from '../../store/checkpoint-rows.ts';
import { readMeta } from '../../store/meta-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import { listAuthorities } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { serverLog } from './license-token.ts';
import { ownLog } from './witness.ts';

export interface BundleBeginning {
  /** The first lines of the file, each with its line feed. */
  readonly start: string;
  /** The journals that follow, in this order, so many entries of each. */
  readonly journals: readonly { readonly log: string; readonly size: number }[];
}

/** The beginning of this server's bundle. */
export async function beginBundle(context: ServerContext): Promise<BundleBeginning> {
  // Within `write` nothing moves between two statements; nothing is written.
  const begun = await context.store.write(async (tx) => {
    const documents = await documentsOf(tx);
    const signer = ownLog(context);
    const head = await tx.head(serverLog);
    documents.push({ checkpoint: signCheckpoint(context.digest, { origin: signer.name, ...head }, signer) });
    const lines = documents.map(documentLine);
    const manifest: Manifest = {
      ...{ t: 'audit-bundle', v: 1, kind: 'server', publisher: context.publisher },
      ...{ agreement: null, server: context.licenseServerId, at: context.clock.nowMs() },
      documents: documentsDigest(context.digest, lines),
      journals: [{ log: serverLog, size: head.size, root: base64url(head.root) }],
    };
    const all = [headerLine(manifest, context.key), ...lines];
    return ok({ start: `${all.join('\n')}\n`, journals: [{ log: serverLog, size: head.size }] });
  });
  if (!begun.ok) throw new Error(`A bundle cannot be refused, but was: ${begun.error.code}`);
  return begun.value;
}

/** Trust list, kits or certificates, and all checkpoints that this server has cosigned or that were of it. */
async function documentsOf(tx: ReadTx): Promise<Document[]> {
  const documents: Document[] = [];
  const trustList = await readMeta(tx, 'trustList');
  if (trustList !== undefined) documents.push({ trustList });
  for (const { basis, document } of await listAuthorities(tx)) {
    documents.push(basis === 'key' ? { certificate: document } : { kit: document });
  }
  for (const { note, conflict } of await listCheckpoints(tx)) {
    documents.push({ checkpoint: note });
    if (conflict !== null && conflict !== note) documents.push({ conflict });
  }
  return documents;
}

/** Entries of the journal as their lines in a bundle, from a position on. */
export async function exportEntries(
  context: ServerContext,
  range: { readonly from: number; readonly limit: number },
): Promise<readonly string[]> {
  const rows = await context.store.read((tx) => tx.journal(serverLog, range.from, range.limit));
  return rows.map(({ text }) => text);
}
