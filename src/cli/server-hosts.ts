/** `calyx server hosts`: which session hosts may ask for licenses. */
import type { Command } from 'commander';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import { serverCommand } from './server-words.ts';

type Hosts = { readonly hosts: readonly string[] };

export function register(group: Command, cli: Cli): void {
  group
    .command('hosts')
    .summary('limits license requests to listed hosts')
    .description(
      'Limits license requests to session hosts with the listed addresses, or opens them to any host.',
    )
    .option('--allow <addresses>', 'IP addresses, separated by commas')
    .option('--any', 'any host may ask')
    .action(
      cli.run(async (options: { readonly allow?: string; readonly any?: boolean }) => {
        const wanted = options.any === true ? [] : options.allow?.split(',').map((host) => host.trim());
        const set = await cli.withApi('server', (api) =>
          wanted === undefined
            ? api.call<Hosts>('GET', '/v1/admin/hosts')
            : api.call<Hosts>('PUT', '/v1/admin/hosts', { body: { hosts: wanted } }),
        );
        return done(set, (page) => {
          if (set.hosts.length === 0) {
            page.title('Any host may ask for licenses.');
            page.next('Limit them to your session hosts:');
            page.verbatim(serverCommand(cli, 'hosts', '--allow', '10.0.0.5,10.0.0.6'));
            return;
          }
          page.title(
            `${set.hosts.length === 1 ? 'One host' : `${set.hosts.length} hosts`} may ask for licenses.`,
          );
          page.keyValues(set.hosts.map((host, index) => [`Host ${index + 1}`, host]));
        });
      }),
    );
}
