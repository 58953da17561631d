/** What `calyx server status` says where an older database was put back, or the past of a license server is in doubt. */
import { cals, doubtWords, when } from '../protocol/problem-words.ts';
import type { Cli } from './main.ts';
import type { Page } from './page.ts';
import type { SeenAhead, Status } from './server-answers.ts';
import { activateCommand, agreementOf, serverCommand } from './server-words.ts';

const seenWords: Readonly<Record<string, string>> = {
  journal: 'entries of its journal',
  messages: 'messages of it',
  granted: 'CALs granted to it',
  codes: 'codes of it',
  authority: 'a certificate of it',
};

function aheadWords({ what, seen, here }: SeenAhead): string {
  if (what === 'closed') return 'it has closed this license server';
  if (what === 'unknown') return 'it does not know this license server';
  if (what === 'messages' && here === 0) return 'it has seen more: other messages with the numbers of these';
  return `it has seen more: ${seen} ${seenWords[what] ?? what}, and there are ${here} here`;
}

function answerWords(past: NonNullable<Status['past']>): string {
  if (past.answer === null) return 'nothing yet';
  const { ahead } = past.answer;
  return ahead === null ? 'it has seen nothing that is not here' : aheadWords(ahead);
}

/** How many of each product are set aside. */
function asideWords({ packs }: Status): string {
  const aside = packs.filter(({ quarantined }) => quarantined > 0);
  if (aside.length === 0) return 'none';
  return aside
    .map(({ product, type, quarantined }) => `${cals(quarantined)} of ${product} per ${type}`)
    .join(', ');
}

/** The state of its past, below the facts. */
export function showPast(page: Page, status: Status): void {
  const { past } = status;
  if (past === null) return;
  if (past.state === 'restored') {
    page.keyValues([
      ['Database', 'an older one was put back; what was issued since is set aside'],
      ['Set aside', `${asideWords(status)}, until ${when(past.until)}`],
    ]);
    return;
  }
  page.keyValues([
    ['In doubt', doubtWords(past.reason ?? '')],
    ['Set aside', `${asideWords(status)}, until ${when(past.until)} at the earliest`],
    ['Clearinghouse', answerWords(past)],
  ]);
}

/** What to do about it; answers false where nothing has to be done. */
export function showPastNext(page: Page, cli: Cli, status: Status): boolean {
  const { past } = status;
  if (past?.state !== 'doubted') return false;
  if (past.answer === null) {
    page.next('Ask the clearinghouse, over the network or by files:');
    page.verbatim([
      serverCommand(cli, 'move', '--request-out', 'REQUEST-FILE'),
      serverCommand(cli, 'move', '--response', 'ANSWER-FILE'),
    ]);
  } else if (past.answer.ahead === null) {
    page.next(`Nothing: its CALs are given out again after ${when(past.until)}.`);
  } else {
    page.next(
      'Stop the service, and go on as a new license server, which has the CALs from the clearinghouse:',
    );
    page.verbatim([
      serverCommand(cli, 'rebuild', '--reason', 'certificate-corrupt'),
      activateCommand(cli, status, agreementOf(status)),
      serverCommand(cli, 'recover'),
    ]);
  }
  return true;
}
