/** How far a license server has got, as its database says (core/high-water.ts); plain SQL, no rules. */
import { serverAccount } from '../core/account.ts';
import { hex } from '../core/bytes.ts';
import type { CountsMark, HighWater, LineMark } from '../core/high-water.ts';
import type { Committed } from './port.ts';

/** The journal of a license server. */
const log = 'server';

/** The mark of what is committed now; `nowMs` is the time of this server. */
export function highWaterOf(committed: Committed, nowMs: number): HighWater {
  const meta = new Map(
    committed
      .all<{ key: string; value: string }>("select key, value from meta where key in ('generation', 'seq')")
      .map(({ key, value }) => [key, Number(value)]),
  );
  const lines = committed.all<Omit<LineMark, 'installed' | 'unissued'>>(
    'select agreement, line, free_k as "freeK", held_k as "heldK" from lines order by agreement, line',
  );
  const counts = committed.all<CountsMark>(
    `select aid, confirmation_seq as "seq", freezes, releases, returns from authorities
     where state <> 'superseded' order by aid`,
  );
  const { size, root } = committed.head(log);
  return {
    generation: meta.get('generation') ?? 1,
    seq: meta.get('seq') ?? 0,
    logSize: size,
    logRoot: hex(root),
    lines: lines.map((row) => {
      const accounts = serverAccount(row.agreement, row.line);
      const [installed, unissued] = [accounts.installed, accounts.unissued].map((name) =>
        committed.balance(name),
      );
      return { ...row, installed: installed ?? 0, unissued: unissued ?? 0 };
    }),
    counts,
    seenAtMs: nowMs,
  };
}
