/**
 * The promises that must hold in a world at any moment: the books of both programs balance, licenses and
 * unit numbers are those that the books count, and no more is out there than the clearinghouse has given.
 */
import assert from 'node:assert/strict';
import {
  conservesEntitled,
  conservesInstalled,
  sumClearinghouse,
  sumServer,
} from '../../src/core/account.ts';
import type { Store } from '../../src/store/port.ts';
import type { World } from './world.ts';

interface LineCount {
  readonly key: string;
  /** Installed and not held for a move: what may be with holders or be given to them (protocol §1.3, I3). */
  readonly usable: number;
}

async function checkServer(name: string, store: Store): Promise<readonly LineCount[]> {
  return store.read(async (tx) => {
    const counts: LineCount[] = [];
    const lines = await tx.all<{ id: number; agreement: string; line: number }>(
      'select id, agreement, line from lines',
    );
    const balances = new Map([...(await tx.balances(''))]);
    for (const line of sumServer(balances)) {
      const what = `${name}: ${JSON.stringify(line)}`;
      assert.ok(conservesInstalled(line), what);
      const id = lines.find((row) => row.agreement === line.agreement && row.line === line.line)?.id ?? -1;
      const live = await tx.all<{ state: string; unit: number }>(
        `select state, unit from licenses where line_id = ? and state in ('issued', 'held')`,
        id,
      );
      assert.equal(live.filter((row) => row.state === 'issued').length, line.issued, what);
      assert.ok(live.filter((row) => row.state === 'held').length <= line.held, what);
      assert.equal(new Set(live.map((row) => row.unit)).size, live.length, what);
      const free = await tx.get<{ total: number | null }>(
        `select sum(last_unit - first_unit + 1) as total from unit_ranges
         where line_id = ? and pool = '' and first_unit <= last_unit`,
        id,
      );
      assert.equal(free?.total ?? 0, line.unissued, what);
      counts.push({ key: `${line.agreement}/${line.line}`, usable: line.installed - line.held });
    }
    return counts;
  });
}

/** Fails where a promise does not hold, with the line in question. */
export async function assertConserved(world: World): Promise<void> {
  const usable = new Map<string, number>();
  for (const { name, store } of world.programs()) {
    if (name === 'clearinghouse') continue;
    for (const { key, usable: more } of await checkServer(name, store))
      usable.set(key, (usable.get(key) ?? 0) + more);
  }
  const balances = await world.clearinghouse.store.read((tx) => tx.balances(''));
  for (const line of sumClearinghouse(balances)) {
    const what = `clearinghouse: ${JSON.stringify(line)}`;
    assert.ok(conservesEntitled(line), what);
    const out = usable.get(`${line.agreement}/${line.line}`) ?? 0;
    assert.ok(out <= line.committed + line.inTransit, `${out} usable, ${what}`);
  }
}
