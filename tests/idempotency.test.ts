/** Promise 3 over HTTP: a write that is sent again under its key gets the first answer and happens once. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openDataFolder } from '../src/platform/data-folder.ts';
import type { OpenServer } from '../src/server/app.ts';
import { settleByContact } from '../src/server/usecases/contact.ts';
import { requestInstall } from '../src/server/usecases/requests.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { activate, activateByContact, packCode } from './world/acts.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const type = 'device';

/** Some other License Server ID: a freeze names a target, and this one is never called. */
const target = '20CX7-T3RVT-CRK22-S5FKW-6PZ9T-4Y07Y-5B7JR';

interface Sent {
  readonly path: string;
  readonly key: string;
  readonly body: object;
}

async function send(server: OpenServer, token: string, { path, key, body }: Sent) {
  const answered = await server.app.inject({
    method: 'POST',
    url: path,
    headers: { authorization: `Bearer ${token}`, 'idempotency-key': key },
    payload: body,
  });
  return { status: answered.statusCode, body: answered.json() as Record<string, unknown> };
}

it('codes, returns, freezes and heartbeats happen once under one key', async () => {
  const world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true });
  const token = openDataFolder(`${world.dir}/LS`, 'server').adminToken;
  await activate(world, server);
  const code = await packCode(world, server, { quantity: 40 });
  const acts: readonly Sent[] = [
    { path: '/v1/admin/codes', key: 'a', body: { code, confirmed: true } },
    { path: '/v1/admin/telephone/return', key: 'b', body: { product, type, quantity: 10 } },
    { path: '/v1/admin/telephone/heartbeat', key: 'c', body: {} },
    { path: '/v1/admin/telephone/freeze', key: 'd', body: { product, type, quantity: 5, to: target } },
    { path: '/v1/admin/telephone/release', key: 'e', body: { product, type } },
  ];
  for (const act of acts) {
    const first = await send(server, token, act);
    assert.equal(first.status, 200, JSON.stringify(first.body));
    assert.deepEqual(await send(server, token, act), first);
    const other = await send(server, token, { ...act, body: { ...act.body, agreement } });
    if (act.path.endsWith('/codes')) continue;
    assert.deepEqual([other.status, other.body['code']], [422, 'idempotency-key-reused']);
  }
  const [pack] = (await readStatus(server.context)).packs;
  assert.deepEqual([pack?.installed, pack?.unissued, pack?.held], [25, 25, 0]);
  await world.close();
});

it('a second key that joined a request under way is bound to it, also after the answer', async () => {
  const world = await makeWorld(100);
  const server = await world.addServer('LS', { connected: true });
  const { context } = server;
  await activateByContact(server);
  const order = { agreement, product, type, quantity: 10 };
  const first = value(await requestInstall(context, { ...order, requestId: 'one' }));
  const joined = value(await requestInstall(context, { ...order, requestId: 'two' }));
  assert.equal(joined.id, first.id);
  value(await settleByContact(context, first.id));
  const again = value(await requestInstall(context, { ...order, requestId: 'two' }));
  assert.equal(again.id, first.id);
  const third = value(await requestInstall(context, { ...order, requestId: 'three' }));
  assert.notEqual(third.id, first.id);
  value(await settleByContact(context, third.id));
  assert.equal((await readStatus(context)).packs[0]?.installed, 20);
  await world.close();
});
