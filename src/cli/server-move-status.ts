/** The moves that a license server knows of, as a list for people. */

import { when } from '../protocol/problem-words.ts';
import type { ApiClient } from './client.ts';
import type { Outcome } from './outcome.ts';
import { done } from './outcome.ts';
import type { Column, Page } from './page.ts';
import type { MoveView } from './server-answers.ts';
import { waitsSince } from './server-words.ts';

const columns: readonly Column[] = [
  { title: 'Started' },
  { title: 'Product' },
  { title: 'Type' },
  { title: 'Here' },
  { title: 'State' },
  { title: 'Unissued', align: 'right' },
  { title: 'Held', align: 'right' },
];

/** A table, then for each move that is not over the other end and what it waits for. */
export function showMoves(page: Page, moves: readonly MoveView[]): void {
  page.table(
    columns,
    moves.map(({ startedAt, product, type, role, state, unissued, held }) => [
      ...[when(startedAt), product, type, role, state],
      ...[unissued, held],
    ]),
    'This server knows of no move. (To its target a move by telephone is a key pack: its source and the desk show it.)',
  );
  for (const move of moves) {
    if (move.awaited.from === 'nobody') continue;
    page.keyValues([
      ['Move', move.id],
      [move.role === 'source' ? 'To' : 'From', move.role === 'source' ? move.target : move.source],
      ['State', `${move.state}, since ${when(move.updatedAt)}`],
      ['Waits for', move.awaited.text],
      ...waitsSince(move),
    ]);
  }
}

/** All moves that the license server knows of. */
export async function listMoves(api: ApiClient): Promise<readonly MoveView[]> {
  return (await api.call<{ items: readonly MoveView[] }>('GET', '/v1/admin/moves')).items;
}

/** `--status`: all of them, whatever their state. */
export async function moveStatus(api: ApiClient): Promise<Outcome> {
  const items = await listMoves(api);
  return done({ items }, (page) => showMoves(page, items));
}
