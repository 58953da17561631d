/** `calyx desk approve`: the second person's yes to an early release, after what is at risk was shown. */
import type { Command } from 'commander';
import { when } from '../protocol/problem-words.ts';
import { pathOf } from './client.ts';
import { askDesk, deskOutcome } from './desk-answer.ts';
import type { DeskMove } from './desk-move-view.ts';
import { moveRow } from './desk-move-view.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done } from './outcome.ts';

/** What may happen, in one sentence that can be answered. */
function question({ deadSource, source }: DeskMove): string {
  if (deadSource === null) return 'Its source works. Approve?';
  const { units, underWay, horizon, sunset } = deadSource;
  return (
    `Units at risk: ${units + underWay}, until ${when(sunset)}. If license server ${source} still runs, it may give them to new ` +
    `holders until ${when(horizon)}, and renew the licenses of these until ${when(sunset)}. Release them now?`
  );
}

async function approve(cli: Cli, id: string, by: string): Promise<Outcome> {
  const path = pathOf('v1', 'desk', 'moves', id);
  const move = await cli.withApi('clearinghouse', (api) => api.call<DeskMove>('GET', path));
  // A move in another state is refused in words; there is nothing to be asked about then.
  if (move.state === 'dead-wait' && !(await cli.confirm(question(move)))) {
    return done({ approved: false, move: id }, (page) =>
      page.title('Nothing was released.').keyValues(moveRow(move)),
    );
  }
  const answer = await askDesk(cli, `${path}/approve`, { by });
  return deskOutcome(answer, (page) =>
    page.title('The CALs are released early.').keyValues([
      ['Move', id],
      ['From', String(answer['from'])],
      ['To', String(answer['to'])],
      ['Approved by', String(answer['by'])],
      ['Units at risk', `${String(answer['unitsAtRisk'])}, until ${when(String(answer['until']))}`],
    ]),
  );
}

export function register(group: Command, cli: Cli): void {
  group
    .command('approve')
    .summary('a second person releases the CALs of a dead source early')
    .description(
      'Releases the CALs of a source that no longer functions before its horizon has passed. It needs another ' +
        'person than who declared the source dead, is possible twice in twelve months for an agreement, and shows ' +
        'how many CALs are at risk, and until when.',
    )
    .argument('<move>', 'id of the move (calyx desk moves)')
    .requiredOption('--by <name>', 'who approves it')
    .action(cli.run(async (id: string, { by }: { readonly by: string }) => approve(cli, id, by)));
}
