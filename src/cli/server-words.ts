/** What several license server commands show alike: its ID to read out, its key packs, the next command. */
import { parseCode } from '../core/code.ts';
import { formatDigits } from '../core/code-digits.ts';
import type { JsonObject } from '../core/json.ts';
import { spellGroups } from '../core/spelling.ts';
import { nodeDigest } from '../platform/digest.ts';
import { cals, when } from '../protocol/problem-words.ts';
import { commandLine } from './command-words.ts';
import type { Cli } from './main.ts';
import type { Column, Page, SpokenCode } from './page.ts';
import type { Pack, Status } from './server-answers.ts';

/** `--data DIR` or `--url URL …` as this command was given it; nothing where the environment says it. */
function placeWords(cli: Cli): readonly string[] {
  const { data, url, tokenFile, ca } = cli.settings;
  if (data !== undefined) return cli.env['CALYX_DATA'] === data ? [] : ['--data', data];
  if (url === undefined || cli.env['CALYX_URL'] === url) return [];
  return [
    ...['--url', url],
    ...(tokenFile === undefined ? [] : ['--token-file', tokenFile]),
    ...(ca === undefined || cli.env['CALYX_CA'] === ca ? [] : ['--ca', ca]),
  ];
}

/** A command for the same license server, to be copied: `calyx server activate --data DIR --code CODE`. */
export function serverCommand(cli: Cli, name: string, ...words: readonly (string | number)[]): string {
  return commandLine('calyx', 'server', ...name.split(' '), ...placeWords(cli), ...words);
}

/** The same for another license server, whose place is not known here. */
export function otherServerCommand(name: string, ...words: readonly (string | number)[]): string {
  return commandLine('calyx', 'server', ...name.split(' '), '--data', 'DIR', ...words);
}

/** Types a held key pack on the target: where it comes from, and further servers whose holders it serves. */
export function heldInstallCommand(source: string, alsoFrom: readonly string[]): string {
  return otherServerCommand('install', '--code', 'CODE', '--from', [source, ...alsoFrom].join(','));
}

/** A License Server ID as it is read out. */
export function spokenId(licenseServerId: string): SpokenCode & { readonly digits: string | null } {
  const code = parseCode(nodeDigest, licenseServerId);
  return {
    code: licenseServerId,
    digits: code.ok ? formatDigits(nodeDigest, code.value) : null,
    spelled: spellGroups(licenseServerId),
  };
}

/** The fields of a License Server ID that is to be read out, for `--json`. */
export function spokenIdFields(licenseServerId: string): JsonObject {
  const { digits, spelled } = spokenId(licenseServerId);
  return { licenseServerId, digits, spelled };
}

const packColumns: readonly Column[] = [
  { title: 'Product' },
  { title: 'Type' },
  { title: 'Agreement' },
  { title: 'Installed', align: 'right' },
  { title: 'Issued', align: 'right' },
  { title: 'Unissued', align: 'right' },
  { title: 'Held', align: 'right' },
  { title: 'Reserved', align: 'right' },
];

/** The key packs as a table; CALs in quarantine are rare and get their column only then. */
export function packTable(page: Page, packs: readonly Pack[]): void {
  const quarantine = packs.some((pack) => pack.quarantined > 0);
  const columns: readonly Column[] = quarantine
    ? [...packColumns, { title: 'Quarantined', align: 'right' }]
    : packColumns;
  const rows = packs.map(
    ({ product, type, agreement, installed, issued, unissued, held, reserved, quarantined }) => [
      ...[product, type, agreement, installed, issued, unissued, held, reserved],
      quarantined,
    ],
  );
  page.table(columns, rows, 'No CALs are installed.');
  for (const { product, type, keptUntil } of packs) {
    if (keptUntil !== null) page.text(`${product} per ${type}: ${keptWords(keptUntil)}.`);
  }
}

/** Why a CAL that is left or given back is not given to the next who asks (protocol §2.4, rule 5). */
export function keptWords(until: string): string {
  return (
    'no code of a move by telephone tells whose CALs went, so a CAL that its holder leaves or gives back here is ' +
    `given to nobody else before ${when(until)}`
  );
}

/** Gives up what is frozen of a key pack, by telephone. */
export function releaseCommand(
  cli: Cli,
  of: { readonly agreement: string; readonly product: string; readonly type: string },
): string {
  const { agreement, product, type } = of;
  const line = ['--agreement', agreement, '--product', product, '--type', type];
  return serverCommand(cli, 'move', '--release', ...line);
}

/** "25 CALs of ts-2012r2 per device". */
export function calsOf(of: {
  readonly count: number;
  readonly product: string;
  readonly type: string;
}): string {
  return `${cals(of.count)} of ${of.product} per ${of.type}`;
}

/** How long a move has waited, and the reminder that it has reached; nothing of one that is over. */
export function waitsSince(move: {
  readonly ageDays: number;
  readonly reminder: number;
  readonly awaited: { readonly from: string };
}): readonly (readonly [string, string])[] {
  if (move.awaited.from === 'nobody') return [];
  const days = move.ageDays === 1 ? '1 day' : `${move.ageDays} days`;
  const reminder = move.reminder === 0 ? '' : `; the reminder of day ${move.reminder} is reached`;
  return [['Open for', `${days}${reminder}`]];
}

/** The agreement to show in commands: the one there is, or a placeholder. */
export function agreementOf(status: Status): string {
  return status.agreements[0]?.agreement ?? status.kits[0] ?? 'NUMBER';
}

/** The command that activates, by the method in force. */
export function activateCommand(cli: Cli, status: Status, agreement: string): string {
  const request = ['--agreement', agreement, '--request-out', 'REQUEST-FILE'];
  if (status.method === 'automatic') return serverCommand(cli, 'activate', '--agreement', agreement);
  return serverCommand(cli, 'activate', ...(status.method === 'web' ? request : ['--code', 'CODE']));
}
