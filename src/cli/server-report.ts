/** `calyx server report`: every license as CSV, for spreadsheets. */
import type { Command } from 'commander';
import type { ApiClient } from './client.ts';
import type { ListAnswer } from './list-options.ts';
import { writeOutFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import { plain } from './page.ts';
import type { License } from './server-licenses.ts';

const columns = [
  'product',
  'type',
  'holder',
  'unit',
  'origin',
  'state',
  'issuedAt',
  'renewedAt',
  'expiresAt',
] as const;

/** The most that a page of the list may have. */
const pageSize = 1000;

/**
 * One cell (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe before it
 * (OWASP, CSV injection): holders name themselves.
 */
export function csvCell(value: string | number): string {
  const text = plain(String(value)).replaceAll(/[\n\t]/g, ' ');
  const safe = typeof value === 'string' && /^\s*[=+\-@|%]/.test(text) ? `'${text}` : text;
  return /[",;]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

async function allLicenses(api: ApiClient): Promise<readonly License[]> {
  const all: License[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: { limit: number; cursor: string } = { limit: pageSize, cursor };
    const page: ListAnswer<License> = await api.call('GET', '/v1/admin/licenses', { query });
    all.push(...page.items);
    cursor = page.nextCursor;
  }
  return all;
}

export function register(group: Command, cli: Cli): void {
  group
    .command('report')
    .summary('writes all licenses as CSV')
    .description('Writes all licenses of this server as CSV, to the standard output or into a file.')
    .option('--out <file>', 'file to write')
    .action(
      cli.run(async ({ out }: { readonly out?: string }) => {
        const licenses = await cli.withApi('server', allLicenses);
        const lines = licenses.map((license) => columns.map((column) => csvCell(license[column])).join(','));
        const csv = [columns.join(','), ...lines];
        const rows = licenses.length;
        if (out === undefined) return done({ rows, csv: `${csv.join('\n')}\n` }, (page) => page.raw(csv));
        const file = writeOutFile(out, `${csv.join('\r\n')}\r\n`);
        return done({ rows, file }, (page) => page.text(`${rows} licenses are in ${file}`));
      }),
    );
}
