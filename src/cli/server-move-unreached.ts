/**
 * What can be done about a move while nothing reaches the clearinghouse: said of how far it has come here,
 * for telephone and files stay open (docs/moves.md).
 */
import type { ApiClient } from './client.ts';
import type { Cli } from './main.ts';
import { Refused } from './outcome.ts';
import type { MoveView } from './server-answers.ts';
import type { MoveOptions } from './server-move-order.ts';
import { orderWords } from './server-move-order.ts';
import { listMoves } from './server-move-status.ts';
import { releaseCommand, serverCommand } from './server-words.ts';

interface Advice {
  readonly next: string;
  readonly command: string;
}

const byFile =
  'Repeat the command later, or carry what there is to tell in a file (the same command with --request-out FILE).';

/** Nothing is frozen: the same move by telephone takes its place. */
function asked(cli: Cli, options: MoveOptions): Advice {
  const { deactivate: _, ...order } = options;
  return {
    next: `The move is asked for, and nothing is frozen yet. ${byFile} By telephone, which takes its place:`,
    command: serverCommand(cli, 'move', ...orderWords(order), '--freeze'),
  };
}

/** What is frozen by message is the target's perhaps: it can be given up from here, and not taken back. */
export function frozenAdvice(cli: Cli, { id, agreement, product, type }: MoveView): Advice {
  return {
    next:
      `The CALs are frozen for move ${id}, and present holders go on renewing here. ${byFile} By telephone it can only be ` +
      'finished. Where the desk shows it as granted (calyx desk moves), its codes for the target can be read out and tried ' +
      'first: calyx desk repeat. Then give the CALs up here, and read that code to the desk:',
    command: releaseCommand(cli, { agreement, product, type }),
  };
}

/** The desk can undo a move for somebody on the telephone; its ends hear of that when something reaches them. */
function undoing(cli: Cli, { id }: MoveView): Advice {
  return {
    next:
      'The undo is asked for, and goes out with the next contact or file. On the telephone the desk can undo the move as ' +
      `well (calyx desk cancel ${id}); both servers then hear of it at their next contact or by file. By file:`,
    command: serverCommand(cli, 'move', '--undo', id, '--request-out', 'REQUEST-FILE'),
  };
}

/** The moves out of here that are under way, those with something frozen first. */
async function openHere(api: ApiClient): Promise<readonly MoveView[]> {
  const moves = (await listMoves(api)).filter(
    ({ role, carrier }) => role === 'source' && carrier === 'online',
  );
  return ['frozen', 'requested'].flatMap((state) => moves.filter((move) => move.state === state));
}

/**
 * Does what needs the clearinghouse. Where that is not reached, the refusal says what is possible of this move
 * meanwhile; nothing else is changed about it.
 */
export async function whileReached<T>(
  cli: Cli,
  api: ApiClient,
  of: { readonly options: MoveOptions; readonly act: () => Promise<T> },
): Promise<T> {
  try {
    return await of.act();
  } catch (error) {
    if (!(error instanceof Refused) || error.refused.code !== 'clearinghouse-unreachable') throw error;
    const [move] = await openHere(api);
    const advice = adviceOn(cli, of.options, move);
    throw advice === undefined ? error : new Refused({ ...error.refused, ...advice }, { cause: error });
  }
}

function adviceOn(cli: Cli, options: MoveOptions, move: MoveView | undefined): Advice | undefined {
  if (move === undefined) return undefined;
  if (move.undoing) return undoing(cli, move);
  return move.state === 'frozen' ? frozenAdvice(cli, move) : asked(cli, options);
}
