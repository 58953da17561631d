/**
 * The quick look at the books on every open: sizes, last entries and sums. The full replay of every
 * leaf is the audit's work.
 */
import type { DatabaseSync } from 'node:sqlite';
import { equalBytes } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import { isSourceAccount, lineOf } from '../core/ledger.ts';
import type { Frontier } from '../core/merkle.ts';
import { append, decodeFrontier, emptyFrontier, leafHash } from '../core/merkle.ts';
import { StoreFailure } from './port.ts';

/** The last subtree is recomputed from its stored leaves up to this size. */
const mostLeaves = 1024;

/** Throws `StoreFailure` `damaged` where journals, heads and accounts do not fit together. */
export function checkBooks(db: DatabaseSync, digest: Digest): void {
  checkSizes(db);
  for (const row of db.prepare('select log, size, frontier from logs').all()) {
    const { log, size, frontier: bytes } = row as { log: string; size: number; frontier: Uint8Array };
    const frontier = decodeFrontier(bytes);
    if (frontier === undefined || frontier.size !== size)
      damaged(`the stored head of journal ${log} is unreadable`);
    checkLastEntry(db, digest, { log, size });
    checkLastSubtree(db, digest, { log, frontier });
  }
  checkSums(db);
}

function damaged(what: string): never {
  throw new StoreFailure('damaged', `the database is damaged: ${what}`);
}

/** Each journal holds as many entries as its head says, without a gap. */
function checkSizes(db: DatabaseSync): void {
  const sizes = new Map<unknown, unknown>();
  for (const { log, size } of db.prepare('select log, size from logs').all()) sizes.set(log, size);
  const counted = 'select log, count(*) as entries, max(position) as last from journal group by log';
  for (const { log, entries, last } of db.prepare(counted).all()) {
    const size = sizes.get(log) ?? 0;
    if (entries !== size || Number(last) + 1 !== size) {
      damaged(`journal ${log} holds ${entries} entries up to position ${last}, its head speaks of ${size}`);
    }
    sizes.delete(log);
  }
  for (const [log, size] of sizes) damaged(`journal ${log} is empty, its head speaks of ${size} entries`);
}

function checkLastEntry(db: DatabaseSync, digest: Digest, end: { log: string; size: number }): void {
  const row = db
    .prepare('select text, leaf from journal where log = ? and position = ?')
    .get(end.log, end.size - 1) as { text: string; leaf: Uint8Array } | undefined;
  const leaf = row && leafHash(digest, Buffer.from(row.text, 'utf8'));
  if (row === undefined || leaf === undefined || !equalBytes(leaf, row.leaf)) {
    damaged(`the last entry of journal ${end.log} is not the one that was hashed`);
  }
}

/** The smallest full subtree of the head is recomputed from the leaves it covers, where it is not large. */
function checkLastSubtree(db: DatabaseSync, digest: Digest, head: { log: string; frontier: Frontier }): void {
  const { size, hashes } = head.frontier;
  let leaves = 1;
  while (size % (leaves * 2) === 0) leaves *= 2;
  if (leaves > mostLeaves) return;
  let subtree = emptyFrontier;
  const stored = db.prepare('select leaf from journal where log = ? and position >= ? order by position');
  for (const { leaf } of stored.iterate(head.log, size - leaves)) {
    subtree = append(digest, subtree, leaf as Uint8Array);
  }
  const [expected] = subtree.hashes;
  const found = hashes.at(-1);
  if (expected === undefined || found === undefined || !equalBytes(expected, found)) {
    damaged(`the head of journal ${head.log} does not cover its last ${leaves} entries`);
  }
}

/** In each line, what came in equals what is there (protocol §1.3, I1 and I2). */
function checkSums(db: DatabaseSync): void {
  const lines = new Map<string, { came: number; there: number }>();
  for (const row of db.prepare('select id, balance from accounts').iterate()) {
    const { id, balance } = row as { id: string; balance: number };
    const line = lineOf(id) ?? damaged(`there is an account called ${id}`);
    const sums = lines.get(line) ?? { came: 0, there: 0 };
    if (isSourceAccount(id)) sums.came += balance;
    else sums.there += balance;
    lines.set(line, sums);
  }
  for (const [line, { came, there }] of lines) {
    if (came !== there) damaged(`${came} units came into line ${line}, its accounts hold ${there}`);
  }
}
