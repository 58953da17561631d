/**
 * License servers that were put back to an older database and have said so (protocol §5.2): their journals go on from
 * there, and what was seen of the entries in between is none of them any more. An undeclared one stays a break.
 */
import { clockToleranceMs } from '../core/standing.ts';
import { isoTime } from '../core/time.ts';
import type { AgreementFacts } from './clearinghouse-facts.ts';
import type { AuditEntry } from './entry.ts';
import type { Findings } from './finding.ts';
import type { ServerFacts } from './server-facts.ts';

interface Head {
  readonly size: number;
  readonly root: string;
}

/** The entries after `from`, up to what a mark says, are lost; there are several where it was put back before. */
export interface PutBack {
  readonly from: Head;
  readonly marks: readonly Head[];
  readonly at: number;
}

function headOf(value: unknown): Head {
  const { size, root } = typeof value === 'object' && value !== null ? (value as Partial<Head>) : {};
  return { size: typeof size === 'number' ? size : 0, root: typeof root === 'string' ? root : '' };
}

/** What an entry says of it: `restored` on the server, `server-restored` at the clearinghouse. */
export function putBackOf({ body, at }: AuditEntry): PutBack {
  const marks = body['marks'];
  return { from: headOf(body['database']), marks: Array.isArray(marks) ? marks.map(headOf) : [], at };
}

/**
 * Whether a head that somebody has signed is of entries that are lost, as was declared; not where it was signed after that.
 * A license is of the entry that comes next after the head which it names.
 */
export function isLostHead(
  putBacks: readonly PutBack[],
  head: { readonly size: number; readonly root: string; readonly seenAtMs: number | undefined },
): boolean {
  const { size, root, seenAtMs } = head;
  return putBacks.some(({ from, marks, at }) => {
    const isBetween = size >= from.size && root !== from.root;
    const isBefore = marks.some((mark) => size < mark.size || (size === mark.size && root === mark.root));
    return isBetween && isBefore && (seenAtMs === undefined || seenAtMs <= at + clockToleranceMs);
  });
}

/** Tells each of them; and what the clearinghouse was told of and the journal of the server does not have is a break. */
export function matchPutBacks(
  {
    agreements,
    servers,
  }: {
    readonly agreements: ReadonlyMap<string, AgreementFacts>;
    readonly servers: ReadonlyMap<string, ServerFacts>;
  },
  findings: Findings,
): void {
  for (const { where, putBacks } of servers.values()) {
    for (const { from, marks, at } of putBacks) {
      const lost = Math.max(...marks.map(({ size }) => size)) - from.size;
      const text =
        `an older database was put back on ${isoTime(at)}, and declared: ${lost} entries after the first ` +
        `${from.size} are lost`;
      findings.add('note', 'put-back', { where, text });
    }
  }
  for (const { where, putBacks } of agreements.values()) {
    for (const { server, declared } of putBacks) {
      const known = servers.get(server)?.putBacks;
      // What was put back once more, to before that, has lost the entry that told of it.
      const isKnown = known?.some(
        ({ from, marks }) =>
          marks.at(-1)?.root === declared.marks.at(-1)?.root || from.size <= declared.from.size,
      );
      if (isKnown !== false) continue;
      const text = `${server} has told of a database that was put back, of which its own journal says nothing`;
      findings.add('break', 'put-back-differs', { where, text });
    }
  }
}
