/** Where a move goes: a License Server ID, or an address that is asked for it. */
import { patienceMs, withLicenseServer } from './license-holder.ts';
import type { Cli } from './main.ts';

export interface Target {
  readonly licenseServerId: string;
  readonly name: string | undefined;
  readonly activation: string | undefined;
}

type ServerCard = { readonly licenseServerId: string; readonly name: string; readonly activation: string };

/** The target that `--to` names. Nobody at its address: `Unreachable`. */
export async function targetOf(cli: Cli, to: string): Promise<Target> {
  if (!/^https?:\/\//i.test(to)) return { licenseServerId: to, name: undefined, activation: undefined };
  return withLicenseServer(cli, to, (api) =>
    api.call<ServerCard>('GET', '/v1/server', { timeoutMs: patienceMs }),
  );
}
