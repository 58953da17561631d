/** `calyx server serve`: a license server as a service, until it is told to stop. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { readTls, stopOnSignals } from '../platform/listen.ts';
import { port } from './arguments.ts';
import { parseBaseUrl } from './client-http.ts';
import { commandLine } from './command-words.ts';
import { overHttp } from './connect.ts';
import type { Serving } from './connect-serving.ts';
import { dataFolderOf } from './local-files.ts';
import type { Cli } from './main.ts';
import { silent } from './outcome.ts';
import type { Status } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import { serverCommand } from './server-words.ts';

interface ServeOptions {
  readonly listen: string;
  readonly port: number;
  readonly tls?: string;
  readonly log: 'silent' | 'error' | 'warn' | 'info' | 'debug';
}

/** Asks the service that was just started, as any other command would. */
async function statusOf(
  serving: Serving,
  certificates: string | undefined,
  requestId: string,
): Promise<Status> {
  const base = parseBaseUrl(serving.localAddress);
  const { api, close } = overHttp({ base, token: serving.adminToken, certificates, requestId });
  try {
    return await readStatus(api);
  } finally {
    await close();
  }
}

async function serve(cli: Cli, options: ServeOptions) {
  const dir = dataFolderOf(cli.settings, 'server serve');
  const tls = options.tls === undefined ? undefined : readTls(options.tls);
  const { serveProgram } = await import('./connect-serving.ts');
  const { listen: host, port: wantedPort, log } = options;
  const serving = await serveProgram({
    ...{ program: 'server', dir, host, port: wantedPort, logLevel: log },
    ...(tls === undefined ? {} : { tls }),
  });
  stopOnSignals(serving.stop);
  const status = await statusOf(serving, tls?.cert, cli.settings.requestId);
  serving.start();
  const { licenseServerId, name, activation, method } = status;
  const { address, port: usedPort } = serving;
  const fields = { address, port: usedPort, data: dir, licenseServerId, name, activation, method };
  cli.output.print(fields, (page) => {
    page
      .title(`The license server ${name} listens on ${address}`)
      .keyValues([
        ['License Server ID', licenseServerId],
        ['Activation', activation],
        ['Method', method],
        ['Data folder', dir],
        ['API', `${serving.localAddress}/docs`],
      ])
      .text('Ctrl-C stops it. Commands with the same --data reach it from another terminal:')
      .verbatim([
        serverCommand(cli, 'status'),
        commandLine(
          'calyx',
          'license',
          'request',
          '--server',
          serving.localAddress,
          '--product',
          'PRODUCT',
          '--device',
          'NAME',
        ),
      ]);
  });
  await serving.stopped;
  return silent;
}

export function register(group: Command, cli: Cli): void {
  group
    .command('serve')
    .summary('runs the license server')
    .description('Runs the license server of --data DIR until Ctrl-C or SIGTERM.')
    .option('--listen <address>', 'address to listen on; 0.0.0.0 for all of this machine', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes a free one', port, 7410)
    .option('--tls <cert,key>', 'certificate and private key (two PEM files)')
    .addOption(
      new Option('--log <level>', 'what is logged to stderr, as JSON lines')
        .choices(['silent', 'error', 'warn', 'info', 'debug'])
        .default('warn'),
    )
    .action(cli.run(async (options: ServeOptions) => serve(cli, options)));
}
