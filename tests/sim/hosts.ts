/**
 * Session hosts: after a step somebody may sign in at one of them and show a license, which the host verifies
 * offline, up to the publisher's root key (protocol §3.8). Whoever has a living license gets in, whatever has
 * become of the CAL and of its server since; nobody gets in with one that has ended.
 */
import { clockToleranceMs } from '../../src/core/standing.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import type { OpenedBundle } from '../../src/protocol/license-bundle.ts';
import {
  bundleHash,
  openLicenseBundle,
  readLicenseBundle,
  verifyToken,
} from '../../src/protocol/license-bundle.ts';
import type { LicenseReason } from '../../src/protocol/license-proof.ts';
import { value } from '../world/world.ts';
import { chanceOf } from './chances.ts';
import type { Sim } from './sim.ts';
import type { HeldToken } from './tokens.ts';
import { Violation } from './tokens.ts';

const hostNames = ['RDSH-1', 'RDSH-2', 'RDSH-3'] as const;
/** What a sign-in draws from: its own, so that what the programs and the others do is the same with hosts and without. */
const purpose = 11;

/** One that has the publisher's root key from its installation, and keeps each bundle that it has opened. */
export class SessionHost {
  readonly name: string;
  readonly #root: Uint8Array;
  readonly #opened = new Map<string, OpenedBundle>();

  constructor(name: string, root: Uint8Array) {
    this.name = name;
    this.#root = root;
  }

  /** Why somebody with this license is not let in; undefined: welcome. */
  refuses({ token, bundle }: Pick<HeldToken, 'token' | 'bundle'>, nowMs: number): LicenseReason | undefined {
    const read = value(readLicenseBundle(bundle));
    const hash = bundleHash(nodeDigest, read);
    let opened = this.#opened.get(hash);
    if (opened === undefined) {
      const checked = openLicenseBundle(nodeDigest, read, this.#root);
      if (!checked.ok) return checked.error.reason;
      opened = checked.value;
      this.#opened.set(hash, opened);
    }
    const verified = verifyToken(nodeDigest, opened, { token, nowMs });
    return verified.ok ? undefined : verified.error.reason;
  }
}

export const makeHosts = (root: Uint8Array): readonly SessionHost[] =>
  hostNames.map((name) => new SessionHost(name, root));

/** Somebody signs in now and then, with one of the licenses it has had; answers nothing where nobody does. */
export function signIn(sim: Sim): string {
  const chance = chanceOf(sim.seed, sim.step, purpose);
  if (!chance.happens(0.2)) return '';
  const host = chance.pick(sim.hosts);
  const type = chance.pick(['device', 'device', 'user'] as const);
  const holder = `${type === 'device' ? 'ws' : 'user'}-${chance.between(1, sim.profile.holders)}`;
  const theirs = sim.tokens.of(holder, type);
  if (theirs.length === 0) return '';
  const held = chance.happens(0.7) ? theirs.at(-1) : chance.pick(theirs);
  if (held === undefined) return '';
  const why = host.refuses(held, sim.nowMs);
  const words = `${holder} signs in at ${host.name} with unit ${held.unit}: ${why ?? 'welcome'}`;
  const expected = expectedOf(held, sim.nowMs);
  if (why !== expected) throw new Violation('hosts let holders in', `${words}, not ${expected ?? 'welcome'}`);
  return `; ${words}`;
}

/** Why it is to be refused; one that its server gave out with a clock far ahead is no license of today. */
function expectedOf({ issuedMs, endsMs }: HeldToken, nowMs: number): LicenseReason | undefined {
  if (issuedMs > nowMs + clockToleranceMs) return 'not-yet-valid';
  return endsMs < nowMs ? 'expired' : undefined;
}
