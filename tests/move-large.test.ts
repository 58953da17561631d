/**
 * Planned moves of more CALs than one move brings (protocol §3.4): refused before anything is frozen, and moved in parts
 * that follow one another. Chains have 255 positions here, so that few licenses are many.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { OpenServer } from '../src/server/app.ts';
import { affordable, patchSources } from './sim/patches.ts';
import type { World } from './world/world.ts';

patchSources(affordable);
const { startDeskMove } = await import('../src/clearinghouse/usecases/start-move.ts');
const { rehearseDeskMove } = await import('../src/clearinghouse/usecases/rehearse-desk-move.ts');
const { contactClearinghouse } = await import('../src/server/usecases/contact.ts');
const { rehearseMove } = await import('../src/server/usecases/rehearse-move.ts');
const { requestLicense } = await import('../src/server/usecases/request-license.ts');
const { returnLicense } = await import('../src/server/usecases/return-license.ts');
const { showMove, startMove } = await import('../src/server/usecases/start-move.ts');
const { freezeByTelephone, releaseByTelephone } = await import('../src/server/usecases/telephone-move.ts');
const acts = await import('./world/acts.ts');
const { assertConserved } = await import('./world/conserved.ts');
const { assertSound } = await import('./audit/bundles.ts');
const { agreement, makeWorld, product, refusalOf, value } = await import('./world/world.ts');

const type = 'user' as const;
const most = 255;
const worlds: World[] = [];
after(async () => {
  for (const world of worlds) await world.close();
});

interface Place {
  readonly world: World;
  readonly source: OpenServer;
  readonly target: OpenServer;
}

const ask = (server: OpenServer, holder: string) => requestLicense(server.context, { product, type, holder });

/** A source with so many issued to `user-0`, `user-1`, … and so many unissued. */
async function place(issued: number, unissued: number): Promise<Place> {
  const world = await makeWorld(10, { kit: false });
  worlds.push(world);
  await acts.sell(world, { quantity: 5000, type });
  const source = await world.addServer('LS-OLD', { connected: true });
  const target = await world.addServer('LS-NEW', { connected: true });
  await acts.activateByContact(source);
  await acts.activateByContact(target);
  for (let left = issued + unissued; left > 0; left -= most) {
    await acts.installByContact(source, { quantity: Math.min(left, most), type });
  }
  for (let number = 0; number < issued; number += 1) value(await ask(source, `user-${number}`));
  return { world, source, target };
}

const orderOf = ({ target }: Place, quantity: number | 'all') => ({
  ...{ agreement, to: acts.idOf(target), product, type, quantity },
});

async function start(at: Place, quantity: number | 'all') {
  const order = { ...orderOf(at, quantity), reason: 'replaced', hold: false } as const;
  return startMove(at.source.context, order);
}

const stateOf = async ({ source }: Place, id: string) => value(await showMove(source.context, id)).state;

async function moveWhole(at: Place, quantity: number | 'all'): Promise<void> {
  const { id } = value(await start(at, quantity));
  for (let round = 0; round < 6; round += 1) await acts.contact(at.source, at.target);
  assert.equal(await stateOf(at, id), 'closed');
}

async function assertAll({ world }: Place): Promise<void> {
  await assertConserved(world);
  await assertSound(world);
}

describe('a planned move of more than one move brings', () => {
  it('is refused on the source, in the rehearsal, by telephone and at the desk, and nothing is frozen', async () => {
    const at = await place(most + 40, 30);
    const refused = { code: 'move-too-large', asked: most + 70, most };
    assert.deepEqual(refusalOf(await start(at, 'all')), refused);
    const order = { ...orderOf(at, 'all'), hold: false };
    for (const carrier of ['online', 'telephone'] as const) {
      const rehearsed = await rehearseMove(at.source.context, { ...order, carrier });
      assert.deepEqual(refusalOf(rehearsed), refused);
    }
    assert.deepEqual(refusalOf(await freezeByTelephone(at.source.context, orderOf(at, 'all'))), refused);
    const desk = { ...orderOf(at, most + 70), from: acts.idOf(at.source), reason: 'replaced' } as const;
    const { context } = at.world.clearinghouse;
    assert.equal(value(await rehearseDeskMove(context, desk)).books.after.target, most + 70);
    const whole = await place(0, 2 * most + 1);
    const wholeDesk = { ...desk, ...orderOf(whole, 2 * most + 1), from: acts.idOf(whole.source) };
    const entered = startDeskMove(whole.world.clearinghouse.context, {
      ...wholeDesk,
      requestId: acts.newRequest(),
    });
    assert.deepEqual(refusalOf(await entered), { code: 'move-too-large', asked: 2 * most + 1, most });
    assert.deepEqual(await acts.counts(at.source, type), [most + 70, most + 40, 30, 0, 0, 0]);
    await acts.contact(at.source, at.target);
    assert.deepEqual(await acts.counts(at.target, type), []);
  });

  it('is moved in parts, one after another, until all is over there, with all who have one', async () => {
    const at = await place(most + 40, 30);
    await moveWhole(at, most);
    assert.deepEqual(await acts.counts(at.source, type), [70, 70, 0, 0, 0, 0]);
    await moveWhole(at, 'all');
    assert.deepEqual(await acts.counts(at.source, type), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(await acts.counts(at.target, type), [most + 70, 0, 30, 0, most + 40, 0]);
    for (let number = 0; number < most + 40; number += 1) {
      const { origin } = value(await ask(at.target, `user-${number}`));
      assert.match(origin ?? '', new RegExp(`^${acts.idOf(at.source)}/`));
    }
    await assertAll(at);
  });

  it('is declined by the source where it has become too large since it was asked for', async () => {
    const at = await place(most, 20);
    const { id } = value(await start(at, 'all'));
    for (const holder of ['new-1', 'new-2']) value(await ask(at.source, holder));
    for (let round = 0; round < 3; round += 1) await acts.contact(at.source, at.target);
    assert.equal(refusalOf(await showMove(at.source.context, id)).code, 'move-too-large');
    assert.deepEqual(await acts.counts(at.source, type), [most + 20, most + 2, 18, 0, 0, 0]);
    await moveWhole(at, most);
    await assertAll(at);
  });

  it('by telephone has room for each part on its own chain, also when the first was read out', async () => {
    const at = await place(100, 200);
    const { world, source, target } = at;
    value(
      await startDeskMove(world.clearinghouse.context, {
        ...{ ...orderOf(at, 'all'), from: acts.idOf(source), reason: 'replaced' },
        requestId: acts.newRequest(),
      }),
    );
    const frozen = value(await freezeByTelephone(source.context, orderOf(at, 'all')));
    const pack = await acts.confirm(world, frozen.code);
    await acts.typeCode(target, pack.code ?? '');
    const released = value(await releaseByTelephone(source.context, { product, type }));
    const heldPack = await acts.confirm(world, released.code);
    await acts.typeCode(target, heldPack.code ?? '', { from: acts.idOf(source) });
    assert.deepEqual(await acts.counts(target, type), [300, 0, 200, 0, 100, 0]);
    await assertAll(at);
  });

  it('leaves behind what becomes unissued while it freezes, where there is no room for it', async () => {
    const at = await place(most, most);
    const { id } = value(await start(at, 'all'));
    const { store } = at.source;
    const write = store.write.bind(store);
    let returned = false;
    Reflect.set(store, 'write', async (work: Parameters<typeof write>[0]) => {
      const { size } = await store.read((tx) => tx.head('server'));
      const done = await write(work);
      const [entry] = await store.read((tx) => tx.journal('server', size, 1));
      if (entry?.kind === 'freezing' && !returned) {
        returned = true;
        // Frozen in the order of their issue: the last one is not yet.
        value(await returnLicense(at.source.context, { product, type, holder: `user-${most - 1}` }));
      }
      return done;
    });
    value(await contactClearinghouse(at.source.context, { waitMs: 0 }));
    value(await contactClearinghouse(at.source.context, { waitMs: 0 }));
    Reflect.deleteProperty(store, 'write');
    assert.ok(returned);
    for (let round = 0; round < 6; round += 1) await acts.contact(at.source, at.target);
    assert.equal(await stateOf(at, id), 'closed');
    assert.deepEqual(await acts.counts(at.source, type), [1, 0, 1, 0, 0, 0]);
    assert.deepEqual(await acts.counts(at.target, type), [2 * most - 1, 0, most, 0, most - 1, 0]);
    await moveWhole(at, 'all');
    await assertAll(at);
  });
});
