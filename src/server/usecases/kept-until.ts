/**
 * Until when CALs that are left or given back on a line are nobody else's, for those who ask why one is not given: a
 * move by telephone took a part of them, and no code tells whose (protocol §2.4, rule 5).
 */
import { isoTime } from '../../core/time.ts';
import type { ReadTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { accountsOf } from './license-token.ts';

/** null: nothing is kept, or no holder is here whose CAL could be. */
export async function keptUntil(tx: ReadTx, line: LineRow, nowMs: number): Promise<string | null> {
  if (line.namelessUntil <= nowMs) return null;
  const { issued, reserved } = accountsOf(line);
  const stays = (await tx.balance(issued)) + (await tx.balance(reserved)) > 0;
  return stays ? isoTime(line.namelessUntil) : null;
}
