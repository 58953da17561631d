/**
 * What the messages of a move say; a grant and its undoing have proofs besides (`advance-move.ts`,
 * `cancel-body.ts`). A list that is too long for one message leaves in parts ahead of it (protocol §2.3).
 */
import type { JsonObject } from '../../core/json.ts';
import type { MoveEffect } from '../../core/move.ts';
import { cutList } from '../../protocol/list-parts.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import type { OutgoingMessage, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { addressField } from '../server-address.ts';
import type { MoveHappening } from './advance-move.ts';
import { newId } from './new-id.ts';

/** So many holders or leases stand in one message: some 64 KiB, which its recipient opens in about 4 ms. */
const listSize = 400;

/** A move and what is told of it now; parts of long lists go into the outbox. */
export type Telling = Pick<MoveHappening, 'move' | 'leases' | 'returned' | 'refused'> & {
  readonly deeds: { readonly outbox: OutgoingMessage[] };
};

type Message = Exclude<
  Extract<MoveEffect, { do: 'send' }>['message'],
  'freeze' | 'grant' | 'cancel' | 'source-dead'
>;

/** What a message says that has no proofs. */
export async function moveBody(
  context: ClearinghouseContext,
  tx: WriteTx,
  telling: Telling & { readonly message: Message },
): Promise<JsonObject> {
  const { move, leases = [], returned, refused } = telling;
  const place = { agreement: move.agreement, line: move.line };
  switch (telling.message) {
    case 'unfreeze': {
      if (returned === undefined)
        return refused === undefined ? place : { ...place, refused: { ...refused } };
      const { unissued, holders: items } = returned;
      const list = { part: 'unfreeze-part', name: 'holders', items } as const;
      return { ...place, returned: { unissued, ...(await toldList(context, tx, { ...telling, list })) } };
    }
    case 'release':
      return { ...place, ...(await addressField(tx, move.target)) };
    case 'source-closed': {
      const list = { part: 'source-closed-part', name: 'leases', items: leases } as const;
      return toldList(context, tx, { ...telling, list });
    }
    case 'final':
    case 'source-lives':
      return {};
  }
}

/** The order to freeze. */
export async function freezeBody(tx: WriteTx, move: MoveRow): Promise<JsonObject> {
  const { agreement, line, quantity, target } = move;
  return { agreement, line, quantity, target, ...(await addressField(tx, target)) };
}

interface List {
  readonly part: 'grant-part' | 'source-closed-part' | 'unfreeze-part';
  readonly name: 'holders' | 'leases';
  readonly items: readonly JsonObject[];
}

/** The members of a body that tell a list: the list itself, or how many parts of it were sent ahead. */
export async function toldList(
  context: ClearinghouseContext,
  tx: WriteTx,
  { move, deeds, list }: Telling & { readonly list: List },
): Promise<JsonObject> {
  const { part: type, name, items } = list;
  const { parts, rest } = cutList(items, listSize);
  const to = type === 'unfreeze-part' ? move.source : move.target;
  for (const [part, told] of parts.entries()) {
    const said = { to, agreement: move.agreement, move: move.id, body: { part, [name]: told } };
    deeds.outbox.push(await outgoing(tx, { id: newId(context), type, ...said }));
  }
  return { [name]: rest, ...(parts.length === 0 ? {} : { parts: parts.length }) };
}
