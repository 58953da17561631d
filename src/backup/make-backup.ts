/**
 * One backup, from the database in use to the finished file: copy, look at the copy, seal, sign, rename.
 * It runs in a thread of its own (backup-thread.ts) and knows neither of the two programs.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { base64url } from '../core/bytes.ts';
import { syncFolder } from '../platform/atomic-file.ts';
import { nodeDigest } from '../platform/digest.ts';
import type { BackupContents, BackupManifest } from '../protocol/backup-manifest.ts';
import { writeBackupHeader } from '../protocol/backup-manifest.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import type { CopiedPart, CopyContents } from '../store/sqlite-copy.ts';
import { copyDatabase, readCopy } from '../store/sqlite-copy.ts';
import type { Measured, SealedSize } from './age-file.ts';
import { sealFile } from './age-file.ts';

export interface BackupOrder {
  readonly database: string;
  readonly parts: readonly CopiedPart[];
  /** A folder to be made for the copy, and removed: on the disk of the database, which holds such things already. */
  readonly scratch: string;
  /** The file to make, and what it is called until it is whole. */
  readonly file: string;
  readonly temporary: string;
  readonly recipients: readonly string[];
  readonly key: SigningKey;
  /** What the manifest says that the database does not. */
  readonly whose: Pick<BackupManifest, 'kind' | 'id' | 'publisher' | 'name' | 'version' | 'at'>;
}

export interface MadeBackup {
  readonly manifest: BackupManifest;
  readonly bytes: number;
}

/** The copy takes a quarter of the time, sealing it the rest. */
const copyPart = 0.25;

/**
 * Makes it whole or not at all; `copied` is told when nothing of SQLite is used any more. Throws what SQLite and
 * the file system throw.
 */
export async function makeBackup(
  order: BackupOrder,
  progress: (part: number) => void,
  copied: () => void = () => undefined,
): Promise<MadeBackup> {
  const { temporary } = order;
  const copy = join(order.scratch, 'copy.db');
  try {
    mkdirSync(order.scratch, { mode: 0o700 });
    const { database: from, parts } = order;
    await copyDatabase({ from, to: copy, parts, progress: (part) => progress(part * copyPart) });
    const contents = contentsOf(readCopy(copy, nodeDigest, order.whose.kind));
    copied();
    const into = await open(temporary, 'wx', 0o600);
    let made: MadeBackup;
    try {
      const rest = (part: number): void => progress(copyPart + part * (1 - copyPart));
      made = await seal(order, { copy, contents, into }, rest);
      await into.sync();
    } finally {
      await into.close();
    }
    if (existsSync(order.file)) throw new Error(`there is a file ${order.file} already`);
    renameSync(temporary, order.file);
    syncFolder(dirname(order.file));
    return made;
  } finally {
    rmSync(order.scratch, { recursive: true, force: true });
    rmSync(temporary, { force: true });
  }
}

/** What a manifest says of a copy. */
export function contentsOf(copy: CopyContents): BackupContents {
  const { generation, agreements, servers } = copy;
  return {
    ...{ generation, agreements, servers },
    journals: copy.journals.map(({ log, size, root }) => ({ log, size, root: base64url(root) })),
    lines: copy.lines.map(({ type, ...line }) => ({ ...line, type: type as 'device' })),
  };
}

const measure = ({ bytes, sha256 }: Measured): BackupManifest['plain'] => ({
  bytes,
  sha256: base64url(sha256),
});

async function seal(
  order: BackupOrder,
  on: { readonly copy: string; readonly contents: BackupContents; readonly into: FileHandle },
  progress: (part: number) => void,
): Promise<MadeBackup> {
  const { recipients, key } = order;
  const manifestOf = (measured: Pick<BackupManifest, 'plain' | 'sealed'>): BackupManifest => ({
    ...{ t: 'backup', v: 1 },
    ...order.whose,
    ...on.contents,
    ...measured,
    recipients: [...recipients],
  });
  // The manifest stands before what it measures. Every digest is equally long, and so the beginning is, too.
  const unknown = new Uint8Array(32);
  let start = 0;
  const begin = ({ plainBytes, sealedBytes }: SealedSize): number => {
    const sizes = {
      plain: measure({ bytes: plainBytes, sha256: unknown }),
      sealed: measure({ bytes: sealedBytes, sha256: unknown }),
    };
    start = writeBackupHeader(manifestOf(sizes), key).length;
    return start;
  };
  const measured = await sealFile({ plain: on.copy, into: on.into, recipients, begin, progress });
  const manifest = manifestOf({ plain: measure(measured.plain), sealed: measure(measured.sealed) });
  const header = writeBackupHeader(manifest, key);
  if (header.length !== start) throw new Error('the database copy changed while it was sealed');
  await on.into.write(header, 0, header.length, 0);
  return { manifest, bytes: start + measured.sealed.bytes };
}
