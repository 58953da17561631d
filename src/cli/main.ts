/**
 * The command line: global options, commands loaded when they are named, one exit code at the end.
 *
 * How a command is written. `groups.ts` lists the commands of the first level; each has a file
 * `src/cli/GROUP.ts` that exports `register(command, cli)` and does nothing but describe the group and
 * call the `register` of its commands, one file each: `src/cli/GROUP-COMMAND.ts` exports
 * `register(group, cli)`, adds itself with `group.command('status')`, its options and
 * `.action(cli.run(async (…arguments, options) => outcome))`. An action asks its program through
 * `cli.withApi('server', async (api) => …)`, throws where it was refused (`api.call` does), and returns
 * `done(fields, (page) => …)`. It never prints, exits or reads `process` itself.
 * Heavy modules (stores, apps) are imported inside actions, so that `--help` is quick.
 */
import { Command, CommanderError } from 'commander';
import { newId, systemRandom } from '../platform/random.ts';
import { version } from '../platform/version.ts';
import type { ApiClient } from './client.ts';
import type { Connection, Openers, Program } from './connect.ts';
import { connect } from './connect.ts';
import type { Outcome } from './outcome.ts';
import { exitCodes } from './outcome.ts';
import type { Output, TextSink } from './output.ts';
import { createOutput, styleOf } from './output.ts';
import type { Progress } from './progress.ts';
import { startProgress } from './progress.ts';
import type { PromptOptions } from './prompt.ts';
import { confirm } from './prompt.ts';
import { readSecret } from './secret.ts';

/** What the options that every command has come to, the environment included. */
export interface GlobalSettings {
  readonly data: string | undefined;
  readonly url: string | undefined;
  readonly tokenFile: string | undefined;
  readonly ca: string | undefined;
  readonly json: boolean;
  readonly yes: boolean;
  /** The invocation's id: the idempotency keys of its writes are made from it. */
  readonly requestId: string;
}

/** What a command works with. */
export interface Cli {
  /** Known once an action runs, not while commands are registered. */
  readonly settings: GlobalSettings;
  readonly output: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Makes an action of a function that returns what the command came to. */
  readonly run: <Args extends unknown[]>(
    action: (...args: Args) => Promise<Outcome>,
  ) => (...args: Args) => Promise<void>;
  /** Connects as `--data` or `--url` say; the caller closes. */
  readonly connect: (program: Program) => Promise<Connection>;
  /** Connects, lets `use` work, closes. */
  readonly withApi: <T>(
    program: Program,
    use: (api: ApiClient, connection: Connection) => Promise<T>,
  ) => Promise<T>;
  /** Asks on a terminal; `--yes` and `--json` answer yes. */
  readonly confirm: (question: string) => Promise<boolean>;
  readonly progress: (label: string, total: number) => Progress;
}

export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  /** The group's file; its `register` completes the command that has its name already. */
  readonly load: () => Promise<{ readonly register: (command: Command, cli: Cli) => void }>;
}

/** The process around the command line; tests give their own. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: PromptOptions['input'];
  readonly stdout: TextSink;
  readonly stderr: TextSink & PromptOptions['output'];
}

export interface Wiring {
  readonly groups: readonly CommandGroup[];
  readonly openers: Openers;
}

interface GlobalOptions {
  readonly data?: string;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly requestId?: string;
}

/** An option before the environment; an option for the place silences the environment's other place. */
function settingsOf(options: GlobalOptions, env: Cli['env']): GlobalSettings {
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const placed = options.data !== undefined || options.url !== undefined;
  return {
    data: options.data ?? (placed ? undefined : given('CALYX_DATA')),
    url: options.url ?? (placed ? undefined : given('CALYX_URL')),
    tokenFile: options.tokenFile,
    ca: options.ca ?? given('CALYX_CA'),
    json: options.json === true,
    yes: options.yes === true,
    requestId: options.requestId ?? given('CALYX_REQUEST_ID') ?? newId(systemRandom),
  };
}

function createProgram(surroundings: Surroundings): Command {
  const { stdout, stderr, env } = surroundings;
  const program = new Command('calyx')
    .description('Client access licenses: a clearinghouse, license servers, and moves between them.')
    .option('--data <dir>', 'data folder of the program that is meant (CALYX_DATA)')
    .option('--url <url>', 'address of a program elsewhere (CALYX_URL)')
    .option(
      '--token-file <file>',
      "file with the administrator's token of --url (CALYX_TOKEN_FILE, CALYX_TOKEN)",
    )
    .option('--ca <file>', 'certificates (PEM) to trust for --url instead of the system’s (CALYX_CA)')
    .option('--json', 'print one JSON object; answers questions with yes')
    .option('--yes', 'answer questions with yes')
    .option('--request-id <id>', 'the same id again gets the same answer again (CALYX_REQUEST_ID)')
    .helpCommand(true)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => styleOf(stdout, env).width,
      getErrHelpWidth: () => styleOf(stderr, env).width,
    })
    .showHelpAfterError('(calyx … --help shows how)')
    .exitOverride();
  return program;
}

interface Invocation {
  readonly program: Command;
  readonly surroundings: Surroundings;
  readonly openers: Openers;
}

function createCli({ program, surroundings, openers }: Invocation, ended: (exitCode: number) => void): Cli {
  const { env, stdin, stdout, stderr } = surroundings;
  let settings: GlobalSettings | undefined;
  let output: Output | undefined;
  const settingsNow = (): GlobalSettings => {
    settings ??= settingsOf(program.opts<GlobalOptions>(), env);
    return settings;
  };
  const outputNow = (): Output => {
    output ??= createOutput({ json: settingsNow().json, stdout, stderr, env });
    return output;
  };
  const connectTo = async (which: Program): Promise<Connection> => {
    const { data, url, tokenFile, ca, requestId } = settingsNow();
    const what = "administrator's token";
    const token =
      url === undefined ? undefined : readSecret({ what, file: tokenFile, variable: 'CALYX_TOKEN', env });
    return await connect({ program: which, data, url, token, ca, requestId, openers });
  };
  return {
    get settings() {
      return settingsNow();
    },
    get output() {
      return outputNow();
    },
    env,
    run:
      (action) =>
      async (...args) => {
        try {
          ended(outputNow().finish(await action(...args)));
        } catch (error) {
          ended(outputNow().fail(error));
        }
      },
    connect: connectTo,
    withApi: async (which, use) => {
      const connection = await connectTo(which);
      try {
        return await use(connection.api, connection);
      } finally {
        await connection.close();
      }
    },
    confirm: (question) => {
      const { yes, json } = settingsNow();
      return confirm(question, { answered: yes || json, input: stdin, output: stderr });
    },
    progress: (label, total) => startProgress({ sink: stderr, json: settingsNow().json, label, total }),
  };
}

/** Help and version are no mistakes; everything else that commander throws is wrong usage. */
const exitOf = (error: CommanderError): number => {
  const asked = new Set(['commander.helpDisplayed', 'commander.version']);
  return asked.has(error.code) || (error.code === 'commander.help' && error.exitCode === 0)
    ? exitCodes.done
    : exitCodes.usage;
};

/** Runs one command line (without `node` and the script); the exit code. */
export async function runCli(
  argv: readonly string[],
  surroundings: Surroundings,
  wiring: Wiring,
): Promise<number> {
  const program = createProgram(surroundings);
  let exitCode: number = exitCodes.done;
  const invocation = { program, surroundings, openers: wiring.openers };
  const cli = createCli(invocation, (code) => {
    exitCode = code;
  });
  // Options of the program are taken out of every command line, and product versions have this one, too.
  if (!wiring.groups.some((group) => argv.includes(group.name))) program.version(version, '--version');
  for (const group of wiring.groups) {
    const command = program.command(group.name).summary(group.summary).description(group.summary);
    if (argv.includes(group.name)) (await group.load()).register(command, cli);
  }
  try {
    if (argv.length === 0) program.help();
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    exitCode = exitOf(error);
  }
  return exitCode;
}
