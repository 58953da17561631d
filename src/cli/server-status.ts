/** `calyx server status`: what a license server is, what it holds, and what is due. */
import type { Command } from 'commander';
import { when } from '../protocol/problem-words.ts';
import { lastText } from './backup-answers.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import type { Page } from './page.ts';
import type { Status } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import { showPast, showPastNext } from './server-past.ts';
import { showSuccession } from './server-successions.ts';
import {
  activateCommand,
  agreementOf,
  packTable,
  serverCommand,
  spokenId,
  waitsSince,
} from './server-words.ts';

const activations: Readonly<Record<Status['activation'], string>> = {
  'not-activated': 'not activated (temporary licenses only)',
  activated: 'activated',
  deactivated: 'deactivated (gives out no more licenses)',
};

const assurances: Readonly<Record<Status['assurance'], string>> = {
  none: 'none',
  slot: 'slot of an agreement kit (a first file or connection binds it to the key)',
  key: 'bound to the key of this server',
};

const methods: Readonly<Record<Status['method'], string>> = {
  automatic: 'Automatic connection',
  web: 'Web browser (files carried by hand)',
  telephone: 'Telephone',
};

function horizonText({ horizon, horizonWarning }: Status): string {
  if (horizon === null) return 'none';
  return horizonWarning === 'none'
    ? `${horizon} (new holders get licenses until then)`
    : `${horizon} – ${horizonWarning}`;
}

/** The facts and the key packs. */
function showStatus(page: Page, status: Status): void {
  const { clearinghouseUrl, agreements } = status;
  page
    .title(`License server ${status.name}`)
    .keyValues([
      ['License Server ID', status.licenseServerId],
      ['Publisher', status.publisher],
      ['Activation', activations[status.activation]],
      ['Agreements', agreements.map(({ agreement, state }) => `${agreement} (${state})`).join(', ')],
      ['Method', `${methods[status.method]}${clearinghouseUrl === null ? '' : `, ${clearinghouseUrl}`}`],
      ...(status.address === null ? [] : ([['Address for clients', status.address]] as const)),
      ['Assurance', assurances[status.assurance]],
      ['Horizon', horizonText(status)],
      ['Last contact', status.lastContactAt === null ? 'never' : when(status.lastContactAt)],
      ['Last backup', lastText(status.lastBackup)],
      ['Temporary licenses', status.temporary],
      ...(status.gap === 0 ? [] : [['Gap licenses (of a dead source)', status.gap] as const]),
    ]);
  packTable(page, status.packs);
  for (const { units, product, type, source, until, suspendedAt } of status.atRisk) {
    const aside =
      suspendedAt === null
        ? ''
        : ` That server was heard of: what of them nobody has is set aside since ${when(suspendedAt)}, and until then.`;
    page.keyValues([
      [
        'At risk',
        `${units} CALs of ${product} per ${type}, from license server ${source}, until ${when(until)}.${aside}`,
      ],
    ]);
  }
  showPast(page, status);
  for (const move of status.openMoves) {
    page.keyValues([
      ['Open move', `${move.product} per ${move.type}, this server is its ${move.role}: ${move.state}`],
      ['Waits for', move.awaited.text],
      ...waitsSince(move),
    ]);
  }
}

function showNext(page: Page, cli: Cli, status: Status): void {
  if (showPastNext(page, cli, status)) return;
  const agreement = agreementOf(status);
  if (status.activation === 'not-activated') {
    page.code('Its License Server ID, to be read out:', spokenId(status.licenseServerId));
    page.next('Activate it:').verbatim(activateCommand(cli, status, agreement));
  } else if (status.activation === 'activated' && status.packs.length === 0) {
    const automatic = [
      '--agreement',
      agreement,
      '--product',
      'PRODUCT',
      '--type',
      'device',
      '--quantity',
      'QUANTITY',
    ];
    page
      .next('Install CALs:')
      .verbatim(
        serverCommand(cli, 'install', ...(status.method === 'telephone' ? ['--code', 'CODE'] : automatic)),
      );
  } else if (status.activation === 'activated' && status.horizonWarning !== 'none') {
    const renew = serverCommand(cli, 'heartbeat', '--agreement', agreement, '--code-out');
    page.next('Renew the horizon: read this code to the clearinghouse, and type its answer:');
    page.verbatim([renew, serverCommand(cli, 'code', 'CODE')]);
  }
}

export function register(group: Command, cli: Cli): void {
  group
    .command('status')
    .summary('shows identity, activation, method, horizon and key packs')
    .description('Shows what a license server is, what it holds, and what is due.')
    .action(
      cli.run(async () => {
        const status = await cli.withApi('server', readStatus);
        return done(status, (page) => {
          showStatus(page, status);
          const lost = status.successions.filter(({ recovered }) => !recovered);
          for (const succession of lost) showSuccession(page, cli, { status, succession });
          if (lost.length === 0) showNext(page, cli, status);
        });
      }),
    );
}
