/** What a license server refuses of the clearinghouse's messages, also of those with the right signature. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { revealAt } from '../../src/clearinghouse/signer.ts';
import { exchangeMessages } from '../../src/clearinghouse/usecases/exchange.ts';
import { base64url, bytesOfBase64url } from '../../src/core/bytes.ts';
import { freeChain, heldChain } from '../../src/core/chain.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { dayMs, isoTime } from '../../src/core/time.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { applyMessages } from '../../src/server/usecases/apply-message.ts';
import { sealOutbox } from '../../src/server/usecases/outbox.ts';
import { startMove } from '../../src/server/usecases/start-move.ts';
import { findGrantedAuthority } from '../../src/store/committed-server-rows.ts';
import * as acts from '../world/acts.ts';
import type { Forged } from '../world/forge.ts';
import { contentOf, fromClearinghouse, fromServer } from '../world/forge.ts';
import { differences, takeSnapshot } from '../world/snapshot.ts';
import type { World } from '../world/world.ts';
import { agreement, makeWorld, product, value } from '../world/world.ts';
import type { Attempt, Row } from './table.ts';
import { refuses } from './table.ts';

interface Stage {
  readonly world: World;
  /** Has 30 per device, and a line per user without any. */
  readonly server: OpenServer;
  readonly other: OpenServer;
  /** A move that has come to `server` and is to be tried before it is final. */
  readonly move: string;
  /** Another publisher, who has signed and gone. */
  readonly elsewhere: World;
}

async function makeStage(): Promise<Stage> {
  const world = await makeWorld(100, { kit: false });
  const elsewhere = await makeWorld(10, { publisher: 'Elsewhere', kit: false });
  await elsewhere.close();
  await acts.sell(world, { type: 'user', quantity: 9 });
  const server = await world.addServer('LS', { connected: true });
  const other = await world.addServer('LS-OTHER', { connected: true });
  await acts.connect(server, 30);
  await acts.connect(other, 10);
  const wish = { agreement, to: acts.idOf(server), product, type: 'device', quantity: 4 } as const;
  const move = value(await startMove(other.context, { ...wish, reason: 'replaced', hold: true })).id;
  await acts.contact(other, other, server);
  return { world, server, other, move, elsewhere };
}

/** A value of one of a server's chains, as its proof. */
async function proof(
  { world }: Stage,
  server: OpenServer,
  place: { readonly chain: number; readonly k: number },
): Promise<{ k: number; value: string }> {
  const { context, store } = world.clearinghouse;
  const authority = await store.read((tx) => findGrantedAuthority(tx, acts.idOf(server), agreement));
  const aid = bytesOfBase64url(authority?.aid ?? '') ?? new Uint8Array(16);
  return { k: place.k, value: base64url(revealAt(context, { aid, ...place })) };
}

const nothing = { k: 0, value: base64url(new Uint8Array(16)) };
const info = { id: product, name: 'Terminal Server 2012 R2', family: 'ts', version: 9 };

function keyPack(change: JsonObject): JsonObject {
  return {
    re: 'r',
    agreement,
    line: 0,
    product: info,
    type: 'device',
    amount: 5,
    total: 35,
    ...nothing,
    ...change,
  };
}

function grant(change: JsonObject): JsonObject {
  return {
    ...{ agreement, line: 0, product: info, type: 'device', unissued: 5, held: 0, holders: [] },
    ...{ free: nothing, heldChain: nothing, provisional: true, hold: false, ...change },
  };
}

/** The undoing of a grant of 5, but for what is changed. */
async function cancel({ world, server, other }: Stage, change: JsonObject): Promise<JsonObject> {
  const authority = await world.clearinghouse.store.read((tx) =>
    findGrantedAuthority(tx, acts.idOf(server), agreement),
  );
  return {
    ...{ agreement, line: 0, source: acts.idOf(other), unissued: 5, held: 0, aid: authority?.aid ?? '' },
    ...{ free: nothing, heldChain: nothing, ...change },
  };
}

/** A message for the server of the stage, signed by its clearinghouse. */
function gets(forged: (stage: Stage) => Forged | Promise<Forged>): (stage: Stage) => Promise<Attempt> {
  return async (stage) => {
    const token = await fromClearinghouse(stage.world, stage.server, await forged(stage));
    return () => applyMessages(stage.server.context, { messages: [token], ofOthers: 'refuse' });
  };
}

const proofs: readonly Row<Stage>[] = [
  {
    name: 'a key pack with a proof that is none',
    attempt: gets(() => ({
      t: 'key-pack',
      body: keyPack({ k: 35, value: base64url(new Uint8Array(16).fill(7)) }),
    })),
    refused: { code: 'message-invalid' },
  },
  {
    name: 'a key pack with the proof of another server',
    attempt: gets(async (stage) => ({
      t: 'key-pack',
      body: keyPack(await proof(stage, stage.other, { chain: freeChain(0), k: 35 })),
    })),
    refused: { code: 'message-invalid' },
  },
  {
    name: 'a key pack with a proof for fewer units than it names as its position',
    attempt: gets(async (stage) => {
      const right = await proof(stage, stage.server, { chain: freeChain(0), k: 35 });
      return { t: 'key-pack', body: keyPack({ ...right, k: 50 }) };
    }),
    refused: { code: 'message-invalid' },
  },
  {
    name: 'a key pack of a line that this server does not have',
    attempt: gets(() => ({ t: 'key-pack', body: keyPack({ line: 9, k: 3 }) })),
    refused: { code: 'not-activated', agreement },
  },
  {
    name: 'a grant whose proof is for another line',
    attempt: gets(async (stage) => ({
      t: 'grant',
      move: 'mv-1',
      body: grant({
        source: acts.idOf(stage.other),
        free: await proof(stage, stage.server, { chain: freeChain(1), k: 39 }),
      }),
    })),
    refused: { code: 'message-invalid' },
  },
  {
    name: 'a grant whose free units are proven on the chain of held ones',
    attempt: gets(async (stage) => ({
      t: 'grant',
      move: 'mv-1',
      body: grant({
        source: acts.idOf(stage.other),
        free: await proof(stage, stage.server, { chain: heldChain(0), k: 39 }),
      }),
    })),
    refused: { code: 'message-invalid' },
  },
  {
    name: 'a grant that names more holders than it holds units for',
    attempt: gets(async (stage) => {
      const source = acts.idOf(stage.other);
      const leaseEnd = isoTime(stage.world.clock.nowMs() + dayMs);
      const holder = { kind: 'device', origin: `${source}/1`, unit: 1, leaseEnd };
      const heldChainProof = await proof(stage, stage.server, { chain: heldChain(0), k: 1 });
      const holders = ['a', 'b'].map((sub) => ({ sub, ...holder }));
      return {
        t: 'grant',
        move: 'mv-1',
        body: grant({ source, unissued: 0, held: 1, holders, heldChain: heldChainProof }),
      };
    }),
    refused: { code: 'message-invalid' },
  },
  {
    name: 'a certificate that is none',
    attempt: gets(() => ({
      t: 'activated',
      body: { re: 'r', certificate: 'v4.public.AAAA', horizon: null, heldBefore: [] },
    })),
    refused: { code: 'message-invalid' },
  },
];

const moves: readonly Row<Stage>[] = [
  {
    name: 'a grant that names no move',
    attempt: gets((stage) => ({ t: 'grant', body: grant({ source: acts.idOf(stage.other) }) })),
    refused: { code: 'message-invalid' },
  },
  ...(['release', 'final', 'source-closed'] as const).map(
    (t): Row<Stage> => ({
      name: `a ${t} of a move that this server has never heard of`,
      attempt: gets(() => ({ t, move: 'mv-2', body: bodies[t] })),
      refused: { code: 'move-unknown', move: 'mv-2' },
    }),
  ),
  {
    name: 'that a move is undone which never came, with proofs that are none',
    attempt: gets(async (stage) => ({
      t: 'cancel',
      move: 'mv-2',
      body: await cancel(stage, { free: { ...nothing, k: 35 } }),
    })),
    refused: { code: 'message-invalid' },
  },
  {
    name: 'that a move is undone which was granted under a certificate that has not come',
    attempt: gets(async (stage) => ({
      t: 'cancel',
      move: 'mv-2',
      body: await cancel(stage, { aid: nothing.value }),
    })),
    refused: { code: 'not-activated', agreement },
  },
];

const bodies = { release: { agreement, line: 0 }, final: {}, 'source-closed': { leases: [] } };

const envelopes: readonly Row<Stage>[] = [
  {
    name: 'a message for another server',
    attempt: gets((stage) => ({
      t: 'freeze',
      to: acts.idOf(stage.other),
      move: 'mv-3',
      body: freezeBody(stage),
    })),
    refused: (stage) => ({ code: 'message-not-for-us', recipient: acts.idOf(stage.other) }),
  },
  {
    name: 'a message that another clearinghouse has signed',
    attempt: async ({ server, elsewhere }) => {
      const body = { received: [], horizon: [] };
      const token = await fromClearinghouse(elsewhere, server, { t: 'welcome', body, seq: 1 });
      return () => applyMessages(server.context, { messages: [token], ofOthers: 'refuse' });
    },
    refused: ({ elsewhere }) => ({
      code: 'message-untrusted',
      signer: elsewhere.clearinghouse.context.issueKey.kid,
    }),
  },
  {
    name: 'a message that a license server has signed',
    attempt: async (stage) => {
      const token = await fromClearinghouse(stage.world, stage.server, {
        t: 'freeze',
        move: 'mv-3',
        body: freezeBody(stage),
      });
      const contact = {
        t: 'contact',
        body: { ack: [contentOf(token).id], name: 'LS', method: 'web' },
      } as const;
      const own = await fromServer(stage.world, stage.other, { ...contact, to: acts.idOf(stage.server) });
      return () => applyMessages(stage.server.context, { messages: [own], ofOthers: 'refuse' });
    },
    refused: { code: 'message-invalid', problem: 'the clearinghouse does not send contact' },
  },
  {
    name: 'a message that was 61 days under way',
    attempt: gets((stage) => ({
      t: 'freeze',
      move: 'mv-3',
      body: freezeBody(stage),
      iatMs: stage.world.clock.nowMs() - 61 * dayMs,
    })),
    refused: { code: 'message-expired' },
  },
  {
    name: 'a message of the day after tomorrow',
    attempt: gets((stage) => ({
      t: 'freeze',
      move: 'mv-3',
      body: freezeBody(stage),
      iatMs: stage.world.clock.nowMs() + 2 * dayMs,
    })),
    refused: { code: 'clock-behind' },
  },
];

function freezeBody(stage: Stage): JsonObject {
  return { agreement, line: 0, quantity: 5, target: acts.idOf(stage.other) };
}

/** An old answer is no refusal either; it must do nothing at all. */
function oldAnswersDoNothing(): void {
  it('an old welcome, brought again, confirms nothing that it did not confirm, and turns nothing back', async () => {
    const { world, server, other } = await makeStage();
    const welcome = await welcomeFor(world, server);
    world.clock.advanceDays(40);
    await acts.contact(server);
    const wish = { agreement, to: acts.idOf(other), product, type: 'device', quantity: 4 } as const;
    value(await startMove(server.context, { ...wish, reason: 'replaced', hold: false }));
    const start = await takeSnapshot(world.programs());
    value(await applyMessages(server.context, { messages: [welcome], ofOthers: 'refuse' }));
    assert.deepEqual(differences(start, await takeSnapshot(world.programs())), []);
    await world.close();
  });
}

/** The welcome of a contact, which is applied as it comes. */
async function welcomeFor(world: World, server: OpenServer): Promise<string> {
  const messages = await sealOutbox(server.context);
  const answer = value(await exchangeMessages(world.clearinghouse.context, { messages, waitMs: 0 }));
  value(await applyMessages(server.context, { messages: answer.messages, ofOthers: 'refuse' }));
  const welcome = answer.messages.find((token) => contentOf(token).t === 'welcome');
  assert.ok(welcome !== undefined);
  return welcome;
}

export function serversRefuseMessages(): void {
  refuses('a license server refuses, of messages of a clearinghouse,', makeStage, [
    ...[...proofs, ...moves, ...envelopes],
  ]);
  oldAnswersDoNothing();
}
