/** What the clearinghouse refuses of signed messages: forged, foreign, impossible, or out of their place. */
import { addAgreement } from '../../src/clearinghouse/usecases/agreements.ts';
import { giveHorizonCode } from '../../src/clearinghouse/usecases/desk-horizon.ts';
import { grantKeyPack } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { receiveMessages } from '../../src/clearinghouse/usecases/receive-messages.ts';
import { base64url } from '../../src/core/bytes.ts';
import { dayMs, isoTime } from '../../src/core/time.ts';
import { sealEnvelope } from '../../src/protocol/envelope.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { sealOutbox } from '../../src/server/usecases/outbox.ts';
import { startMove } from '../../src/server/usecases/start-move.ts';
import * as acts from '../world/acts.ts';
import type { Forged } from '../world/forge.ts';
import { contentOf, fromServer, refusedMessage, tell, withBody } from '../world/forge.ts';
import type { World } from '../world/world.ts';
import { agreement, makeWorld, product, value } from '../world/world.ts';
import type { Attempt, Row } from './table.ts';
import { refuses } from './table.ts';

interface Stage {
  readonly world: World;
  /** Has 50, and asked to move 20 to `next`: frozen, granted, not yet installed. */
  readonly old: OpenServer;
  readonly next: OpenServer;
  /** Has 10, and asked to move 5 to `next`: the clearinghouse knows, the freeze is under way. */
  readonly other: OpenServer;
  readonly stranger: OpenServer;
  readonly closed: OpenServer;
  readonly moves: { readonly granted: string; readonly reserved: string };
}

const type = 'device' as const;
const open = 'OPEN-77';

async function makeStage(): Promise<Stage> {
  const world = await makeWorld(100, { kit: false });
  const { context } = world.clearinghouse;
  const paper = { program: 'open', authorization: 'ABCDE12345F6789', license: '12345678' };
  const order = { number: open, customer: 'Fabrikam', product, type, quantity: 5, requestId: 'open' };
  value(await addAgreement(context, { ...order, ...paper }));
  const named = async (name: string, quantity: number): Promise<OpenServer> => {
    const server = await world.addServer(name, { connected: true });
    await acts.connect(server, quantity);
    return server;
  };
  const old = await named('LS-OLD', 50);
  const next = await named('LS-NEW', 0);
  const other = await named('LS-OTHER', 10);
  const closed = await named('LS-CLOSED', 0);
  value(await deactivateServer(closed.context, { returnUnissued: false, by: 'message' }));
  await acts.contact(closed);
  const stranger = await world.addServer('LS-STRANGER', { connected: true });
  await acts.permanents(old, ['ws-1', 'ws-2']);
  const move = { agreement, to: acts.idOf(next), product, type, reason: 'replaced', hold: false } as const;
  const granted = value(await startMove(old.context, { ...move, quantity: 20 })).id;
  await acts.contact(old, old);
  const reserved = value(await startMove(other.context, { ...move, quantity: 5 })).id;
  await tellAll(world, other);
  return { world, old, next, other, stranger, closed, moves: { granted, reserved } };
}

/** Sends what waits in a server, and applies nothing of the answer. */
async function tellAll(world: World, server: OpenServer): Promise<void> {
  value(await receiveMessages(world.clearinghouse.context, await sealOutbox(server.context)));
}

type Pick = (stage: Stage) => OpenServer;

/** A message of a server that the clearinghouse answers with a signed refusal. */
function says(from: Pick, forged: (stage: Stage) => Forged): (stage: Stage) => Promise<Attempt> {
  return async (stage) => {
    const token = await fromServer(stage.world, from(stage), forged(stage));
    return () => tell(stage.world, token);
  };
}

const old: Pick = (stage) => stage.old;
const next: Pick = (stage) => stage.next;
const other: Pick = (stage) => stage.other;
const stranger: Pick = (stage) => stage.stranger;
const recorded = refusedMessage;

const order = { agreement, product, type, quantity: 1 };
const place = { agreement, line: 0 };

const asking: readonly Row<Stage>[] = [
  {
    name: 'a key pack of more than the agreement has in hand',
    attempt: says(old, () => ({ t: 'install', body: { ...order, quantity: 41 } })),
    refused: { code: 'quantity-above-agreement', asked: 41, inHand: 40, entitled: 100 },
    recorded,
  },
  {
    name: 'a key pack of more than a chain has',
    attempt: says(old, () => ({ t: 'install', body: { ...order, quantity: 65_536 } })),
    refused: { code: 'quantity-invalid', quantity: 65_536, most: 65_535 },
    recorded,
  },
  {
    name: 'a key pack under an agreement that nobody knows',
    attempt: says(old, () => ({ t: 'install', body: { ...order, agreement: '1111111' } })),
    refused: { code: 'agreement-unknown', agreement: '1111111' },
    recorded,
  },
  {
    name: 'a key pack of a product that the agreement does not have',
    attempt: says(old, () => ({ t: 'install', body: { ...order, product: 'ts-2008' } })),
    refused: { code: 'line-unknown', product: 'ts-2008' },
    recorded,
  },
  {
    name: 'an Open License key pack without its license number',
    attempt: says(old, () => ({
      t: 'install',
      body: { ...order, agreement: open, program: { authorization: 'ABCDE12345F6789' } },
    })),
    refused: { code: 'program-field-missing', program: 'Open License', field: 'license number' },
    recorded,
  },
  {
    name: 'a key pack of a server that was never activated',
    attempt: says(stranger, () => ({ t: 'install', body: order })),
    refused: (stage) => ({ code: 'server-unknown', licenseServerId: acts.idOf(stage.stranger) }),
    recorded: recorded.filter((each) => each !== 'clearinghouse.servers~'),
  },
  {
    name: 'an activation under an agreement that nobody knows',
    attempt: says(stranger, (stage) => ({
      t: 'activate',
      body: activation(stage.stranger, { agreement: '1111111' }),
    })),
    refused: { code: 'agreement-unknown', agreement: '1111111' },
    recorded: recorded.filter((each) => each !== 'clearinghouse.servers~'),
  },
  {
    name: 'an activation for the key of somebody else',
    attempt: says(stranger, (stage) => ({
      t: 'activate',
      body: activation(stage.stranger, { publicKey: base64url(stage.old.context.key.publicKey) }),
    })),
    refused: { code: 'message-invalid' },
    recorded: recorded.filter((each) => each !== 'clearinghouse.servers~'),
  },
  {
    name: 'an activation with a one-time key that is none',
    attempt: says(stranger, (stage) => ({
      t: 'activate',
      body: activation(stage.stranger, { ekPublic: base64url(new Uint8Array(32)) }),
    })),
    refused: { code: 'message-invalid' },
    recorded: recorded.filter((each) => each !== 'clearinghouse.servers~'),
  },
  {
    name: 'a return of more than is committed to the sender',
    attempt: says(other, () => ({ t: 'return', body: { ...place, quantity: 11 } })),
    refused: { code: 'move-more-than-there-is', asked: 11, available: 10 },
    recorded,
  },
  {
    name: 'a return of a line that the agreement does not have',
    attempt: says(other, () => ({ t: 'return', body: { agreement, line: 9, quantity: 1 } })),
    refused: { code: 'move-more-than-there-is', asked: 1, available: 0 },
    recorded,
  },
];

function activation(server: OpenServer, change: object): Forged['body'] {
  const publicKey = base64url(server.context.key.publicKey);
  const ekPublic = base64url(server.context.oneTimeKey().publicKey);
  return { agreement, name: 'LS-STRANGER', publicKey, ekPublic, ...change };
}

const holder = (name: string, stage: Stage) => ({
  ...{ sub: name, kind: 'device', origin: `${acts.idOf(stage.other)}/1`, unit: 1 },
  leaseEnd: isoTime(stage.world.clock.nowMs() + dayMs),
});

const receipts: readonly Row<Stage>[] = [
  {
    name: 'the freeze of a move that there is not',
    attempt: says(other, () => ({
      t: 'frozen',
      move: 'no-such-move',
      body: { ...place, unissued: 5, held: 0, holders: [] },
    })),
    refused: { code: 'move-unknown', move: 'no-such-move' },
    recorded,
  },
  {
    name: 'the freeze of a move of another server',
    attempt: says(old, (stage) => ({
      t: 'frozen',
      move: stage.moves.reserved,
      body: { ...place, unissued: 5, held: 0, holders: [] },
    })),
    refused: (stage) => ({ code: 'message-untrusted', signer: acts.idOf(stage.old) }),
    recorded,
  },
  ...[
    { name: 'more than is committed to the source', unissued: 9, held: 2 },
    { name: 'another quantity than was asked for', unissued: 6, held: 0 },
    { name: 'nothing', unissued: 0, held: 0 },
  ].map(
    ({ name, unissued, held }): Row<Stage> => ({
      name: `a freeze of ${name}`,
      attempt: says(other, (stage) => ({
        t: 'frozen',
        move: stage.moves.reserved,
        body: { ...place, unissued, held, holders: [] },
      })),
      refused: { code: 'quantity-differs', expected: 5, found: unissued + held },
      recorded,
    }),
  ),
  {
    name: 'a freeze with more holders than held units',
    attempt: says(other, (stage) => ({
      t: 'frozen',
      move: stage.moves.reserved,
      body: { ...place, unissued: 4, held: 1, holders: [holder('a', stage), holder('b', stage)] },
    })),
    refused: { code: 'message-invalid' },
    recorded,
  },
  {
    name: 'a freeze that names one holder twice',
    attempt: says(other, (stage) => ({
      t: 'frozen',
      move: stage.moves.reserved,
      body: { ...place, unissued: 3, held: 2, holders: [holder('a', stage), holder('a', stage)] },
    })),
    refused: { code: 'message-invalid' },
    recorded,
  },
  {
    name: 'a release before the freeze',
    attempt: says(other, (stage) => ({
      t: 'released',
      move: stage.moves.reserved,
      body: { ...place, unissued: 5, held: 0, leases: [] },
    })),
    refused: { code: 'earlier-code-missing', kind: 'frozen' },
    recorded,
  },
  {
    name: 'the release of a move of another server',
    attempt: says(other, (stage) => ({
      t: 'released',
      move: stage.moves.granted,
      body: { ...place, unissued: 20, held: 0, leases: [] },
    })),
    refused: (stage) => ({ code: 'message-untrusted', signer: acts.idOf(stage.other) }),
    recorded,
  },
  {
    name: 'a release of another quantity than was frozen',
    attempt: says(old, (stage) => ({
      t: 'released',
      move: stage.moves.granted,
      body: { ...place, unissued: 19, held: 0, leases: [] },
    })),
    refused: { code: 'quantity-differs', expected: 20, found: 19 },
    recorded,
  },
  {
    name: 'an installation that is reported by the source',
    attempt: says(old, (stage) => ({
      t: 'installed',
      move: stage.moves.granted,
      body: { ...place, freeK: 20, heldK: 0 },
    })),
    refused: (stage) => ({ code: 'message-untrusted', signer: acts.idOf(stage.old) }),
    recorded,
  },
  {
    name: 'a verification by a server that has no part in the move',
    attempt: says(other, (stage) => ({ t: 'verified', move: stage.moves.granted, body: {} })),
    refused: (stage) => ({ code: 'message-untrusted', signer: acts.idOf(stage.other) }),
    recorded,
  },
  {
    name: 'that units were given back which nobody asked for',
    attempt: says(next, (stage) => ({
      t: 'relinquished',
      move: stage.moves.granted,
      body: { ...place, unissued: 20, held: 0, holders: [] },
    })),
    refused: { code: 'move-state', state: 'granted', act: 'relinquished' },
    recorded,
  },
  {
    name: 'that another number was given back than the move had brought',
    attempt: says(next, (stage) => ({
      t: 'relinquished',
      move: stage.moves.granted,
      body: { ...place, unissued: 19, held: 0, holders: [] },
    })),
    refused: { code: 'quantity-differs', expected: 20, found: 19 },
    recorded,
  },
  {
    name: 'the undoing of a move by a server that has no part in it',
    attempt: says(other, (stage) => ({ t: 'undo', move: stage.moves.granted, body: {} })),
    refused: (stage) => ({ code: 'message-untrusted', signer: acts.idOf(stage.other) }),
    recorded,
  },
  {
    name: 'a source that declines what it has frozen',
    attempt: says(old, (stage) => ({
      t: 'declined',
      move: stage.moves.granted,
      body: { refused: { code: 'move-open' } },
    })),
    refused: { code: 'move-state', state: 'granted', act: 'decline' },
    recorded,
  },
];

const statement = { by: 'Ann Lee', text: 'the disk is gone' };
const dead = { reason: 'dead', quantity: 'all', statement } as const;
const wish = { agreement, product, type, quantity: 3, reason: 'replaced', hold: false } as const;

/** A request of a move between two servers of the stage, sent by a third or by one of them. */
function wishes(
  by: Pick,
  ends: { from: Pick; to: Pick },
  more: object = {},
): (stage: Stage) => Promise<Attempt> {
  return says(by, (stage) => ({
    t: 'move-request',
    move: acts.newRequest(),
    body: { ...wish, source: acts.idOf(ends.from(stage)), target: acts.idOf(ends.to(stage)), ...more },
  }));
}

const moves: readonly Row<Stage>[] = [
  {
    name: 'a move between two other servers',
    attempt: wishes(other, { from: old, to: next }),
    refused: (stage) => ({ code: 'message-untrusted', signer: acts.idOf(stage.other) }),
    recorded,
  },
  {
    name: 'a move of a server to itself',
    attempt: wishes(next, { from: next, to: next }),
    refused: (stage) => ({ code: 'move-to-itself', licenseServerId: acts.idOf(stage.next) }),
    recorded,
  },
  {
    name: 'a move to a server that nobody knows',
    attempt: wishes(next, { from: next, to: stranger }),
    refused: (stage) => ({ code: 'server-unknown', licenseServerId: acts.idOf(stage.stranger) }),
    recorded,
  },
  {
    name: 'a second move of a line while one is open',
    attempt: wishes(other, { from: other, to: next }),
    refused: (stage) => ({ code: 'move-open', move: stage.moves.reserved, state: 'reserved' }),
    recorded,
  },
  {
    name: 'a move of more than there is',
    attempt: wishes(next, { from: next, to: old }, { quantity: 51 }),
    refused: { code: 'move-more-than-there-is', asked: 51, available: 0 },
    recorded,
  },
  {
    name: 'a move from a dead server that says so itself',
    attempt: wishes(next, { from: next, to: old }, dead),
    refused: (stage) => ({ code: 'message-untrusted', signer: acts.idOf(stage.next) }),
    recorded,
  },
  {
    name: 'a move from a dead server, without a word of what happened',
    attempt: wishes(next, { from: old, to: next }, { reason: 'dead', quantity: 'all' }),
    refused: { code: 'message-invalid' },
    recorded,
  },
  {
    name: 'a move to a server that was closed',
    attempt: wishes(old, { from: old, to: (stage) => stage.closed }),
    refused: (stage) => ({ code: 'server-closed', licenseServerId: acts.idOf(stage.closed) }),
    recorded,
  },
  {
    name: 'a move without an id',
    attempt: says(old, (stage) => ({
      t: 'move-request',
      body: { ...wish, source: acts.idOf(stage.old), target: acts.idOf(stage.next) },
    })),
    refused: { code: 'message-invalid', problem: 'a move has no id that can name it' },
    recorded,
  },
  {
    name: 'a move whose id cannot name an account',
    attempt: says(old, (stage) => ({
      t: 'move-request',
      move: 'a/../b',
      body: { ...wish, source: acts.idOf(stage.old), target: acts.idOf(stage.next) },
    })),
    refused: { code: 'message-invalid', problem: 'a move has no id that can name it' },
    recorded,
  },
  {
    name: 'another move under the id of one that there is',
    attempt: says(old, (stage) => ({
      t: 'move-request',
      move: stage.moves.reserved,
      body: { ...wish, source: acts.idOf(stage.old), target: acts.idOf(stage.next) },
    })),
    refused: { code: 'idempotency-key-reused' },
    recorded,
  },
  {
    name: 'a declaration under the id of the move that its source had asked for',
    attempt: says(next, (stage) => ({
      t: 'move-request',
      move: stage.moves.reserved,
      body: {
        ...{ ...wish, ...dead, quantity: 5 },
        ...{ source: acts.idOf(stage.other), target: acts.idOf(stage.next) },
      },
    })),
    refused: { code: 'idempotency-key-reused' },
    recorded,
  },
];

/** Bodies that no honest program can send, in messages that are signed as they should be. */
const malformed: readonly Row<Stage>[] = (
  [
    ['a key pack of less than nothing', 'install', { ...order, quantity: -5 }],
    ['a key pack of a part of a CAL', 'install', { ...order, quantity: 1.5 }],
    ['a key pack with a word that nobody knows', 'install', { ...order, free: true }],
    ['a return of less than nothing', 'return', { ...place, quantity: -1 }],
    ['a freeze that takes from what is held', 'frozen', { ...place, unissued: 8, held: -3, holders: [] }],
    ['a release of less than nothing', 'released', { ...place, unissued: -1, held: 1, leases: [] }],
    ['a return of a line below the first', 'return', { agreement, line: -1, quantity: 1 }],
  ] as const
).map(([name, t, body]) => ({
  name,
  attempt: async (stage) => {
    const right = await fromServer(stage.world, stage.other, {
      t: 'verified',
      move: stage.moves.reserved,
      body: {},
    });
    const token = withBody(stage.other, right, { t, body });
    return () => tellRaw(stage, token);
  },
  refused: { code: 'message-invalid' },
}));

/** Messages that are refused as a whole: nothing at all is recorded of them. */
const envelopes: readonly Row<Stage>[] = [
  {
    name: 'nothing',
    attempt: (stage) => () => receiveMessages(stage.world.clearinghouse.context, []),
    refused: { code: 'message-invalid' },
  },
  {
    name: 'what is no message',
    attempt: (stage) => () => tellRaw(stage, 'v4.public.AAAA'),
    refused: { code: 'message-invalid' },
  },
  {
    name: 'messages of two servers in one sending',
    attempt: async (stage) => {
      const contact = { t: 'contact', body: { ack: [], name: 'LS', method: 'web' } } as const;
      const tokens = [
        await fromServer(stage.world, stage.old, contact),
        await fromServer(stage.world, stage.next, contact),
      ];
      return () => receiveMessages(stage.world.clearinghouse.context, tokens);
    },
    refused: { code: 'message-invalid' },
  },
  {
    name: 'a message of one server that another has signed',
    attempt: async (stage) => {
      const token = await fromServer(stage.world, stage.old, { t: 'install', body: order });
      const content = contentOf(token);
      const { key } = stage.next.context;
      return () => tellRaw(stage, sealEnvelope(content, { key: { ...key, kid: content.from.id } }));
    },
    refused: (stage) => ({ code: 'message-untrusted', signer: acts.idOf(stage.old) }),
  },
  {
    name: 'a message for a license server',
    attempt: async (stage) => {
      const to = acts.idOf(stage.next);
      const token = await fromServer(stage.world, stage.old, { t: 'install', body: order, to });
      return () => tellRaw(stage, token);
    },
    refused: (stage) => ({ code: 'message-not-for-us', recipient: acts.idOf(stage.next) }),
  },
  {
    name: 'a message that was 61 days under way',
    attempt: async (stage) => {
      const iatMs = stage.world.clock.nowMs() - 61 * dayMs;
      const token = await fromServer(stage.world, stage.old, { t: 'install', body: order, iatMs });
      return () => tellRaw(stage, token);
    },
    refused: { code: 'message-expired' },
  },
  {
    name: 'a message from a clock that is two days ahead',
    attempt: async (stage) => {
      const iatMs = stage.world.clock.nowMs() + 2 * dayMs;
      const token = await fromServer(stage.world, stage.old, { t: 'install', body: order, iatMs });
      return () => tellRaw(stage, token);
    },
    refused: { code: 'clock-ahead' },
  },
];

function tellRaw(stage: Stage, token: string): ReturnType<Attempt> {
  return receiveMessages(stage.world.clearinghouse.context, [token]);
}

/** Last of all: after the fork nothing of this server is believed any more. */
const forks: readonly Row<Stage>[] = [
  {
    name: 'a message of a generation that is over',
    attempt: says(
      (stage) => stage.closed,
      () => ({ t: 'install', gen: 1, body: order }),
    ),
    refused: (stage) => ({ code: 'server-closed', licenseServerId: acts.idOf(stage.closed), generation: 2 }),
    recorded,
  },
  {
    name: 'another message in the place of one that was taken in',
    attempt: says(old, () => ({ t: 'install', seq: 2, body: { ...order, quantity: 2 } })),
    refused: (stage) => ({ code: 'server-suspect', licenseServerId: acts.idOf(stage.old) }),
    recorded: recorded.filter((each) => each !== 'clearinghouse.received_messages+'),
  },
  {
    name: 'then any other message of that server',
    attempt: says(old, () => ({ t: 'install', body: order })),
    refused: (stage) => ({ code: 'server-suspect', licenseServerId: acts.idOf(stage.old) }),
    recorded,
  },
  {
    name: 'and codes for it',
    attempt: (stage) => () =>
      grantKeyPack(stage.world.clearinghouse.context, {
        ...{ ...order, serverId: acts.idOf(stage.old), requestId: acts.newRequest() },
      }),
    refused: (stage) => ({ code: 'server-suspect', licenseServerId: acts.idOf(stage.old) }),
  },
  {
    name: 'and the yearly code',
    attempt: (stage) => () =>
      giveHorizonCode(stage.world.clearinghouse.context, { agreement, serverId: acts.idOf(stage.old) }),
    refused: (stage) => ({ code: 'server-suspect', licenseServerId: acts.idOf(stage.old) }),
  },
  {
    name: 'a contact that tells of a shorter journal than was seen',
    attempt: says(other, () => ({
      t: 'contact',
      logSize: 1,
      body: { ack: [], name: 'LS-OTHER', method: 'automatic' },
    })),
    refused: (stage) => ({ code: 'server-suspect', licenseServerId: acts.idOf(stage.other) }),
    recorded,
  },
  {
    name: 'a move to a server that is suspected',
    attempt: wishes(next, { from: next, to: other }),
    refused: (stage) => ({ code: 'server-suspect', licenseServerId: acts.idOf(stage.other) }),
    recorded,
  },
];

export function clearinghouseRefusesMessages(): void {
  refuses('the clearinghouse refuses, of signed messages,', makeStage, [
    ...[...asking, ...receipts, ...moves, ...malformed, ...envelopes, ...forks],
  ]);
}
