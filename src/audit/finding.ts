/** What an audit finds. A break means that the books, a journal or a signature are not sound. */

/**
 * - `break`: something cannot be as it is shown; the verdict is *broken*.
 * - `not-shown`: what is shown does not say; another bundle, or a later one, would.
 * - `note`: sound, and something that a reader of the page wants to know.
 */
export type Level = 'break' | 'not-shown' | 'note';

export interface Finding {
  readonly level: Level;
  /** A stable name. */
  readonly code: string;
  /** The file or journal that it was found in. */
  readonly where: string;
  readonly text: string;
}

/** Where findings go: kept in the order in which they were found. */
export interface Findings {
  readonly list: Finding[];
  readonly add: (level: Level, code: string, at: { readonly where: string; readonly text: string }) => void;
}

/** So many findings of one code in one place are kept; the next ones would say the same again. */
const mostAlike = 20;

export function collectFindings(): Findings {
  const list: Finding[] = [];
  const counts = new Map<string, number>();
  return {
    list,
    add: (level, code, { where, text }) => {
      const key = `${code} ${where}`;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      if (count <= mostAlike) list.push({ level, code, where, text });
    },
  };
}
