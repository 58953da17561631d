/** Moves by automatic connection and by files carried by hand, on real stores. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { listMoves } from '../src/clearinghouse/usecases/desk-moves.ts';
import { answerFile } from '../src/clearinghouse/usecases/exchange.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { contactClearinghouse, settleByContact } from '../src/server/usecases/contact.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { requestFile } from '../src/server/usecases/outbox.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation, requestInstall } from '../src/server/usecases/requests.ts';
import { validateLicense } from '../src/server/usecases/return-license.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const type = 'device';

async function permanent(server: OpenServer, holder: string) {
  const request = { product, type, holder } as const;
  const first = value(await requestLicense(server.context, request));
  if (first.kind === 'permanent') return first;
  value(await validateLicense(server.context, { product, type, holder }));
  return value(await requestLicense(server.context, request));
}

/** One round of the stick: request file of a server, answer file for it and its partners. */
async function carry(world: World, from: OpenServer, to: readonly OpenServer[]): Promise<void> {
  const answer = value(await answerFile(world.clearinghouse.context, await requestFile(from.context)));
  for (const server of to) await applyAnswerFile(server.context, answer.file);
}

async function counts(server: OpenServer) {
  const pack = (await readStatus(server.context)).packs[0];
  return pack && [pack.installed, pack.issued, pack.unissued, pack.held, pack.reserved, pack.quarantined];
}

async function activateAndInstall(
  server: OpenServer,
  settle: (id: string) => Promise<unknown>,
  quantity: number,
) {
  await settle(value(await requestActivation(server.context, { agreement })).id);
  if (quantity === 0) return;
  await settle(value(await requestInstall(server.context, { agreement, product, type, quantity })).id);
}

it('activates, installs, moves and closes by automatic connection', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  const settle = (server: OpenServer) => async (id: string) =>
    value(await settleByContact(server.context, id));
  await activateAndInstall(old, settle(old), 500);
  await activateAndInstall(next, settle(next), 0);
  assert.deepEqual(await counts(old), [500, 0, 500, 0, 0, 0]);
  const origins = new Map<string, string | null>();
  for (let index = 0; index < 15; index += 1)
    origins.set(`ws-${index}`, (await permanent(old, `ws-${index}`)).origin);
  const to = next.context.licenseServerId;
  const order = { agreement, to, product, type, quantity: 'all', reason: 'replaced', hold: false } as const;
  value(await startMove(old.context, order));
  for (let round = 0; round < 5; round += 1) {
    for (const server of [old, next]) value(await contactClearinghouse(server.context, { waitMs: 0 }));
  }
  const [move] = (await listMoves(world.clearinghouse.context, { after: '', limit: 10 })).items;
  assert.equal(move?.state, 'closed');
  assert.deepEqual(await counts(old), [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(await counts(next), [500, 0, 485, 0, 15, 0]);
  for (const [holder, origin] of origins) assert.equal((await permanent(next, holder)).origin, origin);
  assert.deepEqual(await counts(next), [500, 15, 485, 0, 0, 0]);
  const done = value(await deactivateServer(old.context, { returnUnissued: false, by: 'message' }));
  value(await settleByContact(old.context, done.request ?? ''));
  assert.equal((await readStatus(old.context)).activation, 'deactivated');
  const books = value(await showAgreement(world.clearinghouse.context, agreement)).lines[0];
  assert.deepEqual([books?.inHand, books?.committed, books?.inTransit], [500, 500, 0]);
  await world.close();
});

it('does the same by files carried by hand', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD');
  const next = await world.addServer('LS-NEW');
  const settle = (server: OpenServer) => async () => carry(world, server, [server]);
  await activateAndInstall(old, settle(old), 40);
  await activateAndInstall(next, settle(next), 0);
  const origins = new Map<string, string | null>();
  for (let index = 0; index < 15; index += 1)
    origins.set(`ws-${index}`, (await permanent(old, `ws-${index}`)).origin);
  const to = next.context.licenseServerId;
  value(
    await startMove(old.context, {
      agreement,
      to,
      product,
      type,
      quantity: 30,
      reason: 'replaced',
      hold: false,
    }),
  );
  await carry(world, old, [old, next]);
  assert.deepEqual(await counts(old), [40, 10, 0, 30, 0, 0]);
  await carry(world, old, [old, next]);
  assert.deepEqual(await counts(next), [30, 0, 25, 0, 5, 0]);
  await carry(world, next, [old, next]);
  assert.deepEqual(await counts(old), [10, 10, 0, 0, 0, 0]);
  await carry(world, old, [old, next]);
  const [move] = (await listMoves(world.clearinghouse.context, { after: '', limit: 10 })).items;
  assert.equal(move?.state, 'closed');
  const books = value(await showAgreement(world.clearinghouse.context, agreement)).lines[0];
  assert.deepEqual([books?.inHand, books?.committed, books?.inTransit], [960, 40, 0]);
  await world.close();
});
