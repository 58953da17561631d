/** `calyx up`: a whole world on one machine, in one process, to try everything with. */
import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { Failure } from '../platform/failure.ts';
import { stopOnSignals } from '../platform/listen.ts';
import { port } from './arguments.ts';
import type { Cli } from './main.ts';
import { silent, WrongUsage } from './outcome.ts';
import { showWorld, worldFields } from './up-page.ts';
import type { Ports, World } from './up-world.ts';

const defaultFolder = 'calyx-data';

function portsOf(text: string): Ports {
  const [clearinghouse, old, fresh, ...more] = text.split(',').map((part) => port(part.trim()));
  if (clearinghouse === undefined || old === undefined || fresh === undefined || more.length > 0) {
    throw new InvalidArgumentError(
      'It must be three ports: clearinghouse, LS-OLD, LS-NEW (0 takes a free one).',
    );
  }
  return { clearinghouse, old, fresh };
}

/** A path as it can be typed here: relative where it is below. */
function typed(path: string): string {
  const below = relative(process.cwd(), path);
  return below === '' || below.startsWith('..') ? path : below;
}

/** The launcher of this checkout, as it can be typed here. */
function launcher(): string {
  const path = resolve(import.meta.dirname, '../..', process.platform === 'win32' ? 'calyx.cmd' : 'calyx');
  const below = typed(path);
  return below === path ? path : `./${below}`;
}

/** The port's own words advise an option that this command has not. */
function withPortAdvice(error: unknown): unknown {
  if (!(error instanceof Failure) || !error.code.startsWith('port-')) return error;
  return new Failure(error.message, {
    ...{ code: error.code, details: error.details, cause: error },
    next: 'Stop what runs there (perhaps calyx up runs already), or choose three others: --ports 8400,8410,8411',
  });
}

async function start(cli: Cli, dir: string, ports: Ports): Promise<World> {
  const { startWorld, stepsOfStart } = await import('./up-world.ts');
  const progress = cli.progress('Starting', stepsOfStart);
  let done = 0;
  try {
    return await startWorld({
      ...{ dir, ports },
      onStep: (label) => {
        progress.update(done, label);
        done += 1;
      },
    });
  } catch (error) {
    throw withPortAdvice(error);
  } finally {
    progress.end();
  }
}

export function register(group: Command, cli: Cli): void {
  group
    .description(
      'Starts a clearinghouse and two license servers, LS-OLD (500 CALs, 15 of them issued) and LS-NEW (fresh), ' +
        'with a sample publisher, agreement and kit, in one process; prints the commands to try next. The data ' +
        `stays in --data DIR (${defaultFolder}); started again, it goes on with it.`,
    )
    .addOption(
      new Option('--ports <ports>', 'ports of clearinghouse, LS-OLD and LS-NEW; 0 takes a free one')
        .argParser(portsOf)
        .default({ clearinghouse: 7400, old: 7410, fresh: 7411 }, '7400,7410,7411'),
    )
    .action(
      cli.run(async (options: { readonly ports: Ports }) => {
        if (cli.settings.url !== undefined)
          throw new WrongUsage('calyx up works on this machine: it takes no --url.');
        const dir = resolve(cli.settings.data ?? defaultFolder);
        const world = await start(cli, dir, options.ports);
        stopOnSignals(world.stop);
        const shown = { calyx: launcher(), path: typed };
        cli.output.print(worldFields(world, shown), (page) => showWorld(page, world, shown));
        await world.stopped;
        cli.output.note('Stopped. The data stays; calyx up goes on with it.');
        return silent;
      }),
    );
}
