/** What the machine itself takes for a file as large: the raw baselines of the benchmark of backups. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const chunkBytes = 1024 * 1024;

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

/** By name: a copy by reading and writing with one sync at its end; a digest; SQLite's own full look at form and indexes. */
export interface Raw {
  readonly seconds: Readonly<Record<string, number>>;
  readonly cpuSeconds: Readonly<Record<string, number>>;
}

/** Measures them on a database that nobody has open. */
export function measureRaw(database: string, scratch: string): Raw {
  const hash = createHash('sha256');
  const db = new DatabaseSync(database, { readOnly: true });
  const works: Readonly<Record<string, () => void>> = {
    copy: () => copy(database, scratch),
    sha256: () => eachChunk(database, (chunk) => hash.update(chunk)),
    integrity_check: () => {
      const [row] = db.prepare('pragma integrity_check').all();
      if (row?.['integrity_check'] !== 'ok') throw new Error('the database is damaged');
    },
  };
  const measured = Object.entries(works).map(([name, work]) => {
    const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
    work();
    const { user, system } = process.cpuUsage(cpu);
    return { name, seconds: (performance.now() - startedAt) / 1000, cpuSeconds: (user + system) / 1e6 };
  });
  db.close();
  rmSync(scratch);
  return {
    seconds: Object.fromEntries(measured.map(({ name, seconds }) => [name, seconds])),
    cpuSeconds: Object.fromEntries(measured.map(({ name, cpuSeconds }) => [name, cpuSeconds])),
  };
}
