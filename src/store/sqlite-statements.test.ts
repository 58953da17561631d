import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { Statements, shapeOf } from './sqlite-statements.ts';

describe('the judgment of a statement', () => {
  const judged: readonly [string, boolean, boolean][] = [
    ['select value from meta where key = ?', false, false],
    ['  SELECT balance FROM Accounts', false, true],
    ['select max(m.position) from main."journal" m', false, true],
    ['with recent as (select id from answers) select id from recent', false, true],
    ['with old as (select key from meta) delete from meta where key in (select key from old)', true, false],
    ['with x as (select 1) insert into logs (log) select 1', true, true],
    ['insert into meta (key, value) values (?, ?)', true, false],
    ['update outbox set acknowledged = 1', true, true],
    ['delete from pendings', true, true],
    ['insert into meta (key, value) select id, balance from accounts', true, true],
    ["update meta set value = 'the journal of accounts; -- logs'", true, false],
    ["update meta set value = 'it''s in the outbox' where key = 'answers'", true, false],
    ['select license_logs, accounts_total from t', false, false],
    ['delete from schema_migrations', true, true],
  ];
  for (const [sql, writes, namesBooks] of judged) {
    it(`of: ${sql}`, () => assert.deepEqual(shapeOf(sql), { writes, namesBooks }));
  }

  const refused = [
    '',
    '42',
    'drop table meta',
    'create table x (a)',
    'pragma synchronous = off',
    'begin',
    'commit',
    'rollback to command',
    'release command',
    'attach database ? as other',
    'replace into meta (key, value) values (?, ?)',
    'vacuum',
    'select 1; delete from accounts',
    'insert into meta (key, value) values (?, ?);',
    'delete from meta -- where key = ?',
    'delete from /* accounts */ meta',
  ];
  for (const sql of refused) {
    it(`refuses: ${sql === '' ? 'nothing' : sql}`, () => assert.throws(() => shapeOf(sql), Error));
  }
});

describe('rows', () => {
  const statements = new Statements(new DatabaseSync(':memory:'));
  statements.db.exec('create table t (a integer, b text, c blob)');

  it('are plain objects with the names of the columns', () => {
    assert.equal(
      statements.query('insert into t (a, b, c) values (?, ?, ?)').run([7, null, new Uint8Array([1, 2])]),
      1,
    );
    const query = statements.query('select a, b as "inB", c from t');
    assert.deepEqual(query.get([]), { a: 7, inB: null, c: new Uint8Array([1, 2]) });
    assert.deepEqual(query.all([]), [{ a: 7, inB: null, c: new Uint8Array([1, 2]) }]);
    assert.equal(statements.query('select a from t where a = ?').get([8]), undefined);
  });

  it('come out of a returning clause too', () => {
    assert.deepEqual(statements.query('update t set a = a + 1 returning a').get([]), { a: 8 });
    assert.deepEqual(statements.query('select a from t').get([]), { a: 8 });
  });

  it('come from one prepared statement for one text', () => {
    assert.equal(statements.query('select a from t'), statements.query('select a from t'));
  });
});
