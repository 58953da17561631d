/**
 * Asking for a license where it is: at one of the license servers that were named, and on from there along
 * signed referrals to the server that has the CAL now (protocol §2.4). Whatever a referral leads to, a
 * license that was given on the way is not lost by it.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import { systemClock } from '../platform/clock.ts';
import { nodeDigest } from '../platform/digest.ts';
import {
  claimedRootIds,
  readLicenseBundle,
  rootOfBundle,
  verifyLicense,
} from '../protocol/license-bundle.ts';
import type { Referral } from '../protocol/referral.ts';
import { openReferral } from '../protocol/referral.ts';
import type { Holder } from './license-holder.ts';
import { licensePath, patienceMs, withLicenseServer } from './license-holder.ts';
import type { StoredLicense } from './license-store.ts';
import { issuerOf } from './license-store.ts';
import type { Cli } from './main.ts';
import { must, Refused, Unreachable } from './outcome.ts';

/** What a license server answers to a request (docs/http.md, 2). */
export type License = JsonObject & {
  readonly status: 'issued' | 'renewed' | 'unchanged';
  readonly kind: 'temporary' | 'permanent';
  readonly product: string;
  readonly type: string;
  readonly unit: number | null;
  readonly origin: string | null;
  readonly token: string;
  readonly expiresAt: string;
  readonly bundle: JsonValue;
};

/** How often a client is sent on before it stops: chains of moves are short, and a circle has no end. */
const mostHops = 8;

export interface Asking {
  readonly cli: Cli;
  readonly holder: Holder;
  /** Addresses that were named, in their order. */
  readonly servers: readonly string[];
  /** What the holder has that is good now, the best of it first. */
  readonly good: readonly StoredLicense[];
}

export interface Obtained {
  readonly license: License;
  /** The address of the server that gave it. */
  readonly server: string;
  /** Addresses of the servers that had sent the client there. */
  readonly via: readonly string[];
  /** Why a referral was not followed to its end; null where none was, or where it led to the license. */
  readonly problem: Refused | Unreachable | null;
}

/** What one license server said, whether yes or no. */
interface Said {
  readonly url: string;
  readonly licenseServerId: string;
  readonly license: License | null;
  readonly refused: Refused | null;
  readonly referral: string | null;
}

interface Place {
  readonly url: string;
  readonly licenseServerId: string;
}

/** Who answers at an address. Nobody: `Unreachable`. */
async function placeAt(cli: Cli, url: string): Promise<Place> {
  return withLicenseServer(cli, url, async (api) => {
    const card = await api.call<{ licenseServerId: string }>('GET', '/v1/server', { timeoutMs: patienceMs });
    return { url, licenseServerId: card.licenseServerId };
  });
}

/** Asks a license server, and shows it what the holder has from another one, to be taken over. */
async function askAt(asking: Asking, place: Place): Promise<Said> {
  const { cli, holder, good } = asking;
  const source = good.find(
    ({ kind, token }) => kind === 'permanent' && issuerOf(token) !== place.licenseServerId,
  );
  // What is newest decides: a holder that has the license of this very server shows it nothing else.
  const shows = source !== undefined && source === good.find(({ kind }) => kind === 'permanent');
  const body = shows ? { body: { source: { token: source.token, bundle: source.bundle } } } : {};
  const call = { ...body, timeoutMs: patienceMs };
  const said = { ...place, license: null, refused: null };
  try {
    const license = await withLicenseServer(cli, place.url, (api) =>
      api.call<License>('PUT', licensePath(holder), call),
    );
    return { ...said, license, referral: textOf(license['referral']) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ...said, refused: error, referral: textOf(error.refused['referral']) };
  }
}

const textOf = (value: JsonValue | undefined): string | null => (typeof value === 'string' ? value : null);

/** The root keys of the publisher whose licenses the holder has; none where it has none yet. */
function knownRoots(good: readonly StoredLicense[]): readonly string[] {
  const [newest] = good;
  const bundle = newest && readLicenseBundle(newest.bundle);
  return bundle?.ok === true ? claimedRootIds(bundle.value) : [];
}

/**
 * The target of a referral, by its License Server ID: at the addresses that the referral names, then at
 * those that were configured. Refused: `referral-address-unknown`. Nobody answers where it should be:
 * `Unreachable`.
 */
async function findTarget(asking: Asking, { target, urls }: Referral): Promise<Place> {
  let silent: Unreachable | undefined;
  for (const url of new Set([...urls, ...asking.servers])) {
    try {
      const place = await placeAt(asking.cli, url);
      if (place.licenseServerId === target) return place;
    } catch (error) {
      if (!(error instanceof Unreachable) && !(error instanceof Refused)) throw error;
      if (error instanceof Unreachable && urls.includes(url)) silent ??= error;
    }
  }
  throw silent ?? Refused.of({ code: 'referral-address-unknown', licenseServerId: target, tried: urls });
}

/** What a referral led to must be that server, under the root that the referral names. */
function checkGiven(license: License, referral: Referral): void {
  const invalid = (problem: string): Refused => Refused.of({ code: 'referral-invalid', problem });
  if (issuerOf(license.token) !== referral.target) {
    throw invalid('another license server answers at the address that it leads to');
  }
  const bundle = must(readLicenseBundle(license.bundle));
  const root = rootOfBundle(nodeDigest, bundle, referral.root);
  if (root === undefined) throw invalid('the license server that it leads to is of another publisher');
  const nowMs = systemClock.nowMs();
  const verified = verifyLicense({ token: license.token, bundle, root, nowMs, digest: nodeDigest });
  if (!verified.ok)
    throw invalid(`the license that is given there does not verify (${verified.error.detail})`);
}

/** One step along a referral: opened offline, its target found and asked. */
async function followOnce(
  asking: Asking,
  of: {
    readonly from: Said;
    readonly token: string;
    readonly seen: readonly string[];
    roots: readonly string[];
  },
): Promise<{ readonly said: Said; readonly referral: Referral }> {
  const { from, token, seen, roots } = of;
  const expected = { from: from.licenseServerId, roots, nowMs: systemClock.nowMs(), digest: nodeDigest };
  const referral = must(openReferral(token, expected));
  if (seen.includes(referral.target) || seen.length > mostHops) {
    const refusal: Refusal = { code: 'referral-loop', licenseServerIds: [...seen, referral.target] };
    throw Refused.of(refusal);
  }
  const said = await askAt(asking, await findTarget(asking, referral));
  if (said.license !== null) checkGiven(said.license, referral);
  return { said, referral };
}

/** Whether a referral names a server and no place: then what the server itself has said is to be told. */
function leadsNowhere(error: Refused | Unreachable): boolean {
  if (!(error instanceof Refused) || error.refused.code !== 'referral-address-unknown') return false;
  const { tried } = error.refused;
  return Array.isArray(tried) && tried.length === 0;
}

/** Goes on from what a first server said until nobody refers further. */
async function follow(asking: Asking, first: Said): Promise<Obtained> {
  let said = first;
  let roots = knownRoots(asking.good);
  const seen = [first.licenseServerId];
  const via: string[] = [];
  let best: Obtained | null = null;
  const keep = (): void => {
    if (said.license === null) return;
    // A temporary license of the next server is no reason to give up a permanent one of this server.
    if (best?.license.kind === 'permanent' && said.license.kind === 'temporary') return;
    best = { license: said.license, server: said.url, via: [...via], problem: null };
  };
  const endWith = (problem: Refused | Unreachable): Obtained => {
    if (best === null) throw problem;
    return { ...best, problem };
  };
  for (;;) {
    keep();
    if (said.referral === null) {
      if (said.refused !== null) return endWith(said.refused);
      if (best === null) throw new Error('A license server gave no license and refused none.');
      return best;
    }
    try {
      const step = await followOnce(asking, { from: said, token: said.referral, seen, roots });
      via.push(said.url);
      seen.push(step.said.licenseServerId);
      roots = [step.referral.root];
      said = step.said;
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof Unreachable)) throw error;
      return endWith(leadsNowhere(error) ? (said.refused ?? error) : error);
    }
  }
}

/** The addresses that a license says it was reached by way of. */
export function viaOf(license: JsonObject): readonly string[] {
  const via = license['via'];
  return Array.isArray(via) ? via.filter((each) => typeof each === 'string') : [];
}

/** Where the newest license came from goes first, where it was led there from one of the named servers. */
function inOrder({ servers, good }: Asking): readonly string[] {
  const [newest] = good;
  if (newest === undefined) return servers;
  const known = [newest.server, ...viaOf(newest)].some((url) => servers.includes(url));
  return known ? [newest.server, ...servers.filter((url) => url !== newest.server)] : servers;
}

/**
 * Asks the named license servers in turn, the remembered one first, until one of them or one that it refers
 * to gives a license. Nobody does: the first refusal, or else `Unreachable`.
 */
export async function obtainLicense(asking: Asking): Promise<Obtained> {
  let refused: Refused | undefined;
  let unreachable: Unreachable | undefined;
  for (const url of inOrder(asking)) {
    try {
      return await follow(asking, await askAt(asking, await placeAt(asking.cli, url)));
    } catch (error) {
      if (error instanceof Refused) refused ??= error;
      else if (error instanceof Unreachable) unreachable ??= error;
      else throw error;
    }
  }
  // Unreachable is not invalid: where a referral leads to nobody, what is in hand goes on being good.
  throw unreachable ?? refused ?? new Error('No license server was named.');
}
