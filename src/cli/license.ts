/** `calyx license …`: a client of a license server, for trying and scripting. */
import type { Command } from 'commander';
import { register as registerRequest } from './license-request.ts';
import { register as registerReturn } from './license-return.ts';
import { register as registerShow } from './license-show.ts';
import { register as registerValidate } from './license-validate.ts';
import type { Cli } from './main.ts';

export function register(group: Command, cli: Cli): void {
  registerRequest(group, cli);
  registerValidate(group, cli);
  registerReturn(group, cli);
  registerShow(group, cli);
}
