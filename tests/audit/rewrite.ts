/** A database whose past is rewritten by somebody who owns it, with every hash made right again. */
import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { canonicalJson } from '../../src/core/canonical.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { emptyFrontier, encodeFrontier, leafHash } from '../../src/core/merkle.ts';
import { appendAll } from '../../src/core/merkle-proof.ts';
import { nodeDigest as digest } from '../../src/platform/digest.ts';

/** An entry as its leaf has it. */
export type Written = JsonObject & { readonly kind: string; readonly id: string; readonly body: JsonObject };

interface Row {
  readonly text: string;
}

/** Drops the triggers that keep the journal, and hands the open database over. */
export function withDatabase(file: string, work: (db: DatabaseSync) => void): void {
  // Whoever rewrites a history takes the seal of its database away as well.
  rmSync(`${file}-sum`, { force: true });
  const db = new DatabaseSync(file);
  try {
    db.exec('drop trigger if exists journal_keeps_rows; drop trigger if exists journal_keeps_words');
    work(db);
  } finally {
    db.close();
  }
}

/** Puts other entries into a journal: leaves, size and right edge are those of the new ones. */
export function rewriteJournal(
  file: string,
  log: string,
  edit: (entries: readonly Written[]) => readonly Written[],
): void {
  withDatabase(file, (db) => {
    const rows = db
      .prepare('select text from journal where log = ? order by position')
      .all(log) as unknown as readonly Row[];
    const entries = edit(rows.map(({ text }) => JSON.parse(text) as Written));
    db.prepare('delete from journal where log = ?').run(log);
    const insert = db.prepare(
      'insert into journal (log, position, id, kind, at, text, leaf) values (?, ?, ?, ?, ?, ?, ?)',
    );
    const leaves: Uint8Array[] = [];
    for (const [position, entry] of entries.entries()) {
      const text = canonicalJson(entry);
      const leaf = leafHash(digest, Buffer.from(text));
      leaves.push(leaf);
      insert.run(log, position, entry.id, entry.kind, Number(entry['at']), text, leaf);
    }
    const edge = encodeFrontier(appendAll(digest, emptyFrontier, leaves));
    db.prepare('update logs set size = ?, frontier = ? where log = ?').run(leaves.length, edge, log);
  });
}
