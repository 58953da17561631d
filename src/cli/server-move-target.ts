/** Where a move goes: a License Server ID, or an address that is asked for it. */
import { patienceMs, withLicenseServer } from './license-holder.ts';
import type { Cli } from './main.ts';

export interface Target {
  readonly licenseServerId: string;
  readonly name: string | undefined;
  /** The address at which it was asked; clients are referred there. */
  readonly url: string | undefined;
  readonly activation: string | undefined;
}

type ServerCard = { readonly licenseServerId: string; readonly name: string; readonly activation: string };

/** The target that `--to` names. Nobody at its address: `Unreachable`. */
export async function targetOf(cli: Cli, to: string): Promise<Target> {
  if (!/^https?:\/\//i.test(to)) {
    return { licenseServerId: to, name: undefined, url: undefined, activation: undefined };
  }
  return withLicenseServer(cli, to, async (api) => {
    const card = await api.call<ServerCard>('GET', '/v1/server', { timeoutMs: patienceMs });
    const { licenseServerId, name, activation } = card;
    return { licenseServerId, name, activation, url: new URL(to).origin };
  });
}
