/**
 * What a run may show of units whose source was declared dead and lives (protocol §2.5): it knows nothing of
 * that until it hears it, and what is then twice in the world must stand in the books as at risk.
 */
import { risksOf } from '../../src/store/dead-source-rows.ts';
import { agreement } from '../world/world.ts';
import type { Sim, SimServer } from './sim.ts';
import type { Shared } from './tokens.ts';

/** Units of a line that are another's because who has them was declared dead. */
export interface GrantedAway {
  readonly source: string;
  readonly line: number;
  readonly units: number;
}

export const selectAway = `select source, line, sum(units) as units from (
    select source, line, units from dead_sources where granted_at is not null
    union all
    select target as source, line, unissued + held as units from moves
      where (state = 'aborted' or (state = 'closed' and id in (select move from lapses))) and target in (select source from dead_sources where granted_at is not null)
  ) group by source, line`;

/** What was granted to others, and what was on its way to a server that is fenced off and went back when its leases had ended. */
export async function grantedAway(sim: Sim): Promise<readonly GrantedAway[]> {
  return sim.clearinghouse.store.read((tx) => tx.all<GrantedAway>(selectAway));
}

/** What a fenced server may still have of a line in its own books, because it has not heard of its end. */
export function unheardOf(away: readonly GrantedAway[], server: SimServer, line: number): number {
  return away.find((each) => each.source === server.id && each.line === line)?.units ?? 0;
}

/** What the books have given to a server of a line, or have under way to it (protocol §1.3, I3). */
export function givenTo({ books }: Sim, to: { key: string; id: string }): number {
  const { amounts, coming } = books.clearinghouse.seen;
  const onItsWay = coming.get(to.id) ?? [];
  let given = 0;
  for (const { key, kind, owner, amount } of amounts) {
    if (key !== to.key) continue;
    if (kind === 'committed' && owner === to.id) given += amount;
    if (onItsWay.includes(`${kind}/${owner}`)) given += amount;
  }
  return given;
}

const selectBehind = `with recursive behind (source, granted_at) as (
    select source, granted_at from dead_sources where move = ?
    union
    select d.source, d.granted_at from behind b join moves m on m.target = b.source
      join dead_sources d on d.move = m.id and d.line = ? and d.granted_at <= b.granted_at and d.opens_at >= ?
  ) select source from behind`;

/**
 * The source of an early release, and of the servers that were declared dead before it and left their CALs to it those
 * whose leases may still run: their CALs were released with its own.
 */
async function releasedWith(sim: Sim, move: string, line: number): Promise<ReadonlySet<string>> {
  const rows = await sim.clearinghouse.store.read((tx) =>
    tx.all<{ source: string }>(selectBehind, move, line, sim.nowMs),
  );
  return new Set(rows.map(({ source }) => source));
}

/**
 * Server and pseudonym of those whose only licenses of a line there have left with moves, also where the server is down or
 * gone for good: what it had committed says so.
 */
function movedAway({ servers, gone, books }: Sim, line: number): ReadonlySet<string> {
  const moved = [...servers, ...gone].flatMap(({ name, id }) =>
    (books.servers.get(name)?.seen.moved ?? [])
      .filter((each) => each.line === line)
      .map(({ sub }) => `${id} ${sub}`),
  );
  return new Set(moved);
}

/**
 * How many holders there may be beyond the units of a line, by what the clearinghouse shows as at risk now: of
 * an early release those who have licenses of the source, and of nobody else but of such sources; of an ordinary one,
 * of these, those whom it has renewed past its horizon, which their licenses say. Nobody is counted twice.
 */
export async function atRisk(
  sim: Sim,
  of: { readonly line: number; readonly type: string },
): Promise<number> {
  const { nowMs, latestMs } = sim;
  const risks = await sim.clearinghouse.store.read((tx) => risksOf(tx, agreement, nowMs));
  const counted = new Set<string>();
  const shown: { readonly issuers: ReadonlySet<string>; readonly early: boolean; readonly units: number }[] =
    [];
  for (const { move, source, line, riskUnits: units, riskFrom, approvedAt } of risks) {
    if (line !== of.line || (riskFrom ?? 0) > latestMs) continue;
    const early = approvedAt !== null;
    shown.push({ units, early, issuers: early ? await releasedWith(sim, move, line) : new Set([source]) });
  }
  const among = new Set(shown.flatMap(({ issuers }) => [...issuers]));
  const moved = shown.length === 0 ? new Set<string>() : movedAway(sim, of.line);
  let most = 0;
  for (const { issuers, early, units } of shown) {
    const known = sim.tokens.servedOnlyBy(issuers, { line: of.type, nowMs: latestMs, among, moved });
    const others = (early ? known.all : known.late).filter((sub) => !counted.has(sub));
    for (const sub of others) counted.add(sub);
    most += Math.min(units, others.length);
  }
  return most;
}

/**
 * Whether one of two licenses of one origin is of a source that was declared dead and lives, and stands in the books as
 * at risk: what was released early it may give to others, and past its horizon it renews.
 */
export async function isAtRisk(sim: Sim, { held, other }: Shared): Promise<boolean> {
  const risks = await sim.clearinghouse.store.read((tx) => risksOf(tx, agreement, sim.nowMs));
  for (const { move, source, line, riskFrom, approvedAt } of risks) {
    if (held.line !== (line === 0 ? 'device' : 'user') || (riskFrom ?? 0) > sim.latestMs) continue;
    const early = approvedAt !== null;
    const issuers = early ? await releasedWith(sim, move, line) : new Set([source]);
    if ([held, other].some((each) => issuers.has(each.issuer) && (early || each.late))) return true;
  }
  return false;
}
