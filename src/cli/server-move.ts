/** `calyx server move`: one command for every way of moving CALs to another license server. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { quantityOrAll, waitSeconds } from './arguments.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { moveAll } from './server-move-all.ts';
import { deadLineOf, deadOrderOf, moveFromDead } from './server-move-dead.ts';
import { rehearseDead } from './server-move-dead-rehearsal.ts';
import { moveByFile } from './server-move-files.ts';
import { moveOnline } from './server-move-online.ts';
import type { MoveOptions } from './server-move-order.ts';
import { checkModes, checkOrder, checkSource } from './server-move-order.ts';
import { rehearseMove } from './server-move-rehearsal.ts';
import { moveStatus } from './server-move-status.ts';
import { freeze, release } from './server-move-telephone.ts';
import { undoMove } from './server-move-undo.ts';

async function move(cli: Cli, options: MoveOptions): Promise<Outcome> {
  checkModes(options);
  if (options.status !== true) checkSource(options);
  const byFile = options.requestOut !== undefined || options.response !== undefined;
  // What is missing is said before a server is asked.
  if (!isDead(options)) checkOrder(options);
  else if (options.dryRun === true) deadLineOf(options);
  else deadOrderOf(options);
  return cli.withApi('server', async (api) => {
    if (options.status === true) return moveStatus(api);
    if (options.dryRun === true) {
      return isDead(options) ? rehearseDead(cli, api, options) : rehearseMove(cli, api, options);
    }
    if (options.undo !== undefined) return undoMove(cli, api, options);
    if (isDead(options)) return moveFromDead(cli, api, options);
    if (options.all === true && options.response === undefined) return moveAll(cli, api, options);
    if (options.freeze === true) return freeze(cli, api, options);
    if (options.release === true) return release(api, options);
    return byFile ? moveByFile(cli, api, options) : moveOnline(cli, api, options);
  });
}

/** A declaration; the answer to it, brought in a file, is an answer like any other. */
function isDead({ reason, status, response }: MoveOptions): boolean {
  return reason === 'dead' && status !== true && response === undefined;
}

export function register(group: Command, cli: Cli): void {
  group
    .command('move')
    .summary('moves CALs to another license server')
    .description(
      'Moves CALs from this license server to another: in one command where both reach the clearinghouse (interrupted, ' +
        'the same command goes on), by files with --request-out and --response, by telephone with --freeze and --release. ' +
        '--undo brings the CALs of an open move back. Where the source no longer functions, run it on the target: ' +
        '--from ID --reason dead --statement "NAME: what happened".',
    )
    .option('--to <url-or-id>', 'address or License Server ID of the target')
    .option('--agreement <number>', 'agreement or enrollment number of the paper agreement')
    .option('--product <id>', 'product version')
    .option('--type <type>', 'device, user or concurrent')
    .option('--quantity <count>', 'how many CALs, or all', quantityOrAll)
    .option('--all', 'every key pack of this license server (of one agreement with --agreement)')
    .option(
      '--deactivate',
      'with --all, over a connection: deactivate this license server when all has moved',
    )
    .option('--hold', 'stop before the commit, so that the target can be tried')
    .option('--wait <seconds>', 'how long to watch the move', waitSeconds, 120)
    .option('--freeze', 'telephone: freeze, and show the code to read')
    .option('--release', 'telephone: give up what is frozen, and show the code to read')
    .option('--request-out <file>', 'files: write what is to be carried to the clearinghouse')
    .option('--response <file>', 'files: apply the answer that was brought back')
    .option(
      '--undo [move]',
      'undo an open move, until its commit: the one that is open, or the one with this id',
    )
    .option('--status', 'list the moves that this server knows of')
    .addOption(new Option('--reason <reason>', 'why').choices(['replaced', 'dead']).default('replaced'))
    .option(
      '--from <id>',
      'on the target: the source that no longer functions, with --reason dead; with commas, servers that its CALs had come from',
    )
    .option('--statement <text>', 'with --reason dead: "NAME: what happened"')
    .option('--dry-run', 'rehearse: say what would happen, on the real books, and change nothing')
    .action(cli.run(async (options: MoveOptions) => move(cli, options)));
}
