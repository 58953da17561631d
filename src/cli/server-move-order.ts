/** What `calyx server move` was asked for: its options, checked where that needs no server. */
import { WrongUsage } from './outcome.ts';

export interface MoveOptions {
  readonly to?: string;
  readonly from?: string;
  readonly statement?: string;
  readonly agreement?: string;
  readonly product?: string;
  readonly type?: string;
  readonly quantity?: number | 'all';
  readonly reason: 'replaced' | 'dead';
  readonly hold?: boolean;
  readonly dryRun?: boolean;
  readonly wait: number;
  readonly requestOut?: string;
  readonly response?: string;
  readonly freeze?: boolean;
  readonly release?: boolean;
  readonly status?: boolean;
  /** The id of a move, or true for the one that is open. */
  readonly undo?: string | boolean;
  /** Every key pack of this license server, instead of one. */
  readonly all?: boolean;
  readonly deactivate?: boolean;
}

export interface MoveOrder {
  readonly to: string;
  readonly agreement: string | undefined;
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
}

/** Product and type, which every act on CALs names. */
export function lineOf(options: MoveOptions): { readonly product: string; readonly type: string } {
  const { product, type } = options;
  if (product === undefined || type === undefined) {
    throw new WrongUsage('Say which CALs: --product P --type device (calyx server packs lists them).');
  }
  return { product, type };
}

/** Target, CALs and quantity of a move. */
export function orderOf(options: MoveOptions): MoveOrder {
  const { agreement, quantity } = options;
  const to = destinationOf(options.to);
  const line = lineOf(options);
  if (quantity === undefined) throw new WrongUsage('Say how many CALs: --quantity N, or --quantity all.');
  return { to, agreement, ...line, quantity };
}

/** A source is named by itself, but for one that no longer functions. */
export function checkSource(options: MoveOptions): void {
  if (options.from !== undefined && options.reason !== 'dead') {
    throw new WrongUsage(
      'A move is started on the server that has the CALs: run it there, with --to. (--from is for --reason dead.)',
    );
  }
}

/** Whether what is to be moved is named, where this command moves something. */
export function checkOrder(options: MoveOptions): void {
  const { status, undo, release, all, to, requestOut, response } = options;
  if (status === true || undo !== undefined) return;
  if (release === true) {
    lineOf(options);
  } else if (all === true || options.deactivate === true) {
    if (all !== true)
      throw new WrongUsage(
        '--deactivate goes with --all; else deactivate by itself: calyx server deactivate.',
      );
    allOrderOf(options);
  } else if (options.dryRun === true || to !== undefined || (requestOut ?? response) === undefined) {
    orderOf(options);
  }
}

/** What cannot be rehearsed says so, instead of being done. */
function checkRehearsal({ dryRun, release, status, undo, response }: MoveOptions): void {
  if (dryRun !== true) return;
  if (release === true || status === true || undo !== undefined || response !== undefined) {
    throw new WrongUsage(
      '--dry-run rehearses a move from its start: with --to, also with --all, --freeze, --hold or --request-out; or with --reason dead.',
    );
  }
}

/** At most one way of carrying a move may be named. */
export function checkModes(options: MoveOptions): void {
  checkRehearsal(options);
  const { freeze, release, requestOut, response, status, undo } = options;
  // Undoing is asked for over a connection or by file; an answer is applied by --response alone.
  const byFile = response !== undefined || (requestOut !== undefined && undo === undefined);
  const modes = [
    ...(freeze === true ? ['--freeze'] : []),
    ...(release === true ? ['--release'] : []),
    ...(status === true ? ['--status'] : []),
    ...(undo === undefined ? [] : ['--undo']),
    ...(byFile ? ['--request-out and --response'] : []),
  ];
  if (modes.length > 1) throw new WrongUsage(`Give only one of ${modes.join(', ')}.`);
}

/** Where a move of all key packs goes; with the rest it names nothing but the agreement. */
export function allOrderOf(options: MoveOptions): { readonly to: string } {
  const { to, product, type, quantity, deactivate, hold } = options;
  if ((product ?? type ?? quantity) !== undefined) {
    throw new WrongUsage(
      '--all moves every key pack: give either --all, or --product, --type and --quantity.',
    );
  }
  if (deactivate === true && hold === true) {
    throw new WrongUsage('A move that is held is not finished: give either --hold or --deactivate.');
  }
  if (deactivate === true && (options.requestOut ?? options.freeze) !== undefined) {
    throw new WrongUsage(
      '--deactivate goes by connection. By file or telephone, deactivate when the moves are done: calyx server deactivate.',
    );
  }
  return { to: destinationOf(to) };
}

function destinationOf(to: string | undefined): string {
  if (to !== undefined) return to;
  throw new WrongUsage(
    'Say where to: --to with the address or the License Server ID of the new license server.',
  );
}

/** The words of an order, to repeat it. */
export function orderWords(options: MoveOptions): readonly (string | number)[] {
  const words = (name: string, value: string | number | undefined): readonly (string | number)[] =>
    value === undefined ? [] : [name, value];
  return [
    ...words('--to', options.to),
    ...words('--agreement', options.agreement),
    ...words('--product', options.product),
    ...words('--type', options.type),
    ...words('--quantity', options.quantity),
    ...(options.all === true ? ['--all'] : []),
    ...(options.deactivate === true ? ['--deactivate'] : []),
  ];
}
