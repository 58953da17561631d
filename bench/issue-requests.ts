/** Requests of the benchmarks for licenses, as hosts send them. */
import { randomBytes } from 'node:crypto';
import type { Child } from './issue-child.ts';
import type { LoadOrder, LoadReport } from './issue-load.ts';
import type { Stock, World } from './issue-world.ts';

/** Who asks, and whom. */
export interface Asking {
  readonly world: Pick<World, 'port'>;
  readonly load: Child;
}

export const pathOf = (stock: Stock, device: string): string =>
  `/v1/licenses/${stock.product}/devices/${device}`;

/** Names as hosts give them: random, so that they fall all over the index. */
export function newDevices(count: number, prefix: string): string[] {
  return Array.from({ length: count }, () => prefix + randomBytes(6).toString('hex'));
}

export async function send(
  asking: Asking,
  order: Partial<LoadOrder> & Pick<LoadOrder, 'paths'>,
): Promise<LoadReport> {
  const usual = {
    port: asking.world.port,
    connections: 64,
    method: 'PUT',
    status: 200,
    contains: '',
    units: false,
  };
  return asking.load.ask<LoadReport>({ ...usual, ...order });
}

/** Devices that have signed in with a temporary license: the next request issues a permanent one. */
export async function signedIn(asking: Asking, stock: Stock, devices: readonly string[]): Promise<string[]> {
  const paths = devices.map((device) => pathOf(stock, device));
  await send(asking, { paths, status: 201, contains: '"kind":"temporary"' });
  const validations = paths.map((path) => `${path}/validate`);
  await send(asking, { paths: validations, method: 'POST', contains: '"validated":true' });
  return paths;
}

/** What the answer to a new permanent license looks like. */
export const issued = { status: 201, contains: '"status":"issued","kind":"permanent"', units: true };
