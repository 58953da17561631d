/**
 * A clearinghouse and its license servers in one run: real programs on databases in memory, whose writes and messages
 * fail where they are told to, each started anew where it failed.
 */
import assert from 'node:assert/strict';
import { openClearinghouseContext } from '../../src/clearinghouse/app.ts';
import type { ClearinghouseContext } from '../../src/clearinghouse/context.ts';
import { exchangeMessages } from '../../src/clearinghouse/usecases/exchange.ts';
import { err, ok } from '../../src/core/result.ts';
import type { Delivery } from '../../src/platform/delivery.ts';
import { openServerContext } from '../../src/server/app.ts';
import type { ServerContext } from '../../src/server/context.ts';
import { MemoryDatabase, Program } from '../sim/program.ts';
import * as acts from '../world/acts.ts';
import type { Books } from '../world/conserved.ts';
import type { TestClock } from '../world/world.ts';
import type { Faults } from './faults.ts';
import { faultyStore, InjectedFailure } from './faults.ts';
import type { Place, Prepared, ServerName, Template } from './template.ts';

export interface Programs {
  readonly clearinghouse: Program<ClearinghouseContext>;
  readonly servers: ReadonlyMap<ServerName, Program<ServerContext>>;
}

export interface Hands {
  readonly clock: TestClock;
  readonly faults: Faults;
}

/** Databases at one moment, by place; in files of the template, or in memory. */
export type Databases = ReadonlyMap<Place, Pick<Prepared, 'file'>>;

/** The programs of a template on copies of these databases. */
export async function openPrograms(
  template: Template,
  databases: Databases,
  { clock, faults }: Hands,
): Promise<Programs> {
  const dirOf = (place: Place): string => template.places.get(place)?.dir ?? '';
  const from = (place: Place): string => databases.get(place)?.file ?? '';
  const clearinghouse: Programs['clearinghouse'] = new Program({
    ...{ name: 'clearinghouse', kind: 'clearinghouse' as const, clock, from: from('clearinghouse') },
    open: (store) => {
      const faulty = faultyStore(store, 'clearinghouse', faults);
      return openClearinghouseContext(dirOf('clearinghouse'), { clock, store: faulty });
    },
  });
  await clearinghouse.start();
  const servers = new Map<ServerName, Program<ServerContext>>();
  for (const place of template.places.keys()) {
    if (place === 'clearinghouse') continue;
    const delivery = faultyDelivery(place, faults, () => clearinghouse.context);
    const server: Program<ServerContext> = new Program({
      ...{ name: place, kind: 'server' as const, clock, from: from(place) },
      open: (store) =>
        openServerContext(dirOf(place), { clock, delivery, store: faultyStore(store, place, faults) }),
    });
    await server.start();
    servers.set(place, server);
  }
  return { clearinghouse, servers };
}

export const allOf = ({
  clearinghouse,
  servers,
}: Programs): readonly (Programs['clearinghouse'] | Program<ServerContext>)[] => [
  clearinghouse,
  ...servers.values(),
];

/** Started from what is committed: whatever the one before had in memory is gone. */
export async function startAnew(programs: Programs, place: string): Promise<void> {
  const program = allOf(programs).find(({ name }) => name === place);
  assert.ok(program !== undefined, place);
  await program.stop();
  await program.start();
}

/** Copies of what the programs have stored by now. */
export function copyDatabases(programs: Programs): ReadonlyMap<Place, MemoryDatabase> {
  const copies = new Map<Place, MemoryDatabase>();
  for (const { name, file } of allOf(programs)) {
    const copy = new MemoryDatabase();
    copy.fillFrom(file);
    copies.set(name as Place, copy);
  }
  return copies;
}

export const booksOf = ({ clearinghouse, servers }: Programs): Books => ({
  clearinghouse,
  programs: () => [
    { name: 'clearinghouse', store: clearinghouse.store, licenseServerId: null },
    ...[...servers.values()].map((server) => ({
      ...{ name: server.name, store: server.store, licenseServerId: acts.idOf(server) },
    })),
  ],
});

/** The network: a clearinghouse that failed is one that does not answer, as over HTTP. */
function faultyDelivery(name: string, faults: Faults, desk: () => ClearinghouseContext): Delivery {
  const unreachable = err({
    code: 'clearinghouse-unreachable',
    url: '',
    detail: 'as the test wants it',
  } as const);
  return {
    exchange: async ({ messages }) => {
      const { how } = faults.meet('message', `${name} and the clearinghouse`);
      if (how === 'lost') return unreachable;
      try {
        const answered = await exchangeMessages(desk(), { messages, waitMs: 0 });
        if (how === 'comes twice') await exchangeMessages(desk(), { messages, waitMs: 0 });
        if (how === 'answer lost') return unreachable;
        return answered.ok ? ok(answered.value.messages) : answered;
      } catch (error) {
        if (error instanceof InjectedFailure) return unreachable;
        throw error;
      }
    },
  };
}
