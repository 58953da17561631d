/** A move as the desk shows it. */
import type { Cell } from './page.ts';
import { waitsSince, when } from './server-words.ts';

export type DeskMove = {
  readonly id: string;
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
  readonly source: string;
  readonly target: string;
  readonly state: string;
  readonly carrier: string;
  readonly unissued: number;
  readonly held: number;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly ageDays: number;
  readonly reminder: number;
  readonly awaited: { readonly from: string; readonly text: string };
};

/** How many CALs a move is about: known from the freeze on. */
function amount({ quantity, unissued, held }: DeskMove): string {
  if (unissued + held === 0) return String(quantity);
  return `${unissued + held} (${unissued} unissued, ${held} with holders)`;
}

export function moveRow(move: DeskMove): readonly (readonly [string, Cell])[] {
  return [
    ['Move', move.id],
    ['From', move.source],
    ['To', move.target],
    ['CALs', `${amount(move)} of ${move.product} per ${move.type}, agreement ${move.agreement}`],
    ['By', move.carrier === 'telephone' ? 'telephone' : 'connection or file'],
    ['Started', when(move.startedAt)],
    ['State', `${move.state}, since ${when(move.updatedAt)}`],
    ['Waits for', move.awaited.text],
    ...waitsSince(move),
  ];
}
