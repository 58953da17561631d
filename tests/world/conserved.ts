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
    for (const line of sumServer(await tx.balances(''))) {
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
      const waiting = await tx.get<{ total: number }>(
        `select (select count(*) from reservations where line_id = l.id and state = 'reserved')
           + (select coalesce(sum(amount), 0) from reserves where line_id = l.id) as total from lines l where id = ?`,
        id,
      );
      assert.equal(waiting?.total ?? 0, line.reserved, what);
      counts.push({ key: `${line.agreement}/${line.line}`, usable: line.installed - line.held });
    }
    return counts;
  });
}

/** The programs whose books are looked at: those of a world, or others like them. */
export type Books = Pick<World, 'programs'> & { readonly clearinghouse: { readonly store: Store } };

/** Fails where a promise does not hold, with the line in question. */
export async function assertConserved(world: Books): Promise<void> {
  const { store: books } = world.clearinghouse;
  const balances = await books.read((tx) => tx.balances(''));
  for (const line of sumClearinghouse(balances)) {
    assert.ok(conservesEntitled(line), `clearinghouse: ${JSON.stringify(line)}`);
  }
  const moves = await books.read((tx) => tx.all<Movement>('select id, source, target, state from moves'));
  const fenced = await fencedSources(books);
  for (const { name, store, licenseServerId } of world.programs()) {
    if (licenseServerId === null) continue;
    // Its units are another's, whatever it still has in its own books: it can give out none (protocol §2.5).
    if (fenced.has(licenseServerId)) continue;
    const coming = moves.filter((move) => move.target === licenseServerId).map((move) => move.id);
    const waiting = moves.filter((move) => move.source === licenseServerId).map((move) => move.id);
    for (const { key, usable } of await checkServer(name, store)) {
      const given = givenTo(balances, { key, licenseServerId, coming, waiting });
      assert.ok(usable <= given, `${name} has ${usable} of ${key}, and was given ${given}`);
    }
  }
}

interface Movement {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly state: string;
}

/** Servers that were declared dead, and whose units are granted to others. */
async function fencedSources(books: Store): Promise<ReadonlySet<string>> {
  const rows = await books.read((tx) =>
    tx.all<{ source: string }>('select source from dead_sources where granted_at is not null'),
  );
  return new Set(rows.map((row) => row.source));
}

/**
 * What the books have committed to a server, have under way to it, or keep for its horizon (protocol
 * §1.3, I3).
 */
function givenTo(
  balances: ReadonlyMap<string, number>,
  to: {
    readonly key: string;
    readonly licenseServerId: string;
    readonly coming: readonly string[];
    readonly waiting: readonly string[];
  },
): number {
  let given = 0;
  for (const [account, amount] of balances) {
    if (account.startsWith(`${to.key}/committed/${to.licenseServerId}/`)) given += amount;
    const move = account.startsWith(`${to.key}/in-transit/`) ? account.split('/').at(-1) : undefined;
    if (move !== undefined && to.coming.includes(move)) given += amount;
    const dead = account.startsWith(`${to.key}/quarantined/`) ? account.split('/').at(-1) : undefined;
    if (dead !== undefined && to.waiting.includes(dead)) given += amount;
  }
  return given;
}
