/** stub */
import type { Command } from 'commander';
import type { Cli } from './main.ts';
export function register(_c: Command, _cli: Cli): void {}
