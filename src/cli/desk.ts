/** `calyx desk …`: what the representative does on the telephone. Each command stands in a file of its own. */
import type { Command } from 'commander';
import { register as registerActivate } from './desk-activate.ts';
import { register as registerApprove } from './desk-approve.ts';
import { register as registerCancel } from './desk-cancel.ts';
import { register as registerConfirm } from './desk-confirm.ts';
import { register as registerHorizon } from './desk-horizon.ts';
import { register as registerKeyPack } from './desk-key-pack.ts';
import { register as registerLift } from './desk-lift.ts';
import { register as registerMove } from './desk-move.ts';
import { register as registerMoves } from './desk-moves.ts';
import { register as registerRecover } from './desk-recover.ts';
import { register as registerRepeat } from './desk-repeat.ts';
import type { Cli } from './main.ts';

export function register(group: Command, cli: Cli): void {
  registerActivate(group, cli);
  registerKeyPack(group, cli);
  registerMove(group, cli);
  registerConfirm(group, cli);
  registerHorizon(group, cli);
  registerRepeat(group, cli);
  registerMoves(group, cli);
  registerCancel(group, cli);
  registerApprove(group, cli);
  registerLift(group, cli);
  registerRecover(group, cli);
}
