import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  clearinghouseAccount,
  conservesEntitled,
  conservesInstalled,
  serverAccount,
  sumClearinghouse,
  sumServer,
} from './account.ts';

const old = '20CX7-T3RVT-CRK22-S5FKW-6PZ9T-4Y07Y-5B7JR';
const next = '20FRX-YN9ZF-CP92W-6T1GY-5MGPB-H5408-ZS4Z8';
const at = clearinghouseAccount('4965437', 0);
const on = serverAccount('4965437', 0);

describe('account names', () => {
  it('are agreement, line and account', () => {
    assert.equal(at.entitled, '4965437/0/entitled');
    assert.equal(at.inHand, '4965437/0/in-hand');
    assert.equal(at.retired, '4965437/0/retired');
    assert.equal(at.committed(old, 2), `4965437/0/committed/${old}/2`);
    assert.equal(at.inTransit('m_1-a'), '4965437/0/in-transit/m_1-a');
    assert.equal(at.quarantined('m1'), '4965437/0/quarantined/m1');
    assert.deepEqual(Object.values(on), [
      '4965437/0/installed',
      '4965437/0/unissued',
      '4965437/0/issued',
      '4965437/0/held',
      '4965437/0/reserved',
      '4965437/0/quarantined',
    ]);
  });

  it('take no id that would split a part or pass for a source account', () => {
    for (const id of ['', 'a/b', 'x/entitled', 'entitled', 'installed', 'a:b', 'a b', 'a\n', 'ä']) {
      assert.throws(() => at.inTransit(id), RangeError);
      assert.throws(() => at.quarantined(id), RangeError);
      assert.throws(() => at.committed(id, 0), RangeError);
      assert.throws(() => clearinghouseAccount(id, 0), RangeError);
      assert.throws(() => serverAccount(id, 0), RangeError);
    }
  });
});

describe('sumClearinghouse', () => {
  const balances = new Map([
    [at.entitled, 500],
    [at.inHand, 100],
    [at.committed(old, 0), 0],
    [at.committed(old, 1), 300],
    [at.committed(next, 0), 50],
    [at.inTransit('m1'), 30],
    [at.inTransit('m2'), 10],
    [at.quarantined('m3'), 6],
    [at.retired, 4],
    [clearinghouseAccount('4965437', 10).entitled, 7],
    [clearinghouseAccount('4965437', 10).inHand, 7],
    [clearinghouseAccount('4965437', 2).entitled, 0],
    [clearinghouseAccount('0', 0).entitled, 1],
  ]);

  it('adds up each account of each line, in the order of agreement and line', () => {
    const lines = sumClearinghouse(balances);
    assert.deepEqual(
      lines.map((line) => [line.agreement, line.line]),
      [
        ['0', 0],
        ['4965437', 0],
        ['4965437', 2],
        ['4965437', 10],
      ],
    );
    assert.deepEqual(lines[1], {
      agreement: '4965437',
      line: 0,
      entitled: 500,
      inHand: 100,
      retired: 4,
      committed: 350,
      inTransit: 40,
      quarantined: 6,
      servers: [
        { licenseServerId: old, generation: 1, amount: 300 },
        { licenseServerId: next, generation: 0, amount: 50 },
      ],
    });
  });

  it('finds promise 1 kept there, and broken by one unit or one negative balance', () => {
    const kept = sumClearinghouse(balances).map((line) => conservesEntitled(line));
    assert.deepEqual(kept, [false, true, true, true]);
    const [more] = sumClearinghouse(
      new Map([
        [at.entitled, 10],
        [at.inHand, 11],
      ]),
    );
    assert.ok(more);
    assert.equal(conservesEntitled(more), false);
    const [below] = sumClearinghouse(
      new Map([
        [at.entitled, 10],
        [at.inHand, 11],
        [at.retired, -1],
      ]),
    );
    assert.ok(below);
    assert.equal(conservesEntitled(below), false);
  });

  it('does not let one server pay for another', () => {
    const [line] = sumClearinghouse(
      new Map([
        [at.entitled, 1],
        [at.committed(old, 0), -1],
        [at.committed(next, 0), 2],
      ]),
    );
    assert.ok(line);
    assert.equal(conservesEntitled(line), false);
  });

  it('throws on a name that it does not know, instead of leaving it out of the sum', () => {
    for (const name of ['4965437/0/installed', '4965437/0', 'x', '4965437/0/']) {
      assert.throws(() => sumClearinghouse(new Map([[name, 1]])), RangeError);
    }
  });
});

describe('sumServer', () => {
  const balances = new Map([
    [on.installed, 125],
    [on.unissued, 40],
    [on.issued, 50],
    [on.held, 20],
    [on.reserved, 10],
    [on.quarantined, 5],
  ]);

  it('reads a line and finds promise 1 kept', () => {
    const [line] = sumServer(balances);
    assert.deepEqual(line, {
      agreement: '4965437',
      line: 0,
      installed: 125,
      unissued: 40,
      issued: 50,
      held: 20,
      reserved: 10,
      quarantined: 5,
    });
    assert.ok(line);
    assert.equal(conservesInstalled(line), true);
  });

  it('finds each account that is off by one', () => {
    for (const name of Object.values(on)) {
      const [line] = sumServer(new Map([...balances, [name, (balances.get(name) ?? 0) + 1]]));
      assert.ok(line);
      assert.equal(conservesInstalled(line), false, name);
    }
  });

  it('finds a negative account although the sum is right', () => {
    const [line] = sumServer(new Map([...balances, [on.unissued, -1], [on.issued, 91]]));
    assert.ok(line);
    assert.equal(conservesInstalled(line), false);
  });

  it('is empty without balances', () => assert.deepEqual(sumServer(new Map()), []));
});
