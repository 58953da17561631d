/** What stays frozen: a source that has taken in all that the clearinghouse had for it holds nothing for a move that was undone. */
import { fencedBy } from '../../src/server/usecases/close-dead.ts';
import { findMove } from '../../src/store/clearinghouse-rows.ts';
import type { Sim } from './sim.ts';
import { Violation } from './tokens.ts';

/** Nobody would ever give these units to anybody again (protocol §2.6, M4). */
export async function checkFrozen(sim: Sim): Promise<void> {
  for (const { program, name, id } of sim.servers) {
    if (!program.isUp) continue;
    const frozen = await program.store.read(async (tx) => {
      // Closed for good it gives nothing to anybody again: all it has goes on when it is declared.
      if ((await fencedBy(tx)) !== undefined) return [];
      return tx.all<{ id: string }>(
        `select id from moves where role = 'source' and carrier = 'online' and state = 'frozen'`,
      );
    });
    if (frozen.length === 0) continue;
    await sim.clearinghouse.store.read(async (tx) => {
      if ((await tx.outbox(id, 1)).length > 0) return;
      for (const row of frozen) {
        const move = await findMove(tx, row.id);
        if (move?.state === 'aborted') {
          throw new Violation('nothing stays frozen', `${name} holds what an undone move had frozen`);
        }
      }
    });
  }
}
