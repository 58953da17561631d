/** A source that dies and the server that takes its place, as the tests of that need them (protocol §2.5). */
import { showAgreement } from '../../src/clearinghouse/usecases/agreements.ts';
import { repeatCodes, showMove } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import type { CalType } from '../../src/core/product.ts';
import { dayMs, msOfIso } from '../../src/core/time.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { declareDead } from '../../src/server/usecases/declare-dead.ts';
import type { LicenseAnswer } from '../../src/server/usecases/request-license.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import { listMoves } from '../../src/server/usecases/start-move.ts';
import { listEvents } from '../../src/server/usecases/status.ts';
import { assertSound } from '../audit/bundles.ts';
import * as acts from './acts.ts';
import { assertConserved } from './conserved.ts';
import { renewTrust } from './trust.ts';
import type { World } from './world.ts';
import { agreement, makeWorld, product, value } from './world.ts';

export const statement = 'Ann Lee: the disk burnt on Monday';
export const line = { product, type: 'device' } as const;
const worlds: World[] = [];

/** Closes every world that a test has made. */
export async function closeWorlds(): Promise<void> {
  for (const world of worlds.splice(0)) await world.close();
}

/** A world that is closed with the others. */
export async function newWorld(
  quantity: number,
  options: Parameters<typeof makeWorld>[1] = {},
): Promise<World> {
  const world = await makeWorld(quantity, options);
  worlds.push(world);
  return world;
}

export interface Pair {
  readonly world: World;
  readonly source: OpenServer;
  readonly target: OpenServer;
}

/** Source and target over the network; the source has 10 CALs and three holders, the target so many of its own. */
export async function pair(own = 0): Promise<Pair & { readonly held: readonly LicenseAnswer[] }> {
  const world = await newWorld(1000, { kit: false });
  const source = await world.addServer('LS-OLD', { connected: true });
  const target = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(source, 10);
  await acts.connect(target, own);
  await acts.contact(source, target);
  const held: LicenseAnswer[] = [];
  for (const name of ['ws-1', 'ws-2', 'ws-3']) held.push(await acts.permanent(source, name));
  return { world, source, target, held };
}

export async function declare({ source, target }: Pair, type: CalType = 'device'): Promise<string> {
  const order = { agreement, from: acts.idOf(source), product, type, statement } as const;
  const { id } = value(await declareDead(target.context, { ...order, by: 'message' }));
  await acts.contact(target);
  return id;
}

/** The same by telephone: on the target, and at the desk. Answers the id that the desk knows it by. */
export async function declareByTelephone({ world, source, target }: Pair): Promise<string> {
  const order = { agreement, from: acts.idOf(source), ...line, statement };
  value(await declareDead(target.context, { ...order, by: 'telephone' }));
  const started = value(
    await startDeskMove(world.clearinghouse.context, {
      ...{ ...order, to: acts.idOf(target), quantity: 'all', reason: 'dead', requestId: acts.newRequest() },
    }),
  );
  return String(started['move']);
}

/** The key pack that the desk reads to the target once more. */
export async function readPack({ world, target }: Pair, kind: 'key-pack' | 'held-key-pack'): Promise<string> {
  const call = { agreement, serverId: acts.idOf(target) };
  const { codes } = value(await repeatCodes(world.clearinghouse.context, call));
  return codes.find((code) => code.kind === kind)?.code ?? '';
}

/** The promises of the books, and a verdict on the journals that asks neither program. */
export async function assertAll(world: World): Promise<void> {
  await assertConserved(world);
  await assertSound(world);
}

export const moveAt = async ({ world }: Pair, id: string) =>
  value(await showMove(world.clearinghouse.context, id));
export const stateAt = async (at: Pair, id: string): Promise<string> => (await moveAt(at, id)).state;
export const stateOn = async (server: OpenServer, id: string): Promise<string | undefined> =>
  (await listMoves(server.context)).find((move) => move.id === id)?.state;

/** In hand, committed, in transit and quarantined. */
export async function books({ world }: Pair): Promise<readonly (number | undefined)[]> {
  const [row] = value(await showAgreement(world.clearinghouse.context, agreement)).lines;
  return [row?.inHand, row?.committed, row?.inTransit, row?.quarantined];
}

/** Just beyond the horizon of the source, the opening of its reserve, or its sunset. */
export async function passTime(at: Pair, id: string, until: 'horizon' | 'opensAt' | 'sunset'): Promise<void> {
  const { deadSource } = await moveAt(at, id);
  const overMs = (msOfIso(deadSource?.[until] ?? '') ?? 0) + 1000;
  at.world.clock.set(Math.max(overMs, at.world.clock.nowMs()));
  // A horizon by telephone is over a year away: the publisher has signed its next trust list meanwhile.
  await renewTrust(at.world);
}

/** A day before that, since the clock of a test runs on. */
export async function passTimeAlmost(
  at: Pair,
  id: string,
  until: 'horizon' | 'opensAt' = 'horizon',
): Promise<void> {
  const { deadSource } = await moveAt(at, id);
  at.world.clock.set((msOfIso(deadSource?.[until] ?? '') ?? 0) - dayMs);
  await renewTrust(at.world);
}

export const ask = (server: OpenServer, holder: string, shown?: LicenseAnswer) =>
  requestLicense(server.context, {
    ...{ ...line, holder },
    ...(shown === undefined ? {} : { source: acts.sourceOf(shown) }),
  });

export async function events(server: OpenServer): Promise<readonly number[]> {
  const page = await listEvents(server.context, { cursor: '', limit: 500 });
  return page.items.map((event) => event.id);
}

export async function journal({ world }: Pair, kind: string): Promise<readonly Record<string, unknown>[]> {
  const rows = await world.clearinghouse.store.read((tx) =>
    tx.all<{ text: string }>('select text from journal where kind = ? order by position', kind),
  );
  return rows.map((row) => (JSON.parse(row.text) as { body: Record<string, unknown> }).body);
}
