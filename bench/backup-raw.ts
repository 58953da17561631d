/** What the machine itself takes for a file as large: the raw baselines of the benchmark of backups. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const chunkBytes = 1024 * 1024;

function timed(work: () => void): number {
  const startedAt = performance.now();
  work();
  return (performance.now() - startedAt) / 1000;
}

function eachChunk(file: string, use: (chunk: Uint8Array) => void): void {
  const from = openSync(file, 'r');
  const chunk = new Uint8Array(chunkBytes);
  for (;;) {
    const read = readSync(from, chunk);
    if (read === 0) break;
    use(chunk.subarray(0, read));
  }
  closeSync(from);
}

function copy(file: string, to: string): void {
  const into = openSync(to, 'w');
  eachChunk(file, (chunk) => {
    for (let done = 0; done < chunk.length; done += writeSync(into, chunk, done));
  });
  fsyncSync(into);
  closeSync(into);
}

/** Seconds of each. */
export interface Raw {
  /** A copy by reading and writing, and one sync at its end. */
  readonly copy: number;
  readonly sha256: number;
  /** SQLite's own full look at form and indexes. */
  readonly integrityCheck: number;
}

/** Measures them on a database that nobody has open. */
export function measureRaw(database: string, scratch: string): Raw {
  const seconds = timed(() => copy(database, scratch));
  rmSync(scratch);
  const hash = createHash('sha256');
  const sha256 = timed(() => eachChunk(database, (chunk) => hash.update(chunk)));
  const db = new DatabaseSync(database, { readOnly: true });
  const integrityCheck = timed(() => {
    const [row] = db.prepare('pragma integrity_check').all();
    if (row?.['integrity_check'] !== 'ok') throw new Error('the database is damaged');
  });
  db.close();
  return { copy: seconds, sha256, integrityCheck };
}
