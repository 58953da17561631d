/**
 * A command that is played and undone: everything that it would do and refuse is seen, in the transaction
 * that it would run in, and nothing of it stays.
 */
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err } from '../core/result.ts';
import type { Store, WriteTx } from './port.ts';

/** What undoes the command in the store; nobody outside ever sees it. */
const undo: Refusal = { code: 'not-yet-supported', what: 'a rehearsal that stays' };

/** Answers what the command answers. The store undoes it as it undoes whatever is refused. */
export async function rehearse<T>(
  store: Store,
  work: (tx: WriteTx) => Promise<Result<T, Refusal>>,
): Promise<Result<T, Refusal>> {
  let played: Result<T, Refusal> = err(undo);
  await store.write<never>(async (tx) => {
    played = await work(tx);
    return err(undo);
  });
  return played;
}
