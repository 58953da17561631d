/**
 * Messages that honest software would not send: signed with the right keys of a world, and saying what a
 * test wants them to say.
 */
import { exchangeMessages } from '../../src/clearinghouse/usecases/exchange.ts';
import { base64url, utf8 } from '../../src/core/bytes.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import { err, ok } from '../../src/core/result.ts';
import { dayMs, isoTime } from '../../src/core/time.ts';
import type { Envelope } from '../../src/protocol/envelope.ts';
import { clearinghouseName, sealEnvelope } from '../../src/protocol/envelope.ts';
import type { MessageType } from '../../src/protocol/messages.ts';
import { readPayload, signPaseto } from '../../src/protocol/paseto.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { nextCount } from '../../src/store/meta-rows.ts';
import { idOf, newRequest } from './acts.ts';
import type { World } from './world.ts';
import { value } from './world.ts';

export interface Forged {
  readonly t: MessageType;
  readonly body: JsonObject;
  readonly move?: string;
  readonly id?: string;
  readonly seq?: number;
  readonly gen?: number;
  readonly to?: string;
  /** When it was signed; now, unless it says otherwise. */
  readonly iatMs?: number;
  readonly logSize?: number;
}

interface Sender {
  readonly id: string;
  readonly seq: number;
  readonly log: Envelope['from']['log'];
  readonly to: string;
  readonly nowMs: number;
}

function envelopeOf(forged: Forged, sender: Sender): Envelope {
  const iatMs = forged.iatMs ?? sender.nowMs;
  const { t, body, move } = forged;
  const log = forged.logSize === undefined ? sender.log : { ...sender.log, size: forged.logSize };
  return {
    ...{ t, v: 1, id: forged.id ?? newRequest(), iat: isoTime(iatMs), exp: isoTime(iatMs + 60 * dayMs) },
    from: { id: sender.id, gen: forged.gen ?? 1, seq: forged.seq ?? sender.seq, log },
    to: forged.to ?? sender.to,
    ...(move === undefined ? {} : { move }),
    body,
  };
}

/** Other claims in a message of a server, signed by it, in whatever form they are. */
export function withBody(server: OpenServer, token: string, claims: JsonObject): string {
  const { key } = server.context;
  return signPaseto({
    payload: utf8(JSON.stringify({ ...contentOf(token), ...claims })),
    key: key.privateKey,
    footer: utf8(JSON.stringify({ kid: key.kid, pk: base64url(key.publicKey) })),
    implicit: utf8('calyx-message/1'),
  });
}

/** Signed by a license server, with the next number that it has, as if its own software had made it. */
export async function fromServer(world: World, server: OpenServer, forged: Forged): Promise<string> {
  const { context, store } = server;
  const seq = forged.seq ?? value(await store.write(async (tx) => ok(await nextCount(tx, 'seq'))));
  const head = await store.read((tx) => tx.head('server'));
  const log = { size: head.size, root: base64url(head.root) };
  const nowMs = world.clock.nowMs();
  const sender = { id: idOf(server), seq, log, to: clearinghouseName, nowMs };
  return sealEnvelope(envelopeOf(forged, sender), { key: context.key });
}

/** Signed by the clearinghouse, for a server. */
export async function fromClearinghouse(world: World, server: OpenServer, forged: Forged): Promise<string> {
  const { context, store } = world.clearinghouse;
  const seq = forged.seq ?? value(await store.write(async (tx) => ok(await nextCount(tx, 'seq'))));
  const log = { size: 0, root: base64url(new Uint8Array(32)) };
  const nowMs = world.clock.nowMs();
  const sender = { id: clearinghouseName, seq, log, to: idOf(server), nowMs };
  return sealEnvelope(envelopeOf(forged, sender), { key: context.issueKey });
}

/** What a token says, without asking whether it is genuine. */
export function contentOf(token: string): Envelope {
  const content = readPayload(token);
  if (content === undefined) throw new Error(`no token: ${token}`);
  // Whether it has the form of an envelope is what the programs are asked.
  return content as unknown as Envelope;
}

/** Sends a message to the clearinghouse; a signed refusal of it counts as a refusal. */
export async function tell(world: World, token: string): Promise<Result<readonly Envelope[], Refusal>> {
  const answered = await exchangeMessages(world.clearinghouse.context, { messages: [token], waitMs: 0 });
  if (!answered.ok) return answered;
  const answers = answered.value.messages.map(contentOf);
  const { id } = contentOf(token);
  const refused = answers.find(({ t, body }) => t === 'refused' && body['re'] === id);
  return refused === undefined ? ok(answers) : err(refused.body['refused'] as unknown as Refusal);
}

/** What the clearinghouse records of a message that it refuses: the refusal, stored to be sent again. */
export const refusedMessage = [
  'clearinghouse.journal+:message-refused',
  'clearinghouse.meta~:seq',
  'clearinghouse.outbox+:refused',
  'clearinghouse.received_messages+',
  'clearinghouse.servers~',
];
