/**
 * The high-water mark of a license server (protocol §5.1): how far it has got, kept beside its instance secret and outside
 * of every backup. A database that is put back is held against it.
 */

/** What decides how a line stood, besides who has its units. */
export interface LineMark {
  readonly agreement: string;
  readonly line: number;
  readonly installed: number;
  readonly unissued: number;
  /** Positions of both chains. */
  readonly freeK: number;
  readonly heldK: number;
}

/** The codes that an authority has made. */
export interface CountsMark {
  readonly aid: string;
  readonly seq: number;
  readonly freezes: number;
  readonly releases: number;
  readonly returns: number;
}

export interface HighWater {
  readonly generation: number;
  /** Of the last message that was made. */
  readonly seq: number;
  readonly logSize: number;
  /** Root of the journal of that size, in hex. */
  readonly logRoot: string;
  readonly lines: readonly LineMark[];
  readonly counts: readonly CountsMark[];
  /** The latest time that this server has seen, in milliseconds UTC. */
  readonly seenAtMs: number;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function isRow(
  value: unknown,
  of: { readonly texts: readonly string[]; readonly counts: readonly string[] },
): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const row = value as Readonly<Record<string, unknown>>;
  return of.texts.every((key) => typeof row[key] === 'string') && of.counts.every((key) => isCount(row[key]));
}

const lineForm = {
  texts: ['agreement'],
  counts: ['line', 'installed', 'unissued', 'freeK', 'heldK'],
} as const;
const countsForm = { texts: ['aid'], counts: ['seq', 'freezes', 'releases', 'returns'] } as const;

/** The mark as text. */
export function writeHighWater(mark: HighWater): string {
  return JSON.stringify({ v: 1, ...mark });
}

/** Reads a mark as it was written (`v: 1`); undefined for anything else. */
export function readHighWater(text: string): HighWater | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRow(value, { texts: ['logRoot'], counts: ['v', 'generation', 'seq', 'logSize', 'seenAtMs'] }))
    return undefined;
  const mark = value as HighWater & { readonly v: number };
  if (mark.v !== 1 || !Array.isArray(mark.lines) || !Array.isArray(mark.counts)) return undefined;
  const whole =
    mark.lines.every((row) => isRow(row, lineForm)) && mark.counts.every((row) => isRow(row, countsForm));
  return whole ? mark : undefined;
}

/**
 * How a database stands to the mark. `ahead`: the mark is a prefix of its journal, as a crash leaves it. `behind`: its
 * journal is shorter, so it is an older one. `forked`: neither is the beginning of the other.
 */
export type Standing = 'ahead' | 'behind' | 'forked';

/**
 * Compares the database that is there with the mark. `rootAt` answers the root of the database's journal at a size that it
 * has reached, in hex.
 */
export function standingOf(mark: HighWater, database: HighWater, rootAt: (size: number) => string): Standing {
  if (database.generation < mark.generation || database.seq < mark.seq) return 'behind';
  if (database.logSize < mark.logSize) return 'behind';
  return rootAt(mark.logSize) === mark.logRoot ? 'ahead' : 'forked';
}

const lineKey = ({ agreement, line }: LineMark): string => `${agreement}/${line}`;

/**
 * Whether nothing was installed, frozen, released or given back between the two: then all that the older one does not
 * know is who has got a license since.
 */
export function sameRights(mark: HighWater, database: HighWater): boolean {
  const lines = new Map(database.lines.map((row) => [lineKey(row), row]));
  const counts = new Map(database.counts.map((row) => [row.aid, row]));
  return (
    mark.generation === database.generation &&
    mark.lines.length === database.lines.length &&
    mark.counts.length === database.counts.length &&
    mark.lines.every((row) => {
      const other = lines.get(lineKey(row));
      return other?.installed === row.installed && other.freeK === row.freeK && other.heldK === row.heldK;
    }) &&
    mark.counts.every((row) => {
      const other = counts.get(row.aid);
      return (
        other?.seq === row.seq &&
        other.freezes === row.freezes &&
        other.releases === row.releases &&
        other.returns === row.returns
      );
    })
  );
}

/** Of a line whose database is older: what stays unissued, and what somebody has of whom the database knows nothing. */
export interface Reconciled extends Pick<LineMark, 'agreement' | 'line'> {
  readonly unissued: number;
  readonly quarantined: number;
}

/**
 * What the older books keep of each line (protocol §5.2): no more unissued units than there were in the end, and none
 * that they gave out themselves; the others were issued since, to holders whom nobody here knows.
 */
export function reconcile(mark: HighWater, database: HighWater): readonly Reconciled[] {
  const lines = new Map(mark.lines.map((row) => [lineKey(row), row]));
  return database.lines.map((row) => {
    const unissued = Math.min(row.unissued, lines.get(lineKey(row))?.unissued ?? 0);
    const { agreement, line } = row;
    return { agreement, line, unissued, quarantined: row.unissued - unissued };
  });
}
