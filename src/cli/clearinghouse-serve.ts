/** `calyx clearinghouse serve`: the clearinghouse as a service, until it is told to stop. */
import type { Command } from 'commander';
import { readTls, stopOnSignals } from '../platform/listen.ts';
import { port } from './arguments.ts';
import { dataFolderOf } from './local-files.ts';
import type { Cli } from './main.ts';
import { silent } from './outcome.ts';

interface ServeOptions {
  readonly listen: string;
  readonly port: number;
  readonly tls?: string;
}

export function register(group: Command, cli: Cli): void {
  group
    .command('serve')
    .summary('runs the clearinghouse')
    .description('Runs the clearinghouse of --data DIR until Ctrl-C or SIGTERM.')
    .option('--listen <address>', 'address to listen on; 0.0.0.0 for all of this machine', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes a free one', port, 7400)
    .option('--tls <cert,key>', 'certificate and private key (two PEM files)')
    .action(
      cli.run(async (options: ServeOptions) => {
        const dir = dataFolderOf(cli.settings, 'clearinghouse serve');
        const { serveProgram } = await import('./connect-serving.ts');
        const serving = await serveProgram({
          ...{ program: 'clearinghouse', dir, host: options.listen, port: options.port },
          ...(options.tls === undefined ? {} : { tls: readTls(options.tls) }),
        });
        stopOnSignals(serving.stop);
        serving.start();
        cli.output.print({ address: serving.address, data: dir }, (page) =>
          page
            .title(`The clearinghouse listens on ${serving.address}`)
            .keyValues([
              ['Data folder', dir],
              ['API', `${serving.localAddress}/docs`],
            ])
            .text('Ctrl-C stops it.'),
        );
        await serving.stopped;
        return silent;
      }),
    );
}
