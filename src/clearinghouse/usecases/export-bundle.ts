/**
 * An agreement for an auditor (protocol §6, docs/audit.md): the manifest and documents at once, the entries
 * of its journals page by page, so that no more than a page is ever in memory.
 */
import { base64url } from '../../core/bytes.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Document, Manifest } from '../../protocol/audit-bundle.ts';
import { documentLine, documentsDigest, headerLine } from '../../protocol/audit-bundle.ts';
import { serverOrigin, signCheckpoint } from '../../protocol/checkpoint.ts';
import { agreementKits, findAgreement } from '../../store/agreement-rows.ts';
import { listCheckpoints } from '../../store/checkpoint-rows.ts';
import { authoritiesOfAgreement, findServer } from '../../store/committed-server-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { publisherLog } from './products.ts';
import { trustListInForce } from './trust-lists.ts';
import { ownLog } from './witness.ts';

export interface BundleBeginning {
  /** The first lines of the file, each with its line feed. */
  readonly start: string;
  /** The journals that follow, in this order, so many entries of each. */
  readonly journals: readonly { readonly log: string; readonly size: number }[];
}

/** The beginning of an agreement's bundle. Refused: `agreement-unknown`. */
export async function beginBundle(
  context: ClearinghouseContext,
  agreement: string,
): Promise<Result<BundleBeginning, Refusal>> {
  // Within `write` nothing moves between two statements; nothing is written.
  return context.store.write(async (tx) => {
    if ((await findAgreement(tx, agreement)) === undefined)
      return err({ code: 'agreement-unknown', agreement });
    const documents = await documentsOf(context, tx, agreement);
    const journals: Manifest['journals'][number][] = [];
    for (const log of [agreement, publisherLog]) {
      const head = await tx.head(log);
      const signer = ownLog(context, log);
      journals.push({ log, size: head.size, root: base64url(head.root) });
      documents.push({
        checkpoint: signCheckpoint(context.digest, { origin: signer.name, ...head }, signer),
      });
    }
    const lines = documents.map(documentLine);
    const manifest: Manifest = {
      ...{ t: 'audit-bundle', v: 1, kind: 'clearinghouse', publisher: context.publisher },
      ...{ agreement, server: null, at: context.clock.nowMs() },
      documents: documentsDigest(context.digest, lines),
      journals,
    };
    const all = [headerLine(manifest, context.issueKey), ...lines];
    return ok({ start: `${all.join('\n')}\n`, journals: journals.map(({ log, size }) => ({ log, size })) });
  });
}

/** Trust list, kits, certificates, the keys of its servers, and all checkpoints that concern it. */
async function documentsOf(
  context: ClearinghouseContext,
  tx: ReadTx,
  agreement: string,
): Promise<Document[]> {
  const documents: Document[] = [{ trustList: trustListInForce(context).token }];
  for (const { document: kit } of await agreementKits(tx, agreement)) documents.push({ kit });
  const servers = new Set<string>();
  for (const { licenseServerId, document: certificate } of await authoritiesOfAgreement(tx, agreement)) {
    servers.add(licenseServerId);
    if (certificate !== null) documents.push({ certificate });
  }
  const origins = new Set([ownLog(context, agreement).name]);
  for (const server of servers) {
    origins.add(serverOrigin(server));
    const publicKey = (await findServer(tx, server))?.publicKey ?? null;
    if (publicKey !== null) documents.push({ server, publicKey });
  }
  for (const { origin, note, conflict } of await listCheckpoints(tx)) {
    if (!origins.has(origin)) continue;
    documents.push({ checkpoint: note });
    if (conflict !== null && conflict !== note) documents.push({ conflict });
  }
  return documents;
}

/** Entries of a journal as their lines in a bundle, from a position on. */
export async function exportEntries(
  context: ClearinghouseContext,
  range: { readonly log: string; readonly from: number; readonly limit: number },
): Promise<readonly string[]> {
  const rows = await context.store.read((tx) => tx.journal(range.log, range.from, range.limit));
  return rows.map(({ text }) => text);
}
