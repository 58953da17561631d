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
  /** The unit that a new holder would be given: where its range stands in their order, and its number. Both 0: none is free. */
  readonly nextRange: number;
  readonly nextUnit: number;
  /** How many entries the journal had with the last one that made units of its holders free again; 0: none did. */
  readonly freedAt: number;
}

/** The codes that an authority has made, and its horizon. */
export interface CountsMark {
  readonly aid: string;
  readonly seq: number;
  readonly freezes: number;
  readonly releases: number;
  readonly returns: number;
  /** How far it may go on: a position of its horizon, and the value that proves it. */
  readonly horizonE: number;
  readonly horizonValue: string;
}

/**
 * A database was put back: the journal goes on from `from` entries by the entry `id`, which no other copy has. Lost is what
 * the mark of then was of: `size` entries with this root, in hex, and the messages up to `seq`.
 */
export interface Branch {
  readonly from: number;
  readonly id: string;
  readonly size: number;
  readonly root: string;
  readonly seq: number;
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
  /** How many entries the journal had with the last one that did more than to give, renew or end licenses. */
  readonly rightsAt: number;
  /** Every time that an older database was put back, in their order. */
  readonly branches: readonly Branch[];
  /** The latest time that this server has seen, in milliseconds UTC. */
  readonly seenAtMs: number;
}

/**
 * Entries of the journal after which a license server has the same rights as before: who has a license, or was asked for
 * one, is all that they change. Whatever is not among them changes more, or may (protocol §5.2).
 */
export const kindsOfLicenses = [
  ...['issued', 'renewed', 'expired', 'returned', 'recovered', 'temporary', 'validated'],
  ...['gap-license', 'gap-license-renewed', 'horizon', 'hosts', 'method', 'address', 'kit-added', 'stated'],
  ...['install-requested', 'request-joined', 'restored', 'received-refused', 'received-report'],
] as const;

/** Of those, the ones by which units of holders become free again. */
export const kindsThatFree = ['expired', 'returned'] as const;

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
  counts: ['line', 'installed', 'unissued', 'freeK', 'heldK', 'nextRange', 'nextUnit', 'freedAt'],
} as const;
const branchForm = { texts: ['id', 'root'], counts: ['from', 'size', 'seq'] } as const;
const countsForm = {
  texts: ['aid', 'horizonValue'],
  counts: ['seq', 'freezes', 'releases', 'returns', 'horizonE'],
} as const;

/** The mark as text. */
export function writeHighWater(mark: HighWater): string {
  return JSON.stringify({ v: 1, ...mark });
}

/** What a mark says as it was first written: of the server as a whole, and not of each line, when units became free. */
interface Unlined {
  readonly freedAt?: unknown;
}

/** Lines of a mark; of one that was first written each line is taken for the one of which units became free last. */
function withFreed(rows: unknown, { freedAt }: Unlined): unknown {
  if (freedAt === undefined || !Array.isArray(rows)) return rows;
  return rows.map((row: unknown) => (typeof row === 'object' && row !== null ? { freedAt, ...row } : row));
}

/** Reads a mark as it was written (`v: 1`); undefined for anything else. */
export function readHighWater(text: string): HighWater | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const counts = ['v', 'generation', 'seq', 'logSize', 'rightsAt', 'seenAtMs'];
  if (!isRow(value, { texts: ['logRoot'], counts })) return undefined;
  const { freedAt, ...read } = value as HighWater & Unlined & { readonly v: number };
  const mark = { ...read, lines: withFreed(read.lines, { freedAt }) as HighWater['lines'] };
  const lists = [
    [mark.lines, lineForm],
    [mark.counts, countsForm],
    [mark.branches, branchForm],
  ] as const;
  const whole = lists.every(([rows, form]) => Array.isArray(rows) && rows.every((row) => isRow(row, form)));
  return mark.v === 1 && whole ? mark : undefined;
}

/**
 * How a database stands to the mark. `ahead`: the mark is a prefix of its journal, as a crash leaves it. `behind`: its
 * journal is shorter, so it is an older one. `forked`: neither is the beginning of the other, or it was put back to
 * where another one had been put back before, and went on from there.
 */
export type Standing = 'ahead' | 'behind' | 'forked';

/**
 * Compares the database that is there with the mark. `rootAt` answers the root of the database's journal at a size that it
 * has reached, in hex.
 */
export function standingOf(mark: HighWater, database: HighWater, rootAt: (size: number) => string): Standing {
  if (!isOfOneLine(mark, database)) return 'forked';
  if (database.generation < mark.generation || database.seq < mark.seq) return 'behind';
  if (database.logSize < mark.logSize) return 'behind';
  return rootAt(mark.logSize) === mark.logRoot ? 'ahead' : 'forked';
}

/** Whether the database was put back as often as what the mark is of, or ends before it was. */
function isOfOneLine(mark: HighWater, database: HighWater): boolean {
  const since = mark.branches.slice(database.branches.length);
  const isBefore = since.every(({ from }) => database.logSize <= from);
  return (
    isBefore &&
    database.branches.every(({ id, from }, at) => {
      const known = mark.branches[at];
      // Stopped before it was noted in the mark, which is a beginning of this journal all the same.
      return known === undefined ? from >= mark.logSize : known.id === id;
    })
  );
}

const lineKey = ({ agreement, line }: Pick<LineMark, 'agreement' | 'line'>): string => `${agreement}/${line}`;

/**
 * Whether nothing was installed, frozen, released or given back to the publisher between the two: then all that the older
 * one does not know is who has got a license since, or has none any more. Its journal has all entries that changed more.
 */
export function sameRights(mark: HighWater, database: HighWater): boolean {
  const lines = new Map(database.lines.map((row) => [lineKey(row), row]));
  const counts = new Map(database.counts.map((row) => [row.aid, row]));
  return (
    mark.rightsAt <= database.logSize &&
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

/** Unit numbers of a line that nobody has, as the database knows them; a range further back was added earlier. */
export interface FreeRange extends Pick<LineMark, 'agreement' | 'line'> {
  readonly position: number;
  readonly first: number;
  readonly last: number;
}

/** Of a line whose database is older: what stays unissued, and what somebody has of whom the database knows nothing. */
export interface Reconciled extends Pick<LineMark, 'agreement' | 'line'> {
  readonly unissued: number;
  readonly quarantined: number;
}

/**
 * What the older books keep of each line (protocol §5.2). Numbers are given out in their order, and those that come back
 * go to its end. So what was given since are the first ones, up to the number that would have been given next, and whoever
 * gave a license back since has left a number that nobody else has. `undefined`: of a line all that was free was given,
 * and units of that line became free since: those may have been given as well, while the database has them with their holders of before.
 */
export function reconcile(
  mark: HighWater,
  database: HighWater,
  free: readonly FreeRange[],
): readonly Reconciled[] | undefined {
  const marks = new Map(mark.lines.map((row) => [lineKey(row), row]));
  let isGivenOn = false;
  const lines = database.lines.map((row) => {
    const { agreement, line, unissued: before } = row;
    const next = marks.get(lineKey(row));
    const ranges = free.filter((range) => range.agreement === agreement && range.line === line);
    const unissued = ranges.reduce((sum, range) => sum + keptOf(range, next), 0);
    if (unissued === 0 && (next?.freedAt ?? 0) > database.logSize) isGivenOn = true;
    return { agreement, line, unissued, quarantined: before - unissued };
  });
  return isGivenOn ? undefined : lines;
}

/** How many numbers of a range are still free, where `next` is the one that would have been given. */
function keptOf(range: FreeRange, next: Pick<LineMark, 'nextRange' | 'nextUnit'> | undefined): number {
  if (next === undefined || next.nextRange === 0 || range.position < next.nextRange) return 0;
  const first = range.position === next.nextRange ? Math.max(range.first, next.nextUnit) : range.first;
  return Math.max(0, range.last - first + 1);
}
