/** Whose holders an anonymous reserve serves: those of its source, and those whose CALs had come to that source. */
import { longestLeaseMs } from '../core/cal.ts';
import type { ReadTx, WriteTx } from './port.ts';
import type { ReserveRow } from './reserve-rows.ts';
import { reserveColumns } from './reserve-rows.ts';
import type { ServerMoveRow } from './server-rows.ts';
import { findServerMove } from './server-rows.ts';

/** The servers that CALs came from to the source of a reserve, for holders who never came there. */
export async function addReserveSources(
  tx: WriteTx,
  reserve: string,
  sources: readonly string[],
): Promise<void> {
  for (const source of sources) {
    await tx.run(
      'insert into reserve_sources (reserve, source) values (?, ?) on conflict do nothing',
      reserve,
      source,
    );
  }
}

const serves =
  '(r.source = ? or exists (select 1 from reserve_sources s where s.reserve = r.id and s.source = ?))';

/** The reserves of a line that serve holders of a server, and have something left. */
export async function findReserves(
  tx: ReadTx,
  lineId: number,
  source: string,
): Promise<readonly ReserveRow[]> {
  return tx.all<ReserveRow>(
    `select ${reserveColumns} from reserves r where r.line_id = ? and ${serves} and r.amount > 0 order by r.opens_at, r.id`,
    lineId,
    source,
    source,
  );
}

/**
 * The newest reserve that brought CALs here which had left this server (`self`) for `target` by `sinceMs`: from that
 * server, or from one that they had gone on to. It stays for others at least as long as the longest lease, so it came
 * that long before it opens.
 */
export async function reserveThatCameBack(
  tx: ReadTx,
  of: {
    readonly lineId: number;
    readonly self: string;
    readonly target: string;
    readonly sinceMs: number;
  },
): Promise<ReserveRow | undefined> {
  return tx.get<ReserveRow>(
    `select ${reserveColumns} from reserves r
     where r.line_id = ? and ${serves}
       and r.opens_at >= ? order by r.amount > 0 desc, r.opens_at desc, r.id limit 1`,
    of.lineId,
    of.target,
    of.self,
    of.sinceMs + longestLeaseMs,
  );
}

/** The reserve of a line that came at a moment: it opens when the longest lease of that moment must have ended. */
export async function reserveOf(tx: ReadTx, lineId: number, cameMs: number): Promise<ReserveRow | undefined> {
  return tx.get<ReserveRow>(
    `select ${reserveColumns} from reserves r where r.line_id = ? and r.opens_at = ? order by r.amount desc, r.id limit 1`,
    lineId,
    cameMs + longestLeaseMs,
  );
}

/** The newest move out of here that has frozen or taken some of a reserve. */
export async function onwardFrom(tx: ReadTx, reserve: string): Promise<ServerMoveRow | undefined> {
  const row = await tx.get<{ id: string }>(
    `select m.id from frozen_reserves f join moves m on m.id = f.move where f.reserve = ?
     order by m.started_at desc, m.id desc limit 1`,
    reserve,
  );
  return row && findServerMove(tx, row.id);
}

/** Whether any CALs came to a line for unnamed holders since a moment. */
export async function anyReserveSince(tx: ReadTx, lineId: number, sinceMs: number): Promise<boolean> {
  const row = await tx.get(
    'select 1 as found from reserves where line_id = ? and opens_at >= ? limit 1',
    lineId,
    sinceMs + longestLeaseMs,
  );
  return row !== undefined;
}

/**
 * The servers whose holders never came here for the CALs that a move out of here has taken, in the order of
 * their IDs: whom `named` leaves out is known to the target by name.
 */
export async function sourcesOfFrozen(
  tx: ReadTx,
  move: string,
  named: 'with-named' | 'without-named',
): Promise<readonly string[]> {
  const nameless = `select r.source from frozen_reserves f join reserves r on r.id = f.reserve where f.move = ?
     union select s.source from frozen_reserves f join reserve_sources s on s.reserve = f.reserve where f.move = ?`;
  const rows =
    named === 'without-named'
      ? await tx.all<{ source: string }>(`${nameless} order by 1`, move, move)
      : await tx.all<{ source: string }>(
          `${nameless} union select source from reservations where frozen_by = ? and state in ('frozen', 'moved') order by 1`,
          move,
          move,
          move,
        );
  return rows.map(({ source }) => source);
}
