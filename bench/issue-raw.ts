/**
 * The second baseline: node:sqlite writes the rows of an issue by hand, into the real tables with
 * their indexes, without rules, hashes, signatures or HTTP. One commit for each, and one for a hundred.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { timedId } from '../src/core/id.ts';

const migrations = ['common-001-books.sql', 'server-001-license-server.sql'];
const now = 1_800_000_000_000;
/** Characters of a journal entry, as they come out of the license path. */
const entryChars = 520;

function openRaw(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000');
  db.exec('pragma cache_size = -32768');
  for (const name of migrations) {
    db.exec(readFileSync(new URL(`../src/store/migrations/${name}`, import.meta.url), 'utf8'));
  }
  const zero = new Uint8Array(32);
  db.prepare(
    `insert into authorities values ('aid', '1', 'key', null, '', '', 'active', ?, 0, 0, 0, 0, 0, '', 0)`,
  ).run(zero);
  db.exec(`insert into lines values (1, '1', 0, 'aid', 'p', 'p', 'p', 1, 'device', 0, 0, '', 0, '', 0)`);
  db.exec(`insert into unit_ranges (line_id, pool, first_unit, last_unit) values (1, '', 1, 1000000)`);
  db.exec(`insert into accounts values ('1/0/unissued', 1000000), ('1/0/issued', 0)`);
  return db;
}

/** A function that writes the rows of one issue. */
function writer(db: DatabaseSync): () => void {
  const account = db.prepare('update accounts set balance = ? where id = ?');
  const unit = db.prepare('update unit_ranges set first_unit = first_unit + 1 where position = 1');
  const license = db.prepare(
    `insert into licenses (line_id, kind, holder, sub, unit, origin, state, aid, jti,
       generation, late, log_size, log_root, issued_at, renewed_at, expires_at, lease_end)
     values (1, 'device', ?, ?, ?, '', 'issued', 'aid', ?, 1, 0, ?, '0123456789ab', ?, ?, ?, ?)`,
  );
  const journal = db.prepare(
    `insert into journal (log, position, id, kind, at, text, leaf) values ('server', ?, ?, 'issued', ?, ?, ?)`,
  );
  const head = db.prepare('insert or replace into logs (log, size, frontier) values (?, ?, ?)');
  const text = 'x'.repeat(entryChars);
  const leaf = new Uint8Array(32);
  const frontier = new Uint8Array(8 + 32 * 8);
  let count = 0;
  return () => {
    count += 1;
    const id = timedId(now + count, randomBytes(10));
    const sub = randomBytes(32).toString('base64url');
    unit.run();
    license.run(
      `PC-${randomBytes(6).toString('hex')}`,
      sub,
      count,
      id,
      count,
      now,
      now,
      now + count,
      now + count,
    );
    account.run(1_000_000 - count, '1/0/unissued');
    account.run(count, '1/0/issued');
    journal.run(count - 1, id, now, text, leaf);
    head.run('server', count, frontier);
  };
}

export interface RawRates {
  /** Issues per second. */
  readonly oneByOne: number;
  readonly groupsOf100: number;
}

/** Measures both ways, each for a while, in a new file below `dir`. */
export function measureRaw(dir: string, name: string): RawRates {
  const db = openRaw(join(dir, `${name}.db`));
  const write = writer(db);
  const rate = (commits: number, group: number): number => {
    const startedAt = performance.now();
    for (let commit = 0; commit < commits; commit += 1) {
      db.exec('begin immediate');
      for (let one = 0; one < group; one += 1) write();
      db.exec('commit');
    }
    return (commits * group * 1000) / (performance.now() - startedAt);
  };
  rate(5, 100);
  const rates = { oneByOne: rate(400, 1), groupsOf100: rate(60, 100) };
  db.close();
  return rates;
}
