/** What the commands share by which a license server goes on as a new one: why. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { recoveryReasons } from '../core/recovery.ts';

/** Adds `--reason`, with the five reasons of the model system. */
export function withReason(
  command: Command,
  text: string,
  { mandatory = false }: { readonly mandatory?: boolean } = {},
): Command {
  const option = new Option('--reason <reason>', text).choices([...recoveryReasons]);
  return command.addOption(mandatory ? option.makeOptionMandatory() : option);
}
