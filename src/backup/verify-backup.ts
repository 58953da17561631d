/**
 * Is a backup what it was when it was made, and sound? Needs no data folder and no program: without the
 * customer's key the beginning and the digest of the sealed part, with it everything that is within.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { base64url } from '../core/bytes.ts';
import { canonicalJson } from '../core/canonical.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import type { BackupManifest } from '../protocol/backup-manifest.ts';
import { firstLineBytes, headerBytesOf, readBackupHeader } from '../protocol/backup-manifest.ts';
import { claimedRoots, openTrustList } from '../protocol/trust.ts';
import type { CopyContents } from '../store/sqlite-copy.ts';
import { checkCopy, readCopy } from '../store/sqlite-copy.ts';
import type { Measured } from './age-file.ts';
import { measureFile, unsealFile } from './age-file.ts';
import { reasonOf } from './failure-words.ts';
import { contentsOf } from './make-backup.ts';

export type BackupFinding = {
  /** Stable, for programs. */
  readonly code:
    | 'not-a-backup'
    | 'manifest-altered'
    | 'sealed-altered'
    | 'contents-altered'
    | 'database-damaged'
    | 'contents-differ'
    | 'signer-unknown';
  readonly text: string;
};

export interface VerifiedBackup {
  readonly verdict: 'ok' | 'broken';
  /** Whether it was opened with a key; without, nothing is known of what is within. */
  readonly opened: boolean;
  /** What it says it is, under its signature; null where that cannot be read. */
  readonly manifest: BackupManifest | null;
  readonly bytes: number;
  /** The files within, beside the database. */
  readonly parts: readonly string[];
  readonly findings: readonly BackupFinding[];
}

/** The beginning of a backup, and where the sealed part begins. The error is a finding. */
export async function readBackup(
  path: string,
): Promise<Result<{ readonly manifest: BackupManifest; readonly sealedAt: number }, BackupFinding>> {
  const file = await open(path, 'r');
  try {
    const length = headerBytesOf(await readStart(file, firstLineBytes));
    if (length === undefined) {
      return err({ code: 'not-a-backup', text: 'its first line is not that of a Calyx backup' });
    }
    const header = readBackupHeader(nodeDigest, await readStart(file, length));
    if (!header.ok) return err({ code: 'manifest-altered', text: header.error });
    const { publicKey: _, ...manifest } = header.value;
    return ok({ manifest, sealedAt: length });
  } finally {
    await file.close();
  }
}

async function readStart(file: FileHandle, length: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  const buffer = new Uint8Array(Math.min(length, size));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  return buffer.subarray(0, bytesRead);
}

/**
 * Verifies a backup, with the identities of age that open it or without. What is within is unsealed to `keepAt`,
 * where it stays; without that into a folder beside the file, for its owner only, and removed. Throws `Failure` `backup-key-other` where the key
 * is another's, and what the file system throws.
 */
export async function verifyBackup(
  path: string,
  identities: readonly string[] | undefined,
  keepAt?: string,
): Promise<VerifiedBackup> {
  const bytes = statSync(path).size;
  const broken = (
    manifest: BackupManifest | null,
    ...findings: readonly BackupFinding[]
  ): VerifiedBackup => ({
    ...{ verdict: 'broken', opened: false, manifest, bytes, parts: [], findings },
  });
  const read = await readBackup(path);
  if (!read.ok) return broken(null, read.error);
  const { manifest, sealedAt } = read.value;
  const sealed = await measureFile(path, sealedAt);
  if (!isSame(sealed, manifest.sealed)) {
    const text = `its sealed part has ${sealed.bytes} bytes, and is not the one of ${manifest.sealed.bytes} that was signed`;
    return broken(manifest, { code: 'sealed-altered', text });
  }
  if (identities === undefined) {
    return { verdict: 'ok', opened: false, manifest, bytes, parts: [], findings: [] };
  }
  const scratch = keepAt === undefined ? mkdtempSync(join(dirname(path), '.calyx-verify-')) : undefined;
  try {
    const to = keepAt ?? join(scratch ?? '', 'copy.db');
    const plain = await unseal({ path, from: sealedAt, to, identities }, manifest);
    const { parts, findings } = lookInto(to, manifest, plain);
    const verdict = findings.length === 0 ? 'ok' : 'broken';
    return { verdict, opened: true, manifest, bytes, parts, findings };
  } finally {
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
  }
}

const isSame = (found: Measured, told: BackupManifest['plain']): boolean =>
  found.bytes === told.bytes && base64url(found.sha256) === told.sha256;

/** An error of the library's over bytes whose digest was signed is about the key. */
async function unseal(
  sealed: Parameters<typeof unsealFile>[0],
  { recipients }: BackupManifest,
): Promise<Measured> {
  try {
    return await unsealFile(sealed);
  } catch (error) {
    if (error instanceof Error && !('code' in error)) {
      throw new Failure('The key does not open this backup.', {
        code: 'backup-key-other',
        next: `Give the key of ${recipients.join(' or ')} with --key FILE.`,
        details: { recipients: [...recipients] },
        cause: error,
      });
    }
    throw error;
  }
}

type Look = Pick<VerifiedBackup, 'parts' | 'findings'>;

/** Everything that can be checked with the database in hand; what cannot be read ends it. */
function lookInto(copy: string, manifest: BackupManifest, plain: Measured): Look {
  if (!isSame(plain, manifest.plain)) {
    const text = 'the database within is not the one that was signed';
    return { parts: [], findings: [{ code: 'contents-altered', text }] };
  }
  try {
    checkCopy(copy, nodeDigest);
    const found = readCopy(copy, nodeDigest, manifest.kind);
    return { parts: found.parts, findings: [...differences(manifest, found), ...signer(manifest, found)] };
  } catch (error) {
    return { parts: [], findings: [{ code: 'database-damaged', text: reasonOf(error) }] };
  }
}

/** What the manifest says and the database does not, by the name of the field. */
function differences(manifest: BackupManifest, found: CopyContents): readonly BackupFinding[] {
  return Object.entries(contentsOf(found))
    .filter(([name, value]) => canonicalJson(value) !== canonicalJson(manifest[name as 'lines']))
    .map(([name]) => ({
      code: 'contents-differ',
      text: `the manifest and the database within differ in: ${name}`,
    }));
}

/**
 * The key of a license server is its id. That of a clearinghouse must be in the trust list that its database
 * goes by: otherwise anybody could make one in the publisher's name.
 */
function signer(manifest: BackupManifest, found: CopyContents): readonly BackupFinding[] {
  if (manifest.kind === 'server') return [];
  const list = openTrustList(nodeDigest, found.trustList, claimedRoots(found.trustList));
  if (
    list.ok &&
    list.value.publisher === manifest.publisher &&
    list.value.keys.some(({ kid }) => kid === manifest.id)
  ) {
    return [];
  }
  const text = `it is signed by ${manifest.id}, which is no key of ${manifest.publisher} in the trust list within`;
  return [{ code: 'signer-unknown', text }];
}
