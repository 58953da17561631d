/** What stays frozen: a source that has taken in all that the clearinghouse had for it holds nothing for a move that was undone. */
import { findMove } from '../../src/store/clearinghouse-rows.ts';
import { checkOfServer } from './replayed.ts';
import type { Sim } from './sim.ts';
import { Violation } from './tokens.ts';

/** Nobody would ever give these units to anybody again (protocol §2.6, M4). */
export async function checkFrozen(sim: Sim): Promise<void> {
  for (const { program, name, id } of sim.servers) {
    const { frozen } = checkOfServer(sim, name).seen;
    if (!program.isUp || frozen.length === 0) continue;
    await sim.clearinghouse.store.read(async (tx) => {
      if ((await tx.outbox(id, 1)).length > 0) return;
      for (const each of frozen) {
        const move = await findMove(tx, each);
        if (move?.state === 'aborted') {
          throw new Violation('nothing stays frozen', `${name} holds what an undone move had frozen`);
        }
      }
    });
  }
}
