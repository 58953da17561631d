/**
 * A program's database as a crash would leave it: the files of a killed or stopped process, copied
 * and opened elsewhere, so that looking at them cannot help the program to recover.
 */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ClearinghouseLine, ServerLine } from '../../src/core/account.ts';
import {
  conservesEntitled,
  conservesInstalled,
  sumClearinghouse,
  sumServer,
} from '../../src/core/account.ts';
import type { ProgramPlace } from './programs.ts';
import { Replay } from './replay.ts';

export interface LiveLicense {
  readonly server: string;
  readonly line: number;
  readonly kind: string;
  readonly holder: string;
  readonly sub: string;
  readonly unit: number;
  readonly origin: string;
  readonly state: 'issued' | 'held';
  /** Names the token that was given out last. */
  readonly jti: string;
  readonly expiresAt: number;
  /**
   * Its own token is over before the last lease: it was given back, and its unit waits for an older token; or
   * its holder has it again since, or it came with a move, and that older token simply runs longer.
   */
  readonly mayBeEnded: boolean;
}

/** A unit that came with a move for somebody who has not come yet. */
export interface Waiting {
  readonly server: string;
  readonly line: number;
  readonly sub: string;
  readonly origin: string;
}

export interface TemporaryLicense {
  readonly holder: string;
  readonly jti: string;
  readonly validated: boolean;
}

export interface ServerImage {
  readonly lines: readonly ServerLine[];
  readonly live: readonly LiveLicense[];
  readonly waiting: readonly Waiting[];
  /** By holder. */
  readonly temporaries: ReadonlyMap<string, TemporaryLicense>;
}

export interface MoveImage {
  readonly id: string;
  readonly state: string;
  readonly target: string;
  readonly line: number;
}

export interface ClearinghouseImage {
  readonly lines: readonly ClearinghouseLine[];
  readonly moves: readonly MoveImage[];
  /** Servers whose past was found not to fit: never an honest one. */
  readonly suspects: readonly string[];
  /** In transit, by move and line: `move/line`. */
  readonly inTransit: ReadonlyMap<string, number>;
}

/** Looks at one program's images, one after the other, and replays its journal on the way. */
export class Witness {
  readonly #place: ProgramPlace;
  readonly #scratch: string;
  #replay: Replay;
  #looks = 0;

  constructor(place: ProgramPlace, scratch: string) {
    this.#place = place;
    this.#scratch = join(scratch, `image-${place.name}`);
    this.#replay = new Replay(place.name);
  }

  /**
   * Copies, opens, checks the file and the journal; only while the process is dead or stopped. `thoroughly`
   * replays the whole journal, from its first entry.
   */
  look<T>(read: (db: DatabaseSync) => T, thoroughly = false): T {
    const before = this.#replay.entries;
    if (thoroughly) this.#replay = new Replay(this.#place.name);
    rmSync(this.#scratch, { recursive: true, force: true });
    mkdirSync(this.#scratch, { recursive: true });
    const copy = join(this.#scratch, this.#place.database);
    const original = join(this.#place.dir, this.#place.database);
    copyFileSync(original, copy);
    if (existsSync(`${original}-wal`)) copyFileSync(`${original}-wal`, `${copy}-wal`);
    const db = new DatabaseSync(copy);
    try {
      this.#looks += 1;
      const [check] = db.prepare('pragma quick_check').all();
      assert.deepEqual({ ...check }, { quick_check: 'ok' }, `${this.#place.name}: look ${this.#looks}`);
      this.#replay.readOn(db);
      assert.ok(this.#replay.entries >= before, `${this.#place.name}: no entry is gone`);
      return read(db);
    } finally {
      db.close();
    }
  }
}

const rows = <Row>(db: DatabaseSync, sql: string): readonly Row[] =>
  db.prepare(sql).all() as unknown as Row[];

function balancesOf(db: DatabaseSync): ReadonlyMap<string, number> {
  const found = rows<{ id: string; balance: number }>(db, 'select id, balance from accounts');
  return new Map(found.map(({ id, balance }) => [id, balance]));
}

/** What a license server's tables say; each account is held against the rows that it counts. */
export function readServer(server: string): (db: DatabaseSync) => ServerImage {
  return (db) => {
    const lines = sumServer(balancesOf(db));
    for (const line of lines) assert.ok(conservesInstalled(line), `${server}: ${JSON.stringify(line)}`);
    checkCounts(server, db, lines);
    checkUnits(server, db);
    const live = rows<Omit<LiveLicense, 'server' | 'mayBeEnded'> & { mayBeEnded: number }>(
      db,
      `select n.line, l.kind, l.holder, l.sub, l.unit, l.origin, l.state, l.jti, l.expires_at as "expiresAt",
         l.expires_at < l.lease_end as "mayBeEnded"
       from licenses l join lines n on n.id = l.line_id where l.state in ('issued', 'held')`,
    ).map((row) => ({ ...row, mayBeEnded: row.mayBeEnded === 1, server }));
    const waiting = rows<Omit<Waiting, 'server'>>(
      db,
      `select n.line, r.sub, r.origin from reservations r join lines n on n.id = r.line_id
       where r.state in ('reserved', 'frozen')`,
    ).map((row) => ({ ...row, server }));
    const temporaries = rows<{ holder: string; jti: string; validatedAt: number | null }>(
      db,
      'select holder, jti, validated_at as "validatedAt" from temporaries',
    ).map(
      ({ holder, jti, validatedAt }) => [holder, { holder, jti, validated: validatedAt !== null }] as const,
    );
    return { lines, live, waiting, temporaries: new Map(temporaries) };
  };
}

/** Sum of the rows of each state, by line, beside the account that counts them. */
const counts: Readonly<Record<'issued' | 'unissued' | 'reserved' | 'held', readonly string[]>> = {
  issued: [`select line_id as id, count(*) as amount from licenses where state = 'issued' group by line_id`],
  unissued: [
    `select line_id as id, sum(last_unit - first_unit + 1) as amount from unit_ranges
     where pool = '' and first_unit <= last_unit group by line_id`,
  ],
  reserved: [
    `select line_id as id, count(*) as amount from reservations where state = 'reserved' group by line_id`,
    'select line_id as id, sum(amount) as amount from reserves group by line_id',
  ],
  held: [
    `select line_id as id, count(*) as amount from licenses where state = 'held' group by line_id`,
    `select line_id as id, count(*) as amount from reservations where state = 'frozen' group by line_id`,
    `select u.line_id as id, sum(u.last_unit - u.first_unit + 1) as amount from unit_ranges u
     join moves m on m.id = u.pool and m.role = 'source' and m.state = 'frozen'
     where u.first_unit <= u.last_unit group by u.line_id`,
    `select r.line_id as id, sum(f.amount) as amount from frozen_reserves f
     join reserves r on r.id = f.reserve join moves m on m.id = f.move and m.state = 'frozen' group by r.line_id`,
  ],
};

function checkCounts(server: string, db: DatabaseSync, books: readonly ServerLine[]): void {
  const lines = rows<{ id: number; agreement: string; line: number }>(
    db,
    'select id, agreement, line from lines',
  );
  for (const [account, queries] of Object.entries(counts)) {
    const amounts = queries.flatMap((sql) => rows<{ id: number; amount: number }>(db, sql));
    for (const { id, agreement, line } of lines) {
      const counted = amounts.filter((row) => row.id === id).reduce((sum, row) => sum + row.amount, 0);
      const book = books.find((each) => each.agreement === agreement && each.line === line);
      const booked = book === undefined ? 0 : book[account as keyof typeof counts];
      assert.equal(counted, booked, `${server}: ${account} of line ${line}, rows and books`);
    }
  }
}

/** Every unit number is in one place only: with one holder, or in one pool; and all are accounted for. */
function checkUnits(server: string, db: DatabaseSync): void {
  const seen = new Set<string>();
  const take = (line: number, unit: number): void => {
    assert.ok(!seen.has(`${line}/${unit}`), `${server}: unit ${unit} of line ${line} is in two places`);
    seen.add(`${line}/${unit}`);
  };
  const licenses = `select line_id as id, unit as first, unit as last from licenses where state in ('issued', 'held')`;
  const ranges = 'select line_id as id, first_unit as first, last_unit as last from unit_ranges';
  for (const sql of [licenses, ranges]) {
    for (const { id, first, last } of rows<{ id: number; first: number; last: number }>(db, sql)) {
      for (let unit = first; unit <= last; unit += 1) take(id, unit);
    }
  }
  const installed = sumServer(balancesOf(db)).reduce((sum, line) => sum + line.installed, 0);
  assert.equal(seen.size, installed, `${server}: unit numbers that are somewhere`);
}

export function readClearinghouse(db: DatabaseSync): ClearinghouseImage {
  const balances = balancesOf(db);
  const lines = sumClearinghouse(balances);
  for (const line of lines) assert.ok(conservesEntitled(line), `clearinghouse: ${JSON.stringify(line)}`);
  const inTransit = new Map<string, number>();
  for (const [id, amount] of balances) {
    const [, line = '', account, move = ''] = id.split('/');
    if (account === 'in-transit' && amount > 0) inTransit.set(`${move}/${line}`, amount);
  }
  const servers = rows<{ id: string; state: string }>(
    db,
    'select license_server_id as id, state from servers',
  );
  return {
    lines,
    moves: rows<MoveImage>(db, 'select id, state, target, line from moves'),
    suspects: servers.filter(({ state }) => state === 'suspect').map(({ id }) => id),
    inTransit,
  };
}
