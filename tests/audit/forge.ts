/** A bundle whose server adds to its journal what never happened, and signs it: its cosigned past stays as it is. */
import { base64url } from '../../src/core/bytes.ts';
import { canonicalJson } from '../../src/core/canonical.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Posting } from '../../src/core/ledger.ts';
import { emptyFrontier, leafHash } from '../../src/core/merkle.ts';
import { appendAll, headOf } from '../../src/core/merkle-proof.ts';
import { nodeDigest as digest } from '../../src/platform/digest.ts';
import type { Manifest } from '../../src/protocol/audit-bundle.ts';
import { documentsDigest, headerLine } from '../../src/protocol/audit-bundle.ts';
import { readCheckpoint } from '../../src/protocol/checkpoint.ts';
import type { SigningKey } from '../../src/protocol/paseto.ts';
import { readPayload } from '../../src/protocol/paseto.ts';

export interface Forged {
  readonly kind: string;
  readonly at: number;
  readonly body: JsonObject;
  readonly postings: readonly Posting[];
}

const isOwn = (line: string): boolean => {
  const { checkpoint } = JSON.parse(line) as { readonly checkpoint?: string };
  // Its own newest one has no other signature beneath it: a forger does not hand that in.
  return (
    checkpoint !== undefined &&
    readCheckpoint(checkpoint) !== undefined &&
    checkpoint.split('\n— ').length === 2
  );
};

/** The bundle of a license server as it would be with these entries at the end, dated and signed like any other. */
export function forgeTail(
  bundle: Uint8Array,
  key: SigningKey,
  of: {
    readonly entries: readonly Forged[];
    /** When it says that it was exported. */
    readonly at?: number;
  },
): Uint8Array {
  const [header = '', ...lines] = Buffer.from(bundle).toString('utf8').slice(0, -1).split('\n');
  const { manifest: token } = JSON.parse(header) as { readonly manifest: string };
  const manifest = readPayload(token) as unknown as Manifest;
  const documents = lines.slice(0, manifest.documents.count).filter((line) => !isOwn(line));
  const forged = of.entries.map((entry, at) =>
    canonicalJson({ ...entry, postings: [...entry.postings], id: `forged-${at}`, log: 'server', v: 1 }),
  );
  const journal = [...lines.slice(manifest.documents.count), ...forged];
  const leaves = journal.map((line) => leafHash(digest, Buffer.from(line)));
  const { size, root } = headOf(digest, appendAll(digest, emptyFrontier, leaves));
  const signed: Manifest = {
    ...{ ...manifest, at: of.at ?? manifest.at },
    documents: documentsDigest(digest, documents),
    journals: [{ log: 'server', size, root: base64url(root) }],
  };
  return Buffer.from([headerLine(signed, key), ...documents, ...journal, ''].join('\n'));
}

/** The entries of a bundle that are of a kind. */
export function entriesOf(bundle: Uint8Array, kind: string): readonly Forged[] {
  const lines = Buffer.from(bundle).toString('utf8').slice(0, -1).split('\n');
  return lines.map((line) => JSON.parse(line) as Forged).filter((entry) => entry.kind === kind);
}
