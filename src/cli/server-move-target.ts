/** Where a move goes: a License Server ID, or an address that is asked for it. */
import { msOfIso } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import { patienceMs, withLicenseServer } from './license-holder.ts';
import type { Cli } from './main.ts';
import { Refused, Unreachable } from './outcome.ts';

export interface Target {
  readonly licenseServerId: string;
  readonly name: string | undefined;
  /** The address at which it was asked; clients are referred there. */
  readonly url: string | undefined;
  readonly activation: string | undefined;
  /** Its version, and how far its clock is ahead of ours. */
  readonly version: string | undefined;
  readonly clockDifferenceMs: number | undefined;
}

type ServerCard = Readonly<Record<'licenseServerId' | 'name' | 'activation', string>> & {
  readonly version?: string;
  readonly now?: string;
};

/** The target that `--to` names. Nobody at its address: `Unreachable`. */
export async function targetOf(cli: Cli, to: string): Promise<Target> {
  if (/^https?:\/\//i.test(to)) return askServer(cli, to);
  const unknown = { name: undefined, url: undefined, activation: undefined, version: undefined };
  return { licenseServerId: to, ...unknown, clockDifferenceMs: undefined };
}

/** What a license server says of itself. Nobody at its address: `Unreachable`. */
async function askServer(cli: Cli, url: string): Promise<Target> {
  return withLicenseServer(cli, url, async (api) => {
    const card = await api.call<ServerCard>('GET', '/v1/server', { timeoutMs: patienceMs });
    const { licenseServerId, name, activation, version, now } = card;
    const theirMs = now === undefined ? undefined : msOfIso(now);
    const clockDifferenceMs = theirMs === undefined ? undefined : theirMs - systemClock.nowMs();
    return { licenseServerId, name, activation, version, clockDifferenceMs, url: new URL(url).origin };
  });
}

/** An address of a license server, and who knows it: the command, the clearinghouse, or this server from before. */
export interface KnownAddress {
  readonly url: string;
  readonly knownFrom: 'command' | 'clearinghouse' | 'here';
}

/** Whether the target was reached, where, and how that address is known; `url` null: none is known. */
export type Reach = {
  readonly reached: boolean;
  readonly url: string | null;
  readonly knownFrom: KnownAddress['knownFrom'] | null;
  /** Why it was not. */
  readonly reason: string | null;
  readonly server: Target | null;
};

/** Asks the target at the addresses that are known of it, one after the other, and changes nothing. */
export async function reach(
  cli: Cli,
  licenseServerId: string,
  addresses: readonly KnownAddress[],
): Promise<Reach> {
  let last: Reach = { reached: false, url: null, knownFrom: null, reason: null, server: null };
  for (const address of addresses) {
    last = { ...last, ...address, reason: 'another license server answers there' };
    try {
      const server = await askServer(cli, address.url);
      if (server.licenseServerId === licenseServerId) return { ...last, reached: true, reason: null, server };
    } catch (error) {
      if (!(error instanceof Unreachable) && !(error instanceof Refused)) throw error;
      last = { ...last, reason: error.message };
    }
  }
  return last;
}
