/** How far a license server has got, as its database says (core/high-water.ts); plain SQL, no rules. */
import { serverAccount } from '../core/account.ts';
import { hex } from '../core/bytes.ts';
import type { Branch, CountsMark, FreeRange, HighWater, LineMark } from '../core/high-water.ts';
import { kindsOfLicenses, kindsThatFree } from '../core/high-water.ts';
import type { Frontier } from '../core/merkle.ts';
import { decodeFrontier } from '../core/merkle.ts';
import type { Committed, ReadTx } from './port.ts';
import { freePool } from './unit-rows.ts';

/** The journal of a license server. */
const log = 'server';

const listed = (kinds: readonly string[]): string => kinds.map((kind) => `'${kind}'`).join(', ');

/** The last entry of some kinds from a position on, counted from 1. */
const lastOf = (which: string): string =>
  `select max(position) + 1 as at from journal where log = ? and position >= ? and kind ${which}`;
const lastRight = lastOf(`not in (${listed(kindsOfLicenses)})`);

/** Likewise of each line. */
const lastFreed = `select json_extract(text, '$.body.agreement') as agreement, json_extract(text, '$.body.line') as line,
    max(position) + 1 as at from journal where log = ? and position >= ? and kind in (${listed(kindsThatFree)})
  group by 1, 2`;

/**
 * The mark of what is committed now. `before` is one of a beginning of this journal, from which it goes on; null: all of
 * it is read. `nowMs` is the time of this server.
 */
export function highWaterOf(
  committed: Committed,
  { nowMs, before }: { readonly nowMs: number; readonly before: HighWater | null },
): HighWater {
  const meta = new Map(
    committed
      .all<{ key: string; value: string }>(
        "select key, value from meta where key in ('generation', 'seq', 'branches')",
      )
      .map(({ key, value }) => [key, value]),
  );
  const branches = meta.get('branches');
  const counts = committed.all<CountsMark>(
    `select aid, confirmation_seq as "seq", freezes, releases, returns,
       horizon_e as "horizonE", horizon_value as "horizonValue" from authorities
     where state <> 'superseded' order by aid`,
  );
  const { size, root } = committed.head(log);
  const from = before?.logSize ?? 0;
  const lastRightAt = (): number => committed.all<{ at: number | null }>(lastRight, log, from)[0]?.at ?? 0;
  return {
    generation: Number(meta.get('generation') ?? 1),
    seq: Number(meta.get('seq') ?? 0),
    logSize: size,
    logRoot: hex(root),
    lines: linesOf(committed, {
      before,
      freed: size === from ? [] : committed.all<Freed>(lastFreed, log, from),
    }),
    counts,
    branches: JSON.parse(branches ?? '[]') as readonly Branch[],
    rightsAt: Math.max(before?.rightsAt ?? 0, size === from ? 0 : lastRightAt()),
    seenAtMs: Math.max(before?.seenAtMs ?? 0, nowMs),
  };
}

interface Freed extends Pick<LineMark, 'agreement' | 'line'> {
  readonly at: number;
}

function linesOf(
  committed: Committed,
  { before, freed }: { readonly before: HighWater | null; readonly freed: readonly Freed[] },
): readonly LineMark[] {
  const lines = committed.all<Pick<LineMark, 'agreement' | 'line' | 'freeK' | 'heldK'> & { id: number }>(
    'select id, agreement, line, free_k as "freeK", held_k as "heldK" from lines order by agreement, line',
  );
  return lines.map(({ id, ...row }) => {
    const accounts = serverAccount(row.agreement, row.line);
    const isIt = (of: Pick<LineMark, 'agreement' | 'line'>): boolean =>
      of.agreement === row.agreement && of.line === row.line;
    const freedAt = freed.find(isIt)?.at ?? before?.lines.find(isIt)?.freedAt ?? 0;
    const [next] = committed.all<{ position: number; first: number }>(
      `select position, first_unit as first from unit_ranges where line_id = ? and pool = ?
       order by position limit 1`,
      id,
      freePool,
    );
    return {
      ...row,
      installed: committed.balance(accounts.installed),
      unissued: committed.balance(accounts.unissued),
      nextRange: next?.position ?? 0,
      nextUnit: next?.first ?? 0,
      freedAt,
    };
  });
}

/** All unit numbers that may be given to new holders, in the order in which they would be. */
export function freeRangesOf(committed: Committed): readonly FreeRange[] {
  return committed.all<FreeRange>(
    `select l.agreement, l.line, r.position, r.first_unit as first, r.last_unit as last
     from unit_ranges r join lines l on l.id = r.line_id where r.pool = ? order by r.position`,
    freePool,
  );
}

/** The right edge of the journal as last committed. */
export async function committedFrontier(tx: ReadTx): Promise<Frontier | undefined> {
  const row = await tx.get<{ frontier: Uint8Array }>('select frontier from logs where log = ?', log);
  return row && decodeFrontier(row.frontier);
}
