/** What the client's commands have in common: which license server, which product, which holder. */
import type { Command } from 'commander';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import { parseBaseUrl } from './client-http.ts';
import { overHttp } from './connect.ts';
import { readTextFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { WrongUsage } from './outcome.ts';

export interface HolderOptions {
  readonly server: string;
  readonly product: string;
  readonly device?: string;
  readonly user?: string;
}

export interface Holder {
  readonly product: string;
  readonly type: 'device' | 'user';
  readonly name: string;
}

/** Adds the options that name server, product and holder. */
export function withHolderOptions(command: Command): Command {
  return command
    .requiredOption('--server <url>', 'address of the license server')
    .requiredOption('--product <id>', 'product version that the host runs')
    .option('--device <name>', 'name of the device')
    .option('--user <name>', 'name of the user');
}

/** The holder: a device or a user, one of them. */
export function holderOf({ product, device, user }: HolderOptions): Holder {
  if ((device === undefined) === (user === undefined)) {
    throw new WrongUsage('Say who the license is for: --device NAME, or --user NAME.');
  }
  return device === undefined
    ? { product, type: 'user', name: user ?? '' }
    : { product, type: 'device', name: device };
}

/** The path of the holder's license on any license server. */
export function licensePath({ product, type, name }: Holder): string {
  return `/v1/licenses${pathOf(product, type === 'user' ? 'users' : 'devices', name)}`;
}

/** How long a license server may take before the client goes on with what it has, milliseconds. */
export const patienceMs = 15_000;

/** Lets `use` speak with a license server, as any client does: without the administrator's token. */
export async function withLicenseServer<T>(
  cli: Cli,
  url: string,
  use: (api: ApiClient) => Promise<T>,
): Promise<T> {
  const { ca, requestId } = cli.settings;
  const base = parseBaseUrl(url);
  const certificates = ca === undefined ? undefined : readTextFile(ca);
  const { api, close } = overHttp({ base, token: undefined, certificates, requestId });
  try {
    return await use(api);
  } finally {
    await close();
  }
}
