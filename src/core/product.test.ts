import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Product } from './product.ts';
import { checkCalType, checkId, checkName, checkProduct, rankCandidates, serves } from './product.ts';

const product = (id: string, version: number, family = 'ts'): Product => ({
  id,
  name: `Terminal Services ${id}`,
  family,
  version,
});
const ts2008 = product('ts-2008', 7);
const ts2012 = product('ts-2012r2', 9);
const ts2022 = product('ts-2022', 12);
const otherFamily = product('db-2022', 12, 'db');

describe('serves', () => {
  const table: readonly [string, Product, Product, boolean][] = [
    ['a CAL serves a host of its own version', ts2012, ts2012, true],
    ['a newer CAL serves an older host', ts2022, ts2008, true],
    ['an older CAL does not serve a newer host', ts2008, ts2012, false],
    ['a CAL of another family serves nothing, however new', otherFamily, ts2008, false],
  ];
  for (const [name, cal, host, expected] of table) {
    it(name, () => assert.equal(serves(cal, host), expected));
  }
});

describe('rankCandidates', () => {
  it('tries the exact version first, then the nearest newer, and leaves out what cannot serve', () => {
    const lines = [ts2022, otherFamily, ts2012, ts2008].map((each) => ({ product: each }));
    const ids = rankCandidates(lines, ts2008).map((line) => line.product.id);
    assert.deepEqual(ids, ['ts-2008', 'ts-2012r2', 'ts-2022']);
    assert.deepEqual(
      rankCandidates(lines, ts2012).map((line) => line.product.id),
      ['ts-2012r2', 'ts-2022'],
    );
  });

  it('keeps the given order within one version and does not change the given list', () => {
    const lines = [
      { line: 1, product: ts2022 },
      { line: 2, product: ts2008 },
      { line: 3, product: ts2008 },
    ];
    assert.deepEqual(
      rankCandidates(lines, ts2008).map((each) => each.line),
      [2, 3, 1],
    );
    assert.deepEqual(
      lines.map((each) => each.line),
      [1, 2, 3],
    );
  });
});

describe('checkProduct', () => {
  it('takes a product and trims its name', () => {
    const checked = checkProduct({ ...ts2012, name: '  Terminal Services 2012 R2 ' });
    assert.deepEqual(checked, { ok: true, value: { ...ts2012, name: 'Terminal Services 2012 R2' } });
  });

  const wrong: readonly [string, Partial<Product>, string][] = [
    ['an empty id', { id: '' }, 'id'],
    ['an id with capitals', { id: 'TS' }, 'id'],
    ['an id that starts with a hyphen', { id: '-ts' }, 'id'],
    ['an id with a slash, which would split an account name', { id: 'a/b' }, 'id'],
    ['an id of 33 characters', { id: 'a'.repeat(33) }, 'id'],
    ['an id with a line feed after it', { id: 'ts\n' }, 'id'],
    ['a family with a space', { family: 't s' }, 'family'],
    ['an empty name', { name: '  ' }, 'name'],
    ['a name of 81 characters', { name: 'n'.repeat(81) }, 'name'],
    ['a name with an escape sequence', { name: 'a\u001b[2Jb' }, 'name'],
    ['a name with a text direction override', { name: 'a\u202eb' }, 'name'],
    ['a negative version', { version: -1 }, 'version'],
    ['a fractional version', { version: 1.5 }, 'version'],
    ['no version', { version: Number.NaN }, 'version'],
    ['a version above the highest', { version: 1_000_001 }, 'version'],
  ];
  for (const [name, change, field] of wrong) {
    it(`refuses ${name}`, () => {
      const checked = checkProduct({ ...ts2012, ...change });
      assert.equal(checked.ok, false);
      assert.equal(!checked.ok && checked.error.code, 'invalid-input');
      assert.equal(!checked.ok && checked.error.code === 'invalid-input' && checked.error.field, field);
    });
  }

  it('takes the longest id and name and the bounds of the version', () => {
    assert.ok(checkId('id', 'a'.repeat(32)).ok);
    assert.ok(checkName('name', 'é'.repeat(80)).ok);
    assert.ok(checkProduct({ ...ts2012, version: 0 }).ok);
    assert.ok(checkProduct({ ...ts2012, version: 1_000_000 }).ok);
  });
});

describe('checkCalType', () => {
  it('knows the three types and refuses others by name', () => {
    for (const type of ['device', 'user', 'concurrent']) {
      assert.deepEqual(checkCalType(type), { ok: true, value: type });
    }
    assert.deepEqual(checkCalType('Device'), {
      ok: false,
      error: {
        code: 'invalid-input',
        field: 'type',
        problem: '"Device" is none of device, user, concurrent',
      },
    });
  });
});
