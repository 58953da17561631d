/** `calyx move …`: what there is to know of a move, at whichever of its three sides one stands. */
import type { Command } from 'commander';
import type { Cli } from './main.ts';
import { register as registerReport } from './move-report.ts';

export function register(group: Command, cli: Cli): void {
  registerReport(group, cli);
}
