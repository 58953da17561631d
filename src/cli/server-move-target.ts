/** Where a move goes: a License Server ID, or an address that is asked for it. */
import { msOfIso } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import { patienceMs, withLicenseServer } from './license-holder.ts';
import type { Cli } from './main.ts';

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
  if (!/^https?:\/\//i.test(to)) {
    const unknown = { name: undefined, url: undefined, activation: undefined, version: undefined };
    return { licenseServerId: to, ...unknown, clockDifferenceMs: undefined };
  }
  return withLicenseServer(cli, to, async (api) => {
    const card = await api.call<ServerCard>('GET', '/v1/server', { timeoutMs: patienceMs });
    const { licenseServerId, name, activation, version, now } = card;
    const theirMs = now === undefined ? undefined : msOfIso(now);
    const clockDifferenceMs = theirMs === undefined ? undefined : theirMs - systemClock.nowMs();
    return { licenseServerId, name, activation, version, clockDifferenceMs, url: new URL(to).origin };
  });
}
