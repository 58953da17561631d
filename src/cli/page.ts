/**
 * What people read: titles, aligned lists and tables, codes to be read out, the next step. Each
 * function makes lines of text no wider than the terminal where words allow it.
 */

/** How wide and how colorful the place is that lines are made for. */
export interface Style {
  readonly width: number;
  readonly color: boolean;
}

const csi = '\u001b[';
const paint = (style: Style, sgr: string, text: string): string =>
  style.color ? `${csi}${sgr}m${text}${csi}0m` : text;

const bold = (style: Style, text: string): string => paint(style, '1', text);
export const red = (style: Style, text: string): string => paint(style, '31', text);

/**
 * Text from elsewhere (names, paths, answers of servers) may carry control characters that would
 * drive the terminal; they are shown as a question mark.
 */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the point.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?');
}

/** Breaks text into lines at spaces; a longer word stands alone and runs over. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}

const indented = (lines: readonly string[], indent: string): string[] =>
  lines.map((line) => (line === '' ? '' : indent + line));

export type Cell = string | number | boolean | null | undefined;

const cellText = (cell: Cell): string => {
  if (cell === null || cell === undefined || cell === '') return '–';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return plain(String(cell));
};

/** Heads, and beside each its text: aligned `gap` behind the longest head, and wrapped under itself. */
function hangingLines(
  entries: readonly (readonly [string, string])[],
  gap: number,
  { width }: Style,
): string[] {
  const headWidth = Math.max(0, ...entries.map(([head]) => head.length)) + gap;
  const room = Math.max(20, width - headWidth);
  return entries.flatMap(([head, text]) => {
    const [first = '', ...rest] = wrap(text, room);
    return [`${head.padEnd(headWidth)}${first}`, ...indented(rest, ' '.repeat(headWidth))];
  });
}

/** `Name: value`, values aligned and wrapped under themselves. */
export function keyValueLines(pairs: readonly (readonly [string, Cell])[], style: Style): string[] {
  const entries = pairs.map(([key, value]) => [`${key}:`, cellText(value)] as const);
  return hangingLines(entries, 1, style);
}

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly align?: 'left' | 'right';
}

/**
 * A table with two spaces between columns. Too wide for the terminal, each row becomes a block of
 * `Title: value` lines: cut-off names are worse than many lines.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  style: Style,
): string[] {
  const texts = rows.map((row) => columns.map((_, index) => cellText(row[index])));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...texts.map((row) => row[index]?.length ?? 0)),
  );
  const total = widths.reduce((sum, width) => sum + width + 2, -2);
  if (total > style.width) {
    const blocks = texts.map((row) =>
      keyValueLines(
        columns.map((column, index) => [column.title, row[index]] as const),
        style,
      ),
    );
    return blocks.flatMap((block, index) => (index === 0 ? block : ['', ...block]));
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return columns[index]?.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [bold(style, line(columns.map((column) => column.title))), ...texts.map(line)];
}

/** A code as the API answers it. */
export interface SpokenCode {
  /** 35 characters in groups, hyphens between. */
  readonly code: string;
  /** The 54-digit form in groups, for a telephone's keypad. */
  readonly digits?: string | null;
  /** For each group the words of its characters. */
  readonly spelled: readonly (readonly string[])[];
}

/** `6 – six, Z – Zulu`; a group without words is shown as it is. */
function spokenGroup(group: string, words: readonly string[]): string {
  return [...group].map((character, index) => `${character} – ${words[index] ?? character}`).join(', ');
}

/**
 * A code to be read out: once whole, then a line per group with its number, the group and what to
 * say for each character, then the digits.
 */
export function codeLines(spoken: SpokenCode, style: Style): string[] {
  const groups = spoken.code.split('-');
  const numberWidth = String(groups.length).length;
  const groupWidth = Math.max(0, ...groups.map((group) => group.length));
  const lines = groups.map((group, index) => {
    const number = String(index + 1).padStart(numberWidth);
    return `${number}  ${bold(style, group.padEnd(groupWidth))}   ${spokenGroup(group, spoken.spelled[index] ?? [])}`;
  });
  const digits = spoken.digits
    ? ['', ...wrap(`In digits: ${spoken.digits.replaceAll('-', ' ')}`, style.width - 2)]
    : [];
  return indented([bold(style, spoken.code), '', ...lines, ...digits], '  ');
}

/** `Next: …`, wrapped under itself. */
export function nextLines(text: string, style: Style): string[] {
  const [first = '', ...rest] = wrap(plain(text), style.width - 6);
  return [`${bold(style, 'Next:')} ${first}`, ...indented(rest, '      ')];
}

/** Collects what one command shows; parts are separated by an empty line. */
export class Page {
  readonly #style: Style;
  readonly #parts: string[][] = [];

  constructor(style: Style) {
    this.#style = style;
  }

  /** A sentence or paragraph. */
  text(text: string): this {
    return this.#add(wrap(plain(text), this.#style.width));
  }

  title(text: string): this {
    return this.#add([bold(this.#style, plain(text))]);
  }

  /** Lines that must stay as they are (commands to copy, tokens). */
  verbatim(lines: string | readonly string[]): this {
    return this.#add([lines].flat().map((line) => `  ${plain(line)}`));
  }

  /** Lines for programs and spreadsheets, as they are; the caller has taken out what would act. */
  raw(lines: readonly string[]): this {
    return this.#add([...lines]);
  }

  /** One entry a paragraph: its head, and its text wrapped beside it. */
  entries(entries: readonly (readonly [string, string])[]): this {
    const shown = entries.map(([head, text]) => [plain(head), plain(text)] as const);
    return this.#add(hangingLines(shown, 2, this.#style));
  }

  keyValues(pairs: readonly (readonly [string, Cell])[]): this {
    return this.#add(keyValueLines(pairs, this.#style));
  }

  /** `empty` is said where there are no rows. */
  table(columns: readonly Column[], rows: readonly (readonly Cell[])[], empty = 'Nothing to show.'): this {
    return this.#add(rows.length === 0 ? [empty] : tableLines(columns, rows, this.#style));
  }

  /** A code to read out, under a title such as "Read this to the representative". */
  code(title: string, spoken: SpokenCode): this {
    return this.#add([...wrap(title, this.#style.width), '', ...codeLines(spoken, this.#style)]);
  }

  /** What to do now. Every step of a procedure ends with it. */
  next(text: string): this {
    return this.#add(nextLines(text, this.#style));
  }

  /** Everything as one text, with a line break at the end; empty where nothing was added. */
  toString(): string {
    return this.#parts.map((lines) => `${lines.join('\n')}\n`).join('\n');
  }

  #add(lines: string[]): this {
    this.#parts.push(lines);
    return this;
  }
}
