/** `calyx server licenses`: who holds which CAL, page by page. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import { when } from '../protocol/problem-words.ts';
import { lists } from './list-options.ts';
import type { Cli } from './main.ts';
import type { Column } from './page.ts';

export type License = JsonObject & {
  readonly product: string;
  readonly type: string;
  readonly holder: string;
  readonly unit: number;
  readonly origin: string;
  readonly state: string;
  readonly issuedAt: string;
  readonly renewedAt: string;
  readonly expiresAt: string;
  readonly keptUntil: string | null;
};

const columns: readonly Column[] = [
  { title: 'Holder' },
  { title: 'Product' },
  { title: 'Type' },
  { title: 'Unit', align: 'right' },
  { title: 'First issued as' },
  { title: 'State' },
  { title: 'Ends' },
];

const nobody = 'Nobody holds a CAL of this server.';

/** `20FRX…/12`: the first group tells the servers of a site apart; the whole is in --json. */
function shortOrigin(origin: string): string {
  const [id = '', unit = ''] = origin.split('/');
  return `${id.slice(0, 5)}…/${unit}`;
}

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('licenses')
    .summary('lists who holds which CAL')
    .description('Lists the permanent licenses of this server and their holders.');
  lists<License>(command, cli, {
    program: 'server',
    path: '/v1/admin/licenses',
    show: (page, items) => {
      // Of most licenses the CAL is free when they end: the column is there where it is not.
      const kept = items.some(({ keptUntil }) => keptUntil !== null);
      const rows = items.map(({ holder, product, type, unit, origin, state, expiresAt, keptUntil }) => [
        ...[holder, product, type, unit, shortOrigin(origin), state, when(expiresAt)],
        ...(kept ? [keptUntil === null ? '' : when(keptUntil)] : []),
      ]);
      page.table(kept ? [...columns, { title: 'CAL kept until' }] : columns, rows, nobody);
    },
  });
}
