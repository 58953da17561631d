/** What a journal says of licenses that were collected from their holders: it must know each of them, as it is. */
import type { AuditEntry } from './entry.ts';
import { numberIn, textIn } from './entry.ts';

export interface JournaledLicense {
  readonly position: number;
  readonly agreement: string;
  readonly line: number;
  readonly unit: number;
  readonly sub: string;
  readonly until: number;
  /** The entry by which it was given back, and its unit became free; undefined: it was not. */
  returnedBy: number | undefined;
}

export interface JournaledLicenses {
  /** Ids of the licenses that were collected. */
  readonly wanted: ReadonlySet<string>;
  readonly byId: Map<string, JournaledLicense>;
  /** By agreement, line, unit and pseudonym. */
  readonly byHolder: Map<string, JournaledLicense[]>;
}

export function emptyJournaled(wanted: ReadonlySet<string>): JournaledLicenses {
  return { wanted, byId: new Map(), byHolder: new Map() };
}

/** Takes in what an entry says of a license that was collected. */
export function noteJournaled(journaled: JournaledLicenses, entry: AuditEntry, position: number): void {
  const { wanted, byId, byHolder } = journaled;
  const { id, kind, body } = entry;
  const given = wanted.has(id);
  const returned = kind === 'returned' && body['waits'] === false && byHolder.size > 0;
  if (!given && !returned) return;
  const [agreement, sub] = [textIn(body, 'agreement'), textIn(body, 'sub')];
  const [line, unit] = [numberIn(body, 'line'), numberIn(body, 'unit')];
  const holder = `${agreement}/${line}/${unit} ${sub}`;
  const licenses = byHolder.get(holder) ?? [];
  if (returned) {
    for (const license of licenses) license.returnedBy ??= position;
    return;
  }
  const until = numberIn(body, 'until');
  const license = { position, agreement, line, unit, sub, until, returnedBy: undefined };
  byId.set(id, license);
  byHolder.set(holder, [...licenses, license]);
}
