/** Messages of a move on this server: whether it is their source or their target. */
import type { MoveEffect } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err } from '../../core/result.ts';
import type { Message } from '../../protocol/envelope.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findServerMove } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { onSourceDead, onSourceLives } from './dead-source.ts';
import { onFreeze, onRelease, onUnfreeze } from './move-as-source.ts';
import { onGrant, onTarget } from './move-as-target.ts';
import type { PartMessage } from './move-parts.ts';
import { onPart } from './move-parts.ts';
import { onCancel } from './relinquish.ts';

/** Whatever the clearinghouse's table sends to an end of a move (`core/move.ts`), and parts of it. */
type MoveMessage = Extract<Message, { t: Extract<MoveEffect, { do: 'send' }>['message'] }> | PartMessage;
export type Handled = Promise<Result<null, Refusal>>;

/** Carries one message of a move out. */
export async function handleMoveMessage(context: ServerContext, tx: WriteTx, message: MoveMessage): Handled {
  const id = message.move;
  if (id === undefined)
    return err({ code: 'message-invalid', problem: `a ${message.t} message names its move` });
  const move = await findServerMove(tx, id);
  switch (message.t) {
    case 'source-dead':
      return onSourceDead(context, tx, { message, id, move });
    case 'source-lives':
      return onSourceLives(context, tx, { message, id, move });
    case 'freeze':
      return onFreeze(context, tx, { message, id, move });
    case 'unfreeze':
      return onUnfreeze(context, tx, { message, id, move });
    case 'release':
      return onRelease(context, tx, { message, id, move });
    case 'grant':
      return onGrant(context, tx, { message, id, move });
    case 'grant-part':
    case 'unfreeze-part':
    case 'source-closed-part':
      return onPart(tx, { message, id, move });
    case 'cancel':
      return onCancel(context, tx, { message, id, move });
    case 'final':
    case 'source-closed':
      return onTarget(context, tx, { message, id, move });
  }
}

/** A message of a move, with the move as this server knows it. */
export interface On<Message> {
  readonly message: Message;
  readonly id: string;
  readonly move: ServerMoveRow | undefined;
}
