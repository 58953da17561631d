/** A move followed to its end, contact by contact; how far it has come is acknowledged after each. */
import type { OpenClearinghouse } from '../../src/clearinghouse/app.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { contactClearinghouse } from '../../src/server/usecases/contact.ts';
import { findMove } from '../../src/store/clearinghouse-rows.ts';
import { findServerMove } from '../../src/store/server-rows.ts';
import { value } from '../world/world.ts';
import type { Acknowledged } from './marks.ts';

export interface MoveEnds {
  readonly clearinghouse: OpenClearinghouse;
  readonly from: OpenServer;
  readonly to: OpenServer;
  /** What the two servers are called. */
  readonly names: readonly [string, string];
}

/** Both servers contact the clearinghouse in turn until the move is closed, or was declined. */
export async function followMove(
  { clearinghouse, from, to, names: [source, target] }: MoveEnds,
  id: string,
  acknowledge: (mark: Acknowledged) => void,
): Promise<void> {
  for (let contacts = 0; ; contacts += 1) {
    const states = {
      clearinghouse: (await clearinghouse.store.read((tx) => findMove(tx, id)))?.state ?? '',
      source: (await from.store.read((tx) => findServerMove(tx, id)))?.state ?? '',
      target: (await to.store.read((tx) => findServerMove(tx, id)))?.state ?? '',
    };
    acknowledge({ move: id, source, target, states });
    if (states.source === 'refused') return;
    if (states.source === 'closed' && states.target === 'closed') return;
    const next = contacts % 2 === 0 ? from : to;
    value(await contactClearinghouse(next.context, { waitMs: 0 }));
  }
}
