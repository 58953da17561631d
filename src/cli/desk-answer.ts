/** What every desk command shows: the codes to read out now, large and spelled, and what happens next. */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { JsonObject } from '../core/json.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done } from './outcome.ts';
import type { Page } from './page.ts';

export type DeskCode = {
  readonly code: string;
  readonly digits: string;
  readonly spelled: readonly (readonly string[])[];
  readonly kind: string;
  /** The License Server ID that the code is for. */
  readonly for: string;
};

export type DeskAnswer = JsonObject & {
  readonly code: string | null;
  readonly codes: readonly DeskCode[];
  readonly next: string;
};

/** What a code is called on the telephone. */
const codeNames: Readonly<Record<string, string>> = {
  activation: 'activation code',
  'key-pack': 'CAL Key Pack ID',
  'held-key-pack': 'CAL Key Pack ID of the held CALs',
  horizon: 'horizon code',
};

/** Shows the codes and the next step; `before` shows what was done, above them. */
export function deskOutcome(answer: DeskAnswer, before: (page: Page) => void): Outcome {
  return done(answer, (page) => {
    before(page);
    for (const [index, each] of answer.codes.entries()) {
      const first = answer.codes.length > 1 ? `${index + 1} of ${answer.codes.length}. ` : '';
      const name = codeNames[each.kind] ?? each.kind;
      page.code(`${first}Read out the ${name} for license server ${each.for}:`, each);
    }
    page.next(answer.next);
  });
}

/** Asks the desk of the clearinghouse. */
export async function askDesk(cli: Cli, path: string, body: JsonObject): Promise<DeskAnswer> {
  return await cli.withApi('clearinghouse', (api) => api.call<DeskAnswer>('POST', path, { body }));
}

/** Adds the options that name the agreement and the caller's license server. */
export function withCaller(command: Command): Command {
  return command
    .option('--agreement <number>', 'agreement or enrollment number, as the caller reads it')
    .requiredOption(
      '--server-id <code>',
      'License Server ID, as the caller reads it (7 groups of 5, or 54 digits)',
    );
}

/** Adds the options that name a product version and a kind of CAL. */
export function withProduct(command: Command): Command {
  return command
    .requiredOption('--product <id>', 'product, as calyx clearinghouse product list shows it')
    .addOption(
      new Option('--type <type>', 'kind of CAL')
        .choices(['device', 'user', 'concurrent'])
        .makeOptionMandatory(),
    );
}

export interface CallerOptions {
  readonly agreement?: string;
  readonly serverId: string;
}
