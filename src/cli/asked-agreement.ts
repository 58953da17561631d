/** The options that quote the paper agreement, shared by all commands that need it. */
import type { Command } from 'commander';
import { Refused } from './outcome.ts';

/**
 * The agreement number that was given. Without one the command is refused (`agreement-missing`), not
 * called wrong usage: it tells where the number stands, which is what the caller needs to know.
 */
export function agreementGiven(number: string | undefined): string {
  const given = number?.trim() ?? '';
  if (given !== '') return given;
  throw Refused.of({ code: 'agreement-missing' });
}

export interface QuotedOptions {
  readonly authorization?: string;
  readonly license?: string;
}

/** Adds `--authorization` and `--license`, which Open License asks for. */
export function withQuotedFields(command: Command): Command {
  return command
    .option('--authorization <number>', 'authorization number (Open License)')
    .option('--license <number>', 'license number (Open License)');
}

/** Those of the two that were given, for a request's body. */
export function quotedFields({ authorization, license }: QuotedOptions): QuotedOptions {
  return {
    ...(authorization === undefined ? {} : { authorization }),
    ...(license === undefined ? {} : { license }),
  };
}
