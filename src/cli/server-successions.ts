/** A license server that has come in the place of another: what was lost, what to read out, and what to do, for people. */
import type { JsonObject } from '../core/json.ts';
import type { Cli } from './main.ts';
import type { Page } from './page.ts';
import type { Status } from './server-answers.ts';
import { activateCommand, agreementOf, serverCommand, spokenId } from './server-words.ts';

export type Succession = JsonObject & {
  readonly from: string;
  readonly cause: 'system-replaced' | 'rebuilt';
  readonly reason: string;
  readonly at: string;
  readonly aside: string;
  readonly lines:
    | readonly (JsonObject & {
        readonly agreement: string;
        readonly product: string;
        readonly type: string;
        readonly installed: number;
        readonly unissued: number;
        readonly restored: number;
      })[]
    | null;
  readonly unissued: number | null;
  readonly recovered: boolean;
  readonly say: string;
};

const causes: Readonly<Record<Succession['cause'], string>> = {
  'system-replaced': 'the operating system was replaced',
  rebuilt: 'the database was rebuilt',
};

/** Shows what was lost of each line, and what to read and type. */
export function showSuccession(
  page: Page,
  cli: Cli,
  of: { readonly status: Status; readonly succession: Succession },
): void {
  const { status, succession } = of;
  const { from, cause, lines, aside, say } = succession;
  page.keyValues([
    ['In the place of', `${from} (${causes[cause]})`],
    ['Its files', aside],
    ...(lines ?? []).map(
      ({ product, type, unissued, restored }) =>
        [
          `${product} per ${type}`,
          `${unissued} unissued not restored, ${restored} holders restored`,
        ] as const,
    ),
    ...(lines === null ? ([['CALs', 'its database could not be read']] as const) : []),
  ]);
  page.text('To be read to the clearinghouse:').text(say);
  const activated = status.activation === 'activated';
  if (!activated) page.code('The new License Server ID:', spokenId(status.licenseServerId));
  const agreement = status.successions.at(-1)?.lines?.[0]?.agreement ?? agreementOf(status);
  const recover = serverCommand(cli, 'recover', '--statement', 'NAME: WHAT HAPPENED');
  page
    .next('Recover its CALs (calyx server method telephone does it by telephone):')
    .verbatim([...(activated ? [] : [activateCommand(cli, status, agreement)]), recover]);
}
