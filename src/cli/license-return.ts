/** `calyx license return`: gives a license back before its end. */
import type { Command } from 'commander';
import type { ApiClient } from './client.ts';
import type { HolderOptions } from './license-holder.ts';
import { holderOf, licensePath, withHolderOptions, withLicenseServer } from './license-holder.ts';
import { readStore, withoutLicense, writeStore } from './license-store.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

interface ReturnOptions extends HolderOptions {
  readonly store?: string;
}

type Returned = { readonly returned: boolean; readonly unit: number };

async function serverId(api: ApiClient): Promise<string> {
  return (await api.call<{ licenseServerId: string }>('GET', '/v1/server')).licenseServerId;
}

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('return')
    .summary('gives a license back before its end')
    .description(
      'Gives a license back: its CAL is free for others at once, and its token is no longer honored.',
    );
  withHolderOptions(command)
    .option('--store <file>', 'take it out of this file')
    .action(
      cli.run(async (options: ReturnOptions) => {
        const holder = holderOf(options);
        const store = options.store === undefined ? [] : readStore(options.store);
        const { returned, id } = await withLicenseServer(cli, options.server, async (api) => ({
          returned: await api.call<Returned>('DELETE', licensePath(holder)),
          id: options.store === undefined ? '' : await serverId(api),
        }));
        if (options.store !== undefined) writeStore(options.store, withoutLicense(store, holder, id));
        return done({ ...returned, product: holder.product, type: holder.type }, (page) =>
          page.text(
            `The license of ${holder.name} for ${holder.product} (unit ${returned.unit}) is given back.`,
          ),
        );
      }),
    );
}
