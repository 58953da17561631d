/** Several things at once, of which the first failure ends all. */

/** Whether it is time to come to an end. */
export type Over = () => boolean;

/**
 * Runs `main`, and `others` beside it until it ends; `atEnd` is what then happens while the others are
 * still under way. Whatever fails first is thrown, once all have come to an end.
 */
export async function beside(
  main: (over: Over) => Promise<unknown>,
  others: readonly ((over: Over) => Promise<unknown>)[],
  atEnd: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  let isOver = false;
  const failures: unknown[] = [];
  const over: Over = () => isOver;
  const guarded = async (work: (over: Over) => Promise<unknown>): Promise<void> => {
    try {
      await work(over);
    } catch (error) {
      failures.push(error);
      isOver = true;
    }
  };
  const running = others.map(guarded);
  await guarded(main);
  isOver = true;
  await guarded(atEnd);
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
