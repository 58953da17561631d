/** The move of a line whose end somebody waits for and has not been shown yet. */
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';

export function unseenKey({ agreement, line }: Pick<ServerMoveRow, 'agreement' | 'line'>): string {
  return `unseen-move:${agreement}/${line}`;
}

/** Its end was shown, or is not wanted any more: the same order asks for another move now. */
export async function forgetUnseen(tx: WriteTx, move: ServerMoveRow): Promise<void> {
  if ((await readMeta(tx, unseenKey(move))) === move.id) await writeMeta(tx, unseenKey(move), '');
}
