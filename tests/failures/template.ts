/** What the runs of a scenario begin with: activated servers that have CALs, and holders of some of them. */
import { join } from 'node:path';
import { mostUnits } from '../../src/core/agreement.ts';
import type { CalType } from '../../src/core/product.ts';
import type { LicenseAnswer } from '../../src/server/usecases/request-license.ts';
import * as acts from '../world/acts.ts';
import { makeWorld } from '../world/world.ts';

export type ServerName = 'old' | 'next' | 'third';
export type Place = 'clearinghouse' | ServerName;

export interface Beginning {
  readonly carrier: 'online' | 'telephone';
  /** Of the old server, per device; and who has one. */
  readonly installed: number;
  readonly holders: readonly string[];
  /** More of the old server, per user; nobody has one. */
  readonly perUser?: number;
  /** A third server, with so many per device; and who has one. */
  readonly third?: { readonly installed: number; readonly holders: readonly string[] };
}

/** Eight CALs on the old server, of which three have holders; the new one has none. */
const pair = { installed: 8, holders: ['ws-1', 'ws-2', 'ws-3'] } as const;
export const online: Beginning = { carrier: 'online', ...pair };
export const telephone: Beginning = { carrier: 'telephone', ...pair };

/** A program as every run finds it: the folder with its keys, and its database. */
export interface Prepared {
  readonly dir: string;
  readonly file: string;
}

export interface Template {
  readonly startMs: number;
  readonly places: ReadonlyMap<Place, Prepared>;
  /** What the holders have. */
  readonly tokens: ReadonlyMap<string, LicenseAnswer>;
  readonly close: () => Promise<void>;
}

/** So many CALs, in key packs that a code can bring. */
function packs(total: number, type: CalType): readonly acts.Pack[] {
  const made: acts.Pack[] = [];
  for (let left = total; left > 0; left -= mostUnits) {
    made.push({ quantity: Math.min(left, mostUnits), type });
  }
  return made;
}

export async function prepare(beginning: Beginning): Promise<Template> {
  const { carrier, third, perUser } = beginning;
  const byTelephone = carrier === 'telephone';
  const world = await makeWorld(100, { kit: byTelephone });
  if (perUser !== undefined) await acts.sell(world, { quantity: 100, type: 'user' });
  const places = new Map<Place, Prepared>();
  const put = (place: Place, folder: string, file: string): void => {
    const dir = join(world.dir, folder);
    places.set(place, { dir, file: join(dir, file) });
  };
  put('clearinghouse', 'ch', 'clearinghouse.db');
  const tokens = new Map<string, LicenseAnswer>();
  const nobody = { installed: 0, holders: [] };
  const wanted = { old: beginning, next: nobody, ...(third === undefined ? {} : { third }) };
  for (const [name, { installed, holders }] of Object.entries(wanted)) {
    const server = await world.addServer(name, { kit: byTelephone, connected: true });
    if (byTelephone) await acts.setUp(world, server, 0);
    else await acts.connect(server, 0);
    const users = name === 'old' ? perUser : 0;
    for (const pack of [...packs(installed, 'device'), ...packs(users ?? 0, 'user')]) {
      await (byTelephone ? acts.install(world, server, pack) : acts.installByContact(server, pack));
    }
    if (!byTelephone) await acts.contact(server);
    put(name as ServerName, name, 'license-server.db');
    for (const holder of holders) tokens.set(holder, await acts.permanent(server, holder));
  }
  return { startMs: world.clock.nowMs(), places, tokens, close: () => world.close() };
}
