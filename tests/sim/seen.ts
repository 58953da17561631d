/**
 * What the tables of a program hold, read once after each commit and kept until the next: every step is checked
 * against all of it, and most steps write on one program or on none.
 */
import type { ClearinghouseLine, ServerLine } from '../../src/core/account.ts';
import { sumClearinghouse, sumServer } from '../../src/core/account.ts';
import type { AccountId } from '../../src/core/ledger.ts';
import { fencedBy } from '../../src/server/usecases/close-dead.ts';
import type { Past } from '../../src/server/usecases/past.ts';
import { readPast } from '../../src/server/usecases/past.ts';
import type { ReadTx } from '../../src/store/port.ts';
import type { GrantedAway } from './risk.ts';
import { selectAway } from './risk.ts';

export interface Seen {
  readonly balances: ReadonlyMap<AccountId, number>;
}

/** An account that is not empty, by the parts of its name. */
interface Amount {
  /** Agreement and number of the line. */
  readonly key: string;
  readonly kind: string;
  readonly owner: string;
  readonly amount: number;
}

export interface SeenClearinghouse extends Seen {
  readonly lines: readonly ClearinghouseLine[];
  readonly amounts: readonly Amount[];
  /**
   * Accounts of open moves, by the server that may have their units: those in transit are on their way to the
   * target, and those that wait for a horizon are still with the source.
   */
  readonly coming: ReadonlyMap<string, readonly string[]>;
  readonly away: readonly GrantedAway[];
  /** Names of servers that are taken for a fork. */
  readonly suspects: readonly string[];
}

export const nothingAtClearinghouse: SeenClearinghouse = {
  balances: new Map(),
  lines: [],
  amounts: [],
  coming: new Map(),
  away: [],
  suspects: [],
};

function amountsOf(balances: Seen['balances']): readonly Amount[] {
  return [...balances]
    .filter(([, amount]) => amount !== 0)
    .map(([account, amount]) => {
      const [agreement, line, kind = '', owner = ''] = account.split('/');
      return { key: `${agreement}/${line}`, kind, owner, amount };
    });
}

async function comingTo(tx: ReadTx): Promise<SeenClearinghouse['coming']> {
  const moves = await tx.all<{ id: string; source: string; target: string; state: string }>(
    `select id, source, target, state from moves
     where state not in ('reserved', 'closed', 'committed', 'aborted')`,
  );
  const coming = new Map<string, string[]>();
  for (const { id, source, target, state } of moves) {
    const [to, account] =
      state === 'dead-wait' ? [source, `quarantined/${id}`] : [target, `in-transit/${id}`];
    coming.set(to, [...(coming.get(to) ?? []), account]);
  }
  return coming;
}

export async function seeClearinghouse(tx: ReadTx): Promise<SeenClearinghouse> {
  const balances = await tx.balances('');
  const suspects = await tx.all<{ name: string }>(`select name from servers where state = 'suspect'`);
  return {
    balances,
    lines: sumClearinghouse(balances),
    amounts: amountsOf(balances),
    coming: await comingTo(tx),
    away: await tx.all<GrantedAway>(selectAway),
    suspects: suspects.map(({ name }) => name),
  };
}

/** What the rows of a line say, whatever the books say. */
export interface LineCount {
  readonly agreement: string;
  readonly line: number;
  readonly free: number;
  readonly issued: number;
  readonly held: number;
  /** Different unit numbers of issued and held licenses. */
  readonly units: number;
  /** For holders who have not come yet, by name and without. */
  readonly reserved: number;
  /** When the leases of issued licenses end that a move has not brought, or whose source is closed. */
  readonly leaseEnds: readonly number[];
}

export interface SeenServer extends Seen {
  readonly past: Past | null;
  readonly lines: readonly ServerLine[];
  readonly counts: readonly LineCount[];
  /** Its own moves by message that it has frozen CALs for, and been told nothing of since. */
  readonly frozen: readonly string[];
  readonly moved: readonly OfHolder[];
  /** Who has a unit of a line there, or one that waits by name; one that is frozen does not count: its place may be elsewhere. */
  readonly named: readonly (OfHolder & { readonly counts: 0 | 1 })[];
  /** Units of a line that wait for holders who are known to nobody. */
  readonly nameless: readonly { readonly line: number; readonly units: number }[];
}

/** A holder, by the pseudonym that it has in the agreement. */
interface OfHolder {
  readonly line: number;
  readonly sub: string;
}

export const nothingOnServer: SeenServer = {
  past: null,
  balances: new Map(),
  lines: [],
  counts: [],
  frozen: [],
  moved: [],
  named: [],
  nameless: [],
};

const selectLines = `select l.id, l.agreement, l.line,
  (select coalesce(sum(u.last_unit - u.first_unit + 1), 0) from unit_ranges u
    where u.line_id = l.id and u.pool = '' and u.first_unit <= u.last_unit) as free,
  (select count(*) from reservations r where r.line_id = l.id and r.state = 'reserved')
    + (select coalesce(sum(r.amount), 0) from reserves r where r.line_id = l.id) as reserved
  from lines l`;

interface LineRow extends Pick<LineCount, 'agreement' | 'line' | 'free' | 'reserved'> {
  readonly id: number;
}

interface LicenseRow {
  readonly lineId: number;
  readonly state: 'issued' | 'held';
  readonly unit: number;
  readonly leaseEnd: number;
  readonly inheritedFrom: string | null;
}

const selectLicenses = `select line_id as "lineId", state, unit, lease_end as "leaseEnd",
  inherited_from as "inheritedFrom" from licenses where state in ('issued', 'held')`;

async function countLines(tx: ReadTx): Promise<readonly LineCount[]> {
  const lines = await tx.all<LineRow>(selectLines);
  const licenses = await tx.all<LicenseRow>(selectLicenses);
  return lines.map(({ id, ...line }) => {
    const own = licenses.filter(({ lineId }) => lineId === id);
    const issued = own.filter(({ state }) => state === 'issued');
    return {
      ...line,
      issued: issued.length,
      held: own.length - issued.length,
      units: new Set(own.map(({ unit }) => unit)).size,
      leaseEnds: issued.filter((row) => row.inheritedFrom === null).map(({ leaseEnd }) => leaseEnd),
    };
  });
}

async function frozenOn(tx: ReadTx): Promise<readonly string[]> {
  // Closed for good it gives nothing to anybody again: all it has goes on when it is declared.
  if ((await fencedBy(tx)) !== undefined) return [];
  const rows = await tx.all<{ id: string }>(
    `select id from moves where role = 'source' and carrier = 'online' and state = 'frozen'`,
  );
  return rows.map(({ id }) => id);
}

/** Whose only licenses of a line there have left with moves. */
const selectMoved = `select n.line, l.sub from licenses l join lines n on n.id = l.line_id
  group by l.line_id, l.sub having max(l.state in ('issued', 'held')) = 0 and max(l.state = 'released') = 1`;

const selectNamed = `select n.line, l.sub, l.state = 'issued' as counts from licenses l join lines n on n.id = l.line_id
  where l.state in ('issued', 'held')
  union all select n.line, r.sub, 1 from reservations r join lines n on n.id = r.line_id where r.state = 'reserved'`;

const selectNameless =
  'select n.line, sum(r.amount) as units from reserves r join lines n on n.id = r.line_id group by n.line';

export async function seeServer(tx: ReadTx): Promise<SeenServer> {
  const balances = await tx.balances('');
  return {
    past: await readPast(tx),
    balances,
    lines: sumServer(balances),
    counts: await countLines(tx),
    frozen: await frozenOn(tx),
    moved: await tx.all<OfHolder>(selectMoved),
    named: await tx.all<SeenServer['named'][number]>(selectNamed),
    nameless: await tx.all<SeenServer['nameless'][number]>(selectNameless),
  };
}
