/** Where a move goes: a License Server ID, or an address that is asked for it. */
import { createApiClient } from './client.ts';
import { createHttpSender, parseBaseUrl, trustOnly } from './client-http.ts';
import { readTextFile } from './local-files.ts';
import type { Cli } from './main.ts';

export interface Target {
  readonly licenseServerId: string;
  readonly name: string | undefined;
  readonly activation: string | undefined;
}

type ServerCard = { readonly licenseServerId: string; readonly name: string; readonly activation: string };

/** Asks the license server at `url` who it is. Nobody there: `Unreachable`. */
async function askServer(cli: Cli, url: string): Promise<ServerCard> {
  const { ca, requestId } = cli.settings;
  const sender = createHttpSender(parseBaseUrl(url), ca === undefined ? {} : trustOnly(readTextFile(ca)));
  try {
    const api = createApiClient({ send: sender.send, token: undefined, requestId });
    return await api.call<ServerCard>('GET', '/v1/server', { timeoutMs: 15_000 });
  } finally {
    sender.close();
  }
}

/** The target that `--to` names. */
export async function targetOf(cli: Cli, to: string): Promise<Target> {
  if (!/^https?:\/\//i.test(to)) return { licenseServerId: to, name: undefined, activation: undefined };
  return askServer(cli, to);
}
