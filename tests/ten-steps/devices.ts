/**
 * Devices that ask for licenses, some with `calyx license request` and the rest by plain HTTP, and what
 * must be true of all of them in the end: each holds exactly one CAL, the one it had from the first day.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { License, Shown } from './answers.ts';
import type { Refused } from './program.ts';
import type { Machine, Site } from './site.ts';
import { agreement, product } from './site.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly body: License & Partial<Refused>;
}

const pathOf = (device: string): string => `/v1/licenses/${product}/devices/${encodeURIComponent(device)}`;

/** A license request as a session host sends it, with what the device has from another server. */
export async function ask(address: string, device: string, source?: License): Promise<HttpAnswer> {
  const shown = source && JSON.stringify({ source: { token: source.token, bundle: source.bundle } });
  const answer = await fetch(`${address}${pathOf(device)}`, {
    method: 'PUT',
    ...(shown === undefined ? {} : { body: shown, headers: { 'content-type': 'application/json' } }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: answer.status, body: (await answer.json()) as HttpAnswer['body'] };
}

async function signIn(address: string, device: string): Promise<void> {
  const answer = await fetch(`${address}${pathOf(device)}/validate`, {
    method: 'POST',
    signal: AbortSignal.timeout(30_000),
  });
  assert.equal(answer.status, 200, device);
}

/** Asks, and must be answered with a permanent license. */
export async function askPermanent(address: string, device: string, source?: License): Promise<License> {
  const { status, body } = await ask(address, device, source);
  assert.ok(status === 200 || status === 201, `${device}: ${JSON.stringify(body)}`);
  assert.equal(body.kind, 'permanent', device);
  return body;
}

/** A new device: a temporary license, a sign-in, a permanent one. */
export async function arrive(address: string, device: string): Promise<License> {
  const first = await ask(address, device);
  assert.deepEqual([first.status, first.body.kind, first.body.unit], [201, 'temporary', null], device);
  await signIn(address, device);
  return askPermanent(address, device);
}

/** The same with the commands; the device keeps its license in a file of its own. */
export async function arriveByCommand(site: Site, address: string, device: string): Promise<License> {
  const request = requestWords(site, address, device);
  const first = await site.calyx.done<License>(...request);
  assert.deepEqual([first.status, first.kind, first.unit], ['issued', 'temporary', null], device);
  await site.calyx.done('license', 'validate', ...holderWords(address, device));
  const license = await site.calyx.done<License>(...request);
  assert.deepEqual([license.status, license.kind], ['issued', 'permanent'], device);
  return license;
}

const holderWords = (address: string, device: string): readonly string[] => [
  ...['--server', address, '--product', product, '--device', device],
];

const storeOf = (site: Site, device: string): string => site.file(`${device}.json`);

/** `calyx license request` of a device that keeps its license. */
export function requestWords(site: Site, address: string, device: string): readonly string[] {
  return ['license', 'request', ...holderWords(address, device), '--store', storeOf(site, device)];
}

/** Everything that a device knows of its CAL. */
export type Holders = Map<string, License>;

/** `count` devices with CALs of a server; the first `byCommand` of them use the command line. */
export async function populate(
  site: Site,
  address: string,
  of: { readonly count: number; readonly byCommand: number },
): Promise<Holders> {
  const names = Array.from({ length: of.count }, (_, index) => `ws-${index + 1}`);
  const arrivals = names.map(async (name, index): Promise<[string, License]> => {
    const way = index < of.byCommand ? arriveByCommand(site, address, name) : arrive(address, name);
    return [name, await way];
  });
  const holders: Holders = new Map(await Promise.all(arrivals));
  assert.equal(new Set([...holders.values()].map((each) => each.origin)).size, of.count);
  return holders;
}

interface Listed {
  readonly items: readonly { readonly holder: string; readonly origin: string; readonly state: string }[];
}

const byHolder = (one: readonly string[], other: readonly string[]): number =>
  (one[0] ?? '').localeCompare(other[0] ?? '');

/** Who holds what of a server, by its own list: holder and origin, sorted. */
export async function holdersOf(server: Machine): Promise<readonly (readonly string[])[]> {
  const { items } = await server.done<Listed>('server', 'licenses', '--limit', '1000');
  return items
    .filter(({ state }) => state === 'issued')
    .map(({ holder, origin }) => [holder, origin])
    .toSorted(byHolder);
}

/**
 * Each of `holders` asks `where` and must hold the CAL it has had since the first day, once on all
 * `servers` together; the token must verify on a machine that has nothing but the publisher's bundle.
 */
export async function expectOneEach(
  site: Site,
  of: { readonly holders: Holders; readonly where: Machine; readonly servers: readonly Machine[] },
): Promise<void> {
  const now: Holders = new Map();
  for (const [device, first] of of.holders) {
    const license = await askPermanent(of.where.address, device, first);
    assert.equal(license.origin, first.origin, device);
    now.set(device, license);
  }
  const expected = [...of.holders].map(([name, { origin }]) => [name, origin ?? '']).toSorted(byHolder);
  const lists = await Promise.all(of.servers.map(holdersOf));
  assert.deepEqual(lists.flat().toSorted(byHolder), expected);
  await expectVerifiable(site, now);
}

/** A fresh machine: the tokens, what verifies them, the publisher's bundle, and no server in reach. */
async function expectVerifiable(site: Site, holders: Holders): Promise<void> {
  const licenses = [...holders].map(([holder, { token, bundle }]) => ({ holder, token, bundle }));
  const fresh = site.file('fresh-machine');
  mkdirSync(fresh, { recursive: true });
  const file = join(fresh, 'licenses.json');
  writeFileSync(file, JSON.stringify({ licenses }));
  const shown = await site.calyx.done<{ licenses: readonly Shown[] }>(
    ...['license', 'show', file, '--root', site.bundle],
  );
  assert.equal(shown.licenses.length, holders.size);
  for (const { valid, rootPinned, holder, claims, proof } of shown.licenses) {
    const license = holders.get(holder ?? '');
    assert.ok(license, `${holder} is one of them`);
    assert.deepEqual([valid, rootPinned, claims.kind], [true, true, 'device'], holder ?? '');
    assert.deepEqual([claims.origin, claims.unit], [license.origin, license.unit], holder ?? '');
    assert.deepEqual([proof?.publisher, proof?.agreement], ['Sample Publisher', agreement]);
  }
  assert.equal(new Set(shown.licenses.map(({ claims }) => claims.origin)).size, holders.size);
  assert.equal(
    new Set(shown.licenses.map(({ claims }) => `${claims.iss}/${claims.unit}`)).size,
    holders.size,
  );
}
