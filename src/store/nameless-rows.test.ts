import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { longestLeaseMs } from '../core/cal.ts';
import { dayMs } from '../core/time.ts';
import { migrate } from './migrate.ts';

const released = Date.UTC(2026, 5, 1);

/** A database of the versions before server-008. */
function olderDatabase(): DatabaseSync {
  const all = join(import.meta.dirname, 'migrations');
  const folder = mkdtempSync(join(tmpdir(), 'calyx-nameless-'));
  for (const file of readdirSync(all).filter((name) => !name.startsWith('server-') || name < 'server-008')) {
    cpSync(join(all, file), join(folder, file));
  }
  // What lines belong to is no matter of this.
  const db = new DatabaseSync(':memory:', { enableForeignKeyConstraints: false });
  migrate(db, { program: 'server', mayBeEmpty: true, folder });
  rmSync(folder, { recursive: true });
  return db;
}

function addLine(
  db: DatabaseSync,
  id: number,
  confirmation: { readonly kind: string; readonly held: number },
) {
  db.prepare(
    `insert into lines (id, agreement, line, aid, product, product_name, family, version, type, open_units,
       free_k, free_value, held_k, held_value, last_unit) values (?, 'A', ?, 'aid', 'p', 'P', 'f', 1, 'device', 0, 0, '', 0, '', 9)`,
  ).run(id, id);
  const told = db.prepare(
    `insert into confirmations (aid, agreement, seq, kind, line, unissued, held, code, at) values ('aid', 'A', ?, ?, ?, 0, ?, '', ?)`,
  );
  told.run(2 * id, confirmation.kind, id, confirmation.held, released);
  told.run(2 * id + 1, 'released', id, confirmation.held, released - 200 * dayMs);
  const license = db.prepare(
    `insert into licenses (line_id, kind, holder, sub, unit, origin, state, ended, aid, jti, generation, late, log_size,
       log_root, issued_at, renewed_at, expires_at, lease_end) values (?, 'device', ?, '', ?, '', ?, ?, 'aid', '', 1, 0, 0, '', 0, 0, 0, ?)`,
  );
  const ends = released + 60 * dayMs;
  for (const [unit, state, ended] of [
    [1, 'issued', 0],
    [2, 'held', 0],
    [3, 'returned', 3],
  ] as const) {
    license.run(id, `ws-${unit}`, unit, state, ended, ends);
  }
  license.run(id, 'late', 4, 'issued', 0, released + 100 * dayMs);
  db.prepare(
    `insert into reservations (line_id, sub, kind, origin, move, source, lease_end, state) values (?, 's', 'device', '', 'm', '', ?, 'reserved')`,
  ).run(id, ends);
}

/** Days after the release: of the line, its four licenses and its reservation. */
function keptDays(db: DatabaseSync, id: number): readonly (number | null)[] {
  const days = (sql: string) =>
    db
      .prepare(sql)
      .all(id)
      .map(({ at }) => (at === null ? null : (Number(at) - released) / dayMs));
  return [
    ...days('select nameless_until as at from lines where id = ?'),
    ...days('select lease_end as at from licenses where line_id = ? order by unit'),
    ...days('select lease_end as at from reservations where line_id = ?'),
  ];
}

it('an older database learns until when leases are kept from what its releases told', () => {
  const db = olderDatabase();
  addLine(db, 1, { kind: 'released', held: 1 });
  addLine(db, 2, { kind: 'released', held: 0 });
  addLine(db, 3, { kind: 'frozen', held: 1 });
  addLine(db, 4, { kind: 'released', held: 1 });
  db.prepare('update lines set nameless_until = ? where id = 4').run(released + longestLeaseMs);
  migrate(db, { program: 'server', mayBeEmpty: false });
  const untouched = [60, 60, 60, 100, 60];
  assert.deepEqual(keptDays(db, 1), [89, 89, 89, 60, 100, 89]);
  assert.deepEqual(keptDays(db, 2), [null, ...untouched]);
  // The release of 200 days before is long over.
  assert.deepEqual(keptDays(db, 3), [89 - 200, ...untouched]);
  // It was kept when it was released, and nothing is done twice.
  assert.deepEqual(keptDays(db, 4), [89, ...untouched]);
  db.close();
});
