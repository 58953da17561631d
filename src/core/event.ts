/**
 * The catalogue of System-log events of a license server: numbers, levels and sentences. Numbers
 * below 5000 mean what they mean in the model system (facts §5.2); ours begin at 5000. A number,
 * once used, keeps its meaning for ever, because monitors watch for it.
 */
import type { JsonObject, JsonValue } from './json.ts';

export type EventLevel = 'information' | 'warning' | 'error';

interface EventKind {
  readonly level: EventLevel;
  /**
   * `{field}` is filled in, `{field:CAL}` is a count with its noun ("1 CAL", "25 CALs"), and a part
   * in brackets is left out where one of its fields is missing or empty.
   */
  readonly text: string;
}

const information = (text: string): EventKind => ({ level: 'information', text });
const warning = (text: string): EventKind => ({ level: 'warning', text });
const error = (text: string): EventKind => ({ level: 'error', text });

const modelEvents = {
  0: information('The license server[ {name}] has started.'),
  3: information('The license server[ {name}] has stopped.'),
  4: information('The license server is activated for agreement {agreement}[ ({method})].'),
  17: error(
    'The certificate of the license server[ for agreement {agreement}] is missing or not valid[: {problem}]. Activate it again.',
  ),
  18: warning(
    'The license server is not activated, so it gives temporary licenses only[, now for {product}]. Activate it.',
  ),
  20: warning('CALs left for {product}[ per {type}]: {left}[ of {installed}].'),
  21: warning(
    'No CAL is left for {product}[ per {type}][; {holder} asked for one]. Install more or move some here.',
  ),
  22: warning(
    'No CALs that serve {product} are installed[; {holder} asked for one]. Install a key pack for this product.',
  ),
  26: warning(
    '{count:unissued license}[ of {product}][ on {server}] not restored, because the operating system was replaced. Ask the clearinghouse by telephone for them.',
  ),
  44: error('The database has failed[: {problem}].'),
  80: information('The license of {holder} for {product} was revoked.'),
  81: error(
    'The license of {holder} for {product} was not revoked: {revoked} of at most {most} are revoked already[; the next may be on {next}].',
  ),
  88: information(
    'The database of the license server was rebuilt[ ({reason})]. Its CALs have to be recovered: calyx server recover.',
  ),
  89: information('{count:CAL} of {product}[ per {type}] left license server {source} and moved here.'),
  90: error(
    '{count:CAL} of {product}[ per {type}] moved here, but could not be removed from license server {source}. Deactivate that server.',
  ),
  92: warning(
    '{count:CAL} of {product}[ per {type}] moved here while license server {source} was not on the network. Deactivate that server.',
  ),
  93: warning(
    '{count:CAL} of {product}[ per {type}] moved here from license server {source}, which was declared no longer functioning.',
  ),
  4100: error(
    'The database may be damaged[: {problem}]. Check the rights on its folder, then restore a backup.',
  ),
  4141: warning('The host {host} asked for a license and is not in the list of hosts that may.'),
} as const;

const ownEvents = {
  5000: information(
    'Key pack installed: +{added} of {product} per {type}[ under agreement {agreement}][, with holders from license server {source}], total {installed}.',
  ),
  5001: information(
    'Frozen for a move[ to license server {target}]: {unissued:unissued CAL} and {held:held CAL} of {product}[ per {type}]. Present holders are still renewed.',
  ),
  5002: information(
    'Released to the clearinghouse[ for license server {target}]: {unissued:unissued CAL} and {held:held CAL} of {product}[ per {type}].',
  ),
  5003: information(
    'Move undone: {unissued:unissued CAL} and {held:held CAL} of {product}[ per {type}] are in use here again.',
  ),
  5004: information(
    'A move brought {unissued:unissued CAL} and {held:held CAL} of {product}[ per {type}][ from license server {source}].',
  ),
  5005: information('The move of {product}[ per {type}][ from license server {source}] is final.'),
  5006: information(
    'Move undone: {unissued:unissued CAL} and {held:held CAL} of {product}[ per {type}] were given back[ to license server {source}].',
  ),
  5007: information('{count:unissued CAL} of {product}[ per {type}] returned to the publisher.'),
  5008: information('Agreement kit added for agreement {agreement}[: {slots} slots].'),
  5009: information('The installation method was changed to {method}[ (was {before})].'),
  5010: warning(
    'The license server was deactivated[ for agreement {agreement}]. It gives out no more licenses.',
  ),
  5011: information('Licenses may be given to new holders until {horizon}[ (agreement {agreement})].'),
  5012: warning('{failures} codes in a row were typed that do not fit this server.'),
  5013: warning(
    'Without contact to the clearinghouse new holders get no license after {horizon}[ (agreement {agreement})]. Renew it by connection, file or code.',
  ),
  5014: error(
    'Since {horizon} new holders get no license[ (agreement {agreement})]; present ones are renewed[ until {sunset}]. Contact the clearinghouse by connection, file or code.',
  ),
  5015: error(
    'Since {sunset} no license is renewed any more[ (agreement {agreement})]. Contact the clearinghouse by connection, file or code; nothing is lost.',
  ),
  5016: error('The clock says {now}, which is before {seen}, a time that was seen already. Set it right.'),
  5017: error('The clock says {now}, the clearinghouse says {seen}. Set it right.'),
  5018: information(
    '{failures} codes in a row did not fit. Have them read with spelling words, group by group.',
  ),
  5019: warning('A message[ of the kind {type}][ from {sender}] was refused[: {problem}].'),
  5020: error(
    'The clearinghouse has closed this license server (generation {generation}). Activate it again to use it.',
  ),
  5021: information('The license server has a certificate of its own for agreement {agreement}.'),
  5022: information(
    '{count:CAL} of {product}[ per {type}] that nobody from license server {source} asked for may now be given to others.',
  ),
  5023: warning(
    'All {cap} temporary licenses for {product} are in use; new devices are turned away. Install more CALs.',
  ),
  5024: information(
    'A temporary license for {product} was given out[ to {holder}]. It ends on {until} and is not renewed.',
  ),
  5025: error(
    'The clearinghouse does not trust the past of this license server[: {problem}]. It gets no new CALs until that is settled.',
  ),
  5040: error(
    'The journal of the clearinghouse for agreement {agreement} has {told} entries and does not go on from the {seen} that this license server has seen. Its messages for that agreement are refused until it does. Ask the publisher whether the clearinghouse was restored from a backup.',
  ),
  5041: warning(
    "An older database was put back: it lacks the last {entries:entry} of the journal. {count:CAL} issued since to holders that it does not know are nobody else's until {until}; a holder who shows its license has it back before.",
  ),
  5042: error(
    'The past of this license server is in doubt ({reason}): {count:unissued CAL} were set aside until {until} at the earliest, and nobody new gets a license. See calyx server status.',
  ),
  5043: information(
    'The past of this license server is in doubt no longer; {count:CAL} may be given out again.',
  ),
  5044: error(
    'The clearinghouse has seen more of this license server than its database has ({what}: {seen} there, {here} here). Go on as a new license server, which has its CALs from the clearinghouse: calyx server rebuild.',
  ),
  5045: warning(
    'The clearinghouse was restored from a backup of {backup}. This license server reports what it has been given since; until all have, its agreements get nothing new. Present holders are served as ever.',
  ),
  5046: error(
    'Whether this is still the license server that its database belongs to could not be looked at[: {problem}]. Licenses are given out as before; the next look is within the hour.',
  ),
  5047: information('Trust list {version} of the publisher is in force; it ends on {until}.'),
  5030: information(
    'License server {source} was declared to function no longer. {count:CAL} of {product}[ per {type}] come here when its horizon ({horizon}) has passed; until then whoever shows a license of it is given a gap license.',
  ),
  5031: information(
    'No CALs of {product}[ per {type}] come here from license server {source}: it functions after all, the move was undone, or nothing was left there.',
  ),
  5032: error(
    'The clearinghouse has closed this license server (generation {generation}): it was declared to function no longer, and its {count:CAL} of {product}[ per {type}] went to license server {target}. Send its clients there and make a new license server here; this one gives out nothing more.',
  ),
  5033: information(
    'A gap license for {product}[ per {type}] was given to a holder of license server {source}. It ends on {until}.',
  ),
  5034: warning(
    'The move of {product}[ per {type}] from license server {source} cannot be undone: its CALs have gone on from here by a code that was read out. It goes on to its end; to have them there again, move them back.',
  ),
  5050: warning(
    'A move of {product}[ per {type}] to license server {target} has waited for {days:day}, and its CALs are still held here[: {awaited}] See calyx server move --status.',
  ),
  5051: warning(
    'A move of {product}[ per {type}] from license server {source} has waited for {days:day}: its source has not given the CALs up[: {awaited}] Deactivate that server, or release the CALs there.',
  ),
  5070: warning(
    'This is a new license server, {target}, in the place of {source}, whose key or database cannot be used any more. {count:holder} restored; the files of the server before are in {aside}.',
  ),
  5071: error(
    'License server {source}, in whose place this one has come, was heard of again[: {said}]. {count:CAL} of {product}[ per {type}] that came from it and that nobody has are set aside until {until}. Find that machine and switch it off. The clearinghouse can take this back before: calyx desk lift.',
  ),
  5072: information(
    '{count:CAL} of {product}[ per {type}] that were set aside, as license server {source} had been heard of again, may be given out.',
  ),
  5060: information('A backup was made: {file}, {bytes:byte}.'),
  5061: error('A backup could not be made[: {problem}].[ It is tried again on {next}.]'),
  5062: warning('Backups are sealed to the key {recipient} from now on[, no longer to {before}].'),
} as const;

export type EventNumber = keyof typeof modelEvents | keyof typeof ownEvents;

const catalogue: Readonly<Record<EventNumber, EventKind>> = { ...modelEvents, ...ownEvents };

/** All numbers, ascending. */
export const eventNumbers: readonly EventNumber[] = Object.keys(catalogue).map(
  (number) => Number(number) as EventNumber,
);

function kindOf(number: number): EventKind | undefined {
  return Object.hasOwn(catalogue, number) ? catalogue[number as EventNumber] : undefined;
}

/** How urgent an event is. */
export function eventLevel(number: EventNumber): EventLevel {
  return catalogue[number].level;
}

const placeholder = /\{([a-z]+)(?::([^}]+))?\}/g;

function fieldsIn(text: string): readonly string[] {
  return [...text.matchAll(placeholder)].map((match) => match[1] ?? '');
}

/** The data fields that an event's sentence can use, in order. */
export function eventFields(number: EventNumber): readonly string[] {
  return fieldsIn(catalogue[number].text);
}

function isGiven(value: JsonValue | undefined): value is string | number | boolean {
  return value !== undefined && value !== null && value !== '' && typeof value !== 'object';
}

/** Data come from clients, too (names of devices and hosts): nothing in them may act on a terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

function fill(text: string, data: JsonObject): string {
  return text.replaceAll(placeholder, (_whole, field: string, noun: string | undefined) => {
    const value = Object.hasOwn(data, field) ? data[field] : undefined;
    const shown = isGiven(value) ? printable(String(value)) : '?';
    if (noun === undefined) return shown;
    return value === 1 ? `${shown} ${noun}` : `${shown} ${noun}s`;
  });
}

/**
 * The sentence of an event. Data are read from the database, where an older version may have
 * written them: a missing field shows as "?", an unknown number by its data.
 */
export function renderEvent(number: number, data: JsonObject): string {
  const kind = kindOf(number);
  if (kind === undefined) return `Event ${number}: ${printable(JSON.stringify(data))}`;
  const chosen = kind.text.replaceAll(/\[([^\]]*)\]/g, (_whole, part: string) => {
    const given = fieldsIn(part).every((field) => Object.hasOwn(data, field) && isGiven(data[field]));
    return given ? part : '';
  });
  return fill(chosen, data);
}
