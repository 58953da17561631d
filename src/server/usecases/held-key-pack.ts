/**
 * A held key pack becomes a reserve for the holders of its source, whether its code was typed, or the grant of a
 * later move or a certificate, by message, has brought it along.
 */
import type { WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import type { Proof, Taken } from './advance-chain.ts';
import { installProof } from './advance-chain.ts';
import { takeDead } from './dead-key-pack.ts';
import { noteEvent } from './events.ts';
import { newId } from './new-id.ts';
import { openReserveFor } from './reserve.ts';

/** Installs what the checked proof of a held key pack adds. */
export async function installHeld(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly proof: Proof;
    readonly source: string;
    readonly alsoFrom: readonly string[];
    /** Whether nobody has returned a license to the source that still runs (reserve.ts). */
    readonly countsEarly: boolean;
    readonly carrier: 'telephone' | 'online';
    /** The move of its declaration, where the source no longer functions. */
    readonly dead: ServerMoveRow | undefined;
    readonly nowMs: number;
  },
): Promise<Taken> {
  const { proof, source, alsoFrom, countsEarly, carrier, dead, nowMs } = of;
  const reserve = dead?.id ?? newId(context);
  const told = { carrier, source };
  const taken = await installProof(context, tx, {
    ...{ line: of.line, proof, pool: reserve, to: 'reserved', told, nowMs },
  });
  const { line, added, installed } = taken;
  const { product, type, agreement } = line;
  await noteEvent(context, tx, {
    number: 5000,
    data: { product, type, added, installed, agreement, source },
  });
  await openHeld(context, tx, { line, source, alsoFrom, countsEarly, reserve, added, dead, nowMs });
  return taken;
}

/** What came for the holders of a source, and is in the pool `reserve`, waits for them; of a dead one its move is over here. */
export async function openHeld(
  context: ServerContext,
  tx: WriteTx,
  of: Parameters<typeof openReserveFor>[2] & { readonly dead: ServerMoveRow | undefined },
): Promise<void> {
  const { line, source, alsoFrom, added, dead, nowMs } = of;
  if (dead === undefined) await openReserveFor(context, tx, of);
  else await takeDead(context, tx, { line, move: dead, alsoFrom, free: 0, held: added, nowMs });
  const { product, type } = line;
  const moved = { count: added, product, type, source };
  await noteEvent(context, tx, { number: dead === undefined ? 89 : 93, data: moved });
}
