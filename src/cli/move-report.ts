/**
 * `calyx move report`: the conservation report of a move, from either server or the clearinghouse, or from files
 * alone. Statements that a connection did not bring are written to a file here and taken in there.
 */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import { openDataFolder } from '../platform/data-folder.ts';
import { nodeDigest } from '../platform/digest.ts';
import type { ReportFile } from '../protocol/move-report.ts';
import { readReportFile, reportFields, reportOfFile, writeReportFile } from '../protocol/move-report.ts';
import { refusedBody } from '../protocol/problem.ts';
import { keyId } from '../protocol/trust.ts';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import type { Program } from './connect.ts';
import { readTextFile, writeOutFile } from './local-files.ts';
import type { Cli } from './main.ts';
import type { Report } from './move-report-page.ts';
import { showReport } from './move-report-page.ts';
import type { Outcome } from './outcome.ts';
import { done, must, unsound, WrongUsage } from './outcome.ts';
import { readRoot } from './root-key.ts';

interface ReportOptions {
  readonly in?: readonly string[];
  readonly out?: string;
  readonly root?: string;
  readonly fresh?: boolean;
  readonly product?: string;
  readonly type?: string;
  readonly agreement?: string;
}

/** Where the report of a move is, in each of the programs. */
export const reportPath = {
  server: (move: string): string => `/v1/admin/moves${pathOf(move)}/report`,
  clearinghouse: (move: string): string => `/v1/desk/moves${pathOf(move)}/report`,
} as const satisfies Readonly<Record<Program, (move: string) => string>>;

/** Which program is meant: the folder says what it is of, and only a license server tells its card. */
async function programOf(cli: Cli): Promise<Program> {
  const { data } = cli.settings;
  if (data !== undefined) return openDataFolder(data).kind === 'clearinghouse' ? 'clearinghouse' : 'server';
  const answer = await cli.withApi('server', (api) => api.request('GET', '/v1/server'));
  return answer.status === 404 ? 'clearinghouse' : 'server';
}

/** The statements of several files, and the trust list that they came with. */
function readFiles(paths: readonly string[]): ReportFile {
  const files = paths.map((path) => must(readReportFile(readTextFile(path))));
  return {
    trustList: files[0]?.trustList ?? '',
    statements: [...new Set(files.flatMap(({ statements }) => statements))],
  };
}

function outcomeOf(report: Report, options: ReportOptions): Outcome {
  const { trustList, statements } = report;
  const file = { trustList, statements: statements.map(({ token }) => token) };
  const out = options.out === undefined ? {} : { out: writeOutFile(options.out, writeReportFile(file)) };
  const end = report.verdict === 'broken' ? unsound : done;
  return end({ ...report, ...out }, (page) => {
    showReport(page, report);
    if (out.out !== undefined) page.text(`The statements, and what verifies them, are in ${out.out}`);
  });
}

/** A file whose signatures do not hold is no mistake of whoever typed the command: it is not sound. */
function notSound(refusal: Refusal): Outcome {
  const refused = refusedBody(refusal);
  return unsound({ refused: { ...refused } }, (page) => {
    page.title('The report is not sound.').text(refused.message);
  });
}

/** Of files alone: nobody is asked, and nothing is believed but signatures. */
function reportOffline(options: ReportOptions): Outcome {
  const file = readFiles(options.in ?? []);
  const key = options.root === undefined ? undefined : readRoot(options.root);
  const root = key && { kid: keyId(nodeDigest, key), publicKey: key };
  const made = reportOfFile(nodeDigest, file, root);
  if (!made.ok) return notSound(made.error);
  const report = made.value;
  const fields = { ...reportFields({ report, trustList: file.trustList }), rootPinned: root !== undefined };
  return outcomeOf(fields as unknown as Report, options);
}

/** A statement of a line without a move: what a target by telephone has, which knows of none. */
async function stateLine(cli: Cli, options: ReportOptions): Promise<Outcome> {
  const { product, type, agreement } = options;
  if (product === undefined || type === undefined) {
    throw new WrongUsage('Name the move; or files with --in; or, on a license server, --product P --type T.');
  }
  const query = { product, type, agreement };
  const said = await cli.withApi('server', (api) =>
    api.call<JsonObject & { statement: string; trustList: string }>('GET', '/v1/admin/statement', { query }),
  );
  const file = writeReportFile({ trustList: said.trustList, statements: [said.statement] });
  const out = options.out === undefined ? {} : { out: writeOutFile(options.out, file) };
  return done({ ...said, ...out }, (page) => {
    page.title('This license server has stated and signed what it has.');
    if (out.out === undefined) page.verbatim(said.statement);
    else {
      page.next(
        `Carry ${out.out} to the clearinghouse, or to the other license server, and take it in there:`,
      );
      page.verbatim(`calyx move report MOVE --in ${options.out} --data DIR`);
    }
  });
}

async function askReport(api: ApiClient, path: string, { in: files, fresh }: ReportOptions): Promise<Report> {
  if (files === undefined && fresh !== true) return api.call<Report>('GET', path);
  const { statements } = readFiles(files ?? []);
  return api.call<Report>('POST', path, { body: { statements: [...statements], fresh: fresh === true } });
}

async function report(cli: Cli, move: string | undefined, options: ReportOptions): Promise<Outcome> {
  if (move === undefined) return options.in === undefined ? stateLine(cli, options) : reportOffline(options);
  const program = await programOf(cli);
  const found = await cli.withApi(program, (api) => askReport(api, reportPath[program](move), options));
  return outcomeOf(found, options);
}

export function register(group: Command, cli: Cli): void {
  group
    .command('report')
    .summary('shows whether every CAL of a move is accounted for')
    .description(
      'Shows what clearinghouse, source and target have stated of a move, each signed with its own key, and whether it ' +
        'fits: purchased = in hand + unissued + issued + reserved + in transit + quarantined + retired + what other servers ' +
        'have. At whichever of the three; with --in alone it asks nobody. Exits 4 where it does not fit.',
    )
    .argument('[move]', 'id of the move (calyx server move --status, calyx desk moves)')
    .option('--in <file...>', 'take in statements from files; without a move: check them offline')
    .option('--out <file>', 'write the statements, and what verifies them, to a file')
    .option('--root <file>', "with --in alone: the publisher's bundle, or its public root key")
    .option('--fresh', 'have this program state anew what it has')
    .option(
      '--product <id>',
      'on a license server, without a move: state what it has of this product version',
    )
    .option('--type <type>', 'device or user')
    .option('--agreement <number>', 'agreement, where two have the product')
    .action(cli.run(async (move: string | undefined, options: ReportOptions) => report(cli, move, options)));
}
