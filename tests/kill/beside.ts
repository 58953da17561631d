/** Several things at once, of which the first failure ends all. */

/** Whether the others should come to an end. */
export type Over = () => boolean;

/**
 * Runs `main`, and `others` beside it until it ends. Whatever fails first is thrown, once all have come
 * to an end.
 */
export async function beside<T>(
  main: (over: Over) => Promise<T>,
  others: readonly ((over: Over) => Promise<void>)[],
): Promise<T> {
  let isOver = false;
  const failures: unknown[] = [];
  const over: Over = () => isOver;
  const guarded = async <U>(work: (over: Over) => Promise<U>): Promise<U | undefined> => {
    try {
      return await work(over);
    } catch (error) {
      failures.push(error);
      isOver = true;
      return undefined;
    }
  };
  const running = others.map(guarded);
  const result = await guarded(main);
  isOver = true;
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  return result as T;
}
