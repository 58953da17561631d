/**
 * The signed envelope that every protocol message travels in, whatever carries it (protocol §2.3):
 * who says it to whom, under which idempotency key, and the signature. What it means is for the
 * handlers; how many fit a file is for message-file.ts.
 */
import type { KeyObject } from 'node:crypto';
import Type from 'typebox';
import { base64url, equalBytes, utf8 } from '../core/bytes.ts';
import { canonicalJson } from '../core/canonical.ts';
import { licenseServerId } from '../core/code.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { clockToleranceMs } from '../core/standing.ts';
import { isoTime } from '../core/time.ts';
import type { BodyOf, MessageType } from './messages.ts';
import { isServerMessage, messageTypes, parseBody } from './messages.ts';
import type { SigningKey } from './paseto.ts';
import { publicKeyObject, readFooter, signPaseto, verifyPaseto } from './paseto.ts';
import { Bytes32, bytesOf, Count, closed, Id, LicenseServerIdText, msOf, parserOf, Time } from './schema.ts';
import { parseStrictObjectBytes } from './strict-json.ts';

/** The name that the clearinghouse goes by as a sender and recipient. */
export const clearinghouseName = 'clearinghouse';

/** A message before it is signed; `body` is checked against its type when its content is made, or it is opened. */
export interface Envelope {
  readonly t: MessageType;
  readonly v: 1;
  /** The idempotency key: made once by the sender, the same at every sending. */
  readonly id: string;
  /** When it was signed; messages are signed afresh each time that they are sent. */
  readonly iat: string;
  readonly exp: string;
  readonly from: {
    /** A License Server ID, or `clearinghouse`. */
    readonly id: string;
    /** Generation: the fencing number (protocol §2.1). */
    readonly gen: number;
    /** +1 with each message of this sender. */
    readonly seq: number;
    /** The sender's journal at the time of signing; `root` is base64url. */
    readonly log: { readonly size: number; readonly root: string };
  };
  /** A License Server ID, or `clearinghouse`. */
  readonly to: string;
  readonly move?: string;
  readonly body: JsonObject;
}

/** A message of one type, its body checked. */
export type MessageOf<Type extends MessageType> = Omit<Envelope, 't' | 'body'> & {
  readonly t: Type;
  readonly body: BodyOf<Type>;
};

/** Any message, its body checked: `switch (message.t)` tells which body it has. */
export type Message = { [Type in MessageType]: MessageOf<Type> }[MessageType];

export interface Opened {
  readonly envelope: Message;
  readonly signer: { readonly kid: string; readonly publicKey: Uint8Array };
  /** See `requestDigest`. */
  readonly requestDigest: string;
}

const implicit = utf8('calyx-message/1');

const Party = Type.Union([LicenseServerIdText, Type.Literal(clearinghouseName)]);
const parseClaims = parserOf(
  closed({
    t: Type.Enum([...messageTypes]),
    v: Type.Literal(1),
    id: Id,
    iat: Time,
    exp: Time,
    from: closed({ id: Party, gen: Count, seq: Count, log: closed({ size: Count, root: Bytes32 }) }),
    to: Party,
    move: Type.Optional(Id),
    body: Type.Unsafe<JsonObject>(Type.Record(Type.String(), Type.Unknown())),
  }),
);
const parseFooter = parserOf(closed({ kid: Type.String({ maxLength: 64 }), pk: Type.Optional(Bytes32) }));

/** Checks the claims of an envelope and its body; the error says what is wrong. */
function parseMessage(value: unknown): Result<Message, string> {
  const claims = parseClaims(value);
  if (!claims.ok) return claims;
  const body = parseBody(claims.value.t, claims.value.body);
  return body.ok ? ok(claims.value as Message) : err(`${claims.value.t}: ${body.error}`);
}

/**
 * Signs a message. The footer names the signer: a license server's carries its public key, of which
 * its License Server ID is the hash; the clearinghouse's key is found in the trust list. Throws where
 * its claims would not be accepted by `openEnvelope`, for it is ours (a bug). Its body is checked once, when
 * its content is made (message-content.ts), and not again at each sending: a list in it may be long.
 */
export function sealEnvelope(envelope: Envelope | Message, { key }: { readonly key: SigningKey }): string {
  const claims = parseClaims(envelope);
  if (!claims.ok) throw new TypeError(`not a message: ${claims.error}`);
  const fromServer = isServerMessage(envelope.t);
  if (envelope.from.id !== (fromServer ? key.kid : clearinghouseName)) {
    throw new TypeError(`${envelope.t} cannot come from ${envelope.from.id}`);
  }
  const footer = fromServer ? { kid: key.kid, pk: base64url(key.publicKey) } : { kid: key.kid };
  return signPaseto({
    payload: utf8(JSON.stringify(envelope)),
    key: key.privateKey,
    footer: utf8(JSON.stringify(footer)),
    implicit,
  });
}

interface Signer {
  readonly kid: string;
  readonly publicKey: Uint8Array;
  readonly key: KeyObject;
  readonly isServer: boolean;
}

const unreadable: Refusal = {
  code: 'message-invalid',
  problem: 'it is no Calyx message, or was cut short or altered',
};

function signerOf(token: string, options: Pick<OpenOptions, 'digest' | 'keyOf'>): Result<Signer, Refusal> {
  const footerBytes = readFooter(token);
  const footer = parseFooter(footerBytes === undefined ? undefined : parseStrictObjectBytes(footerBytes));
  if (footerBytes === undefined || !footer.ok) return err(unreadable);
  const { kid, pk } = footer.value;
  const publicKey = pk === undefined ? options.keyOf(kid) : bytesOf(pk);
  const key = publicKey === undefined ? undefined : publicKeyObject(publicKey);
  if (publicKey === undefined || key === undefined) return err({ code: 'message-untrusted', signer: kid });
  if (pk !== undefined && licenseServerId(options.digest, publicKey) !== kid) {
    return err({ code: 'message-untrusted', signer: kid });
  }
  // One text per footer, as one text per token: spaces or another order of the members are refused.
  const canonical = utf8(JSON.stringify(pk === undefined ? { kid } : { kid, pk }));
  if (!equalBytes(canonical, footerBytes)) return err(unreadable);
  return ok({ kid, publicKey, key, isServer: pk !== undefined });
}

export interface OpenOptions {
  readonly nowMs: number;
  /** Our own name: a License Server ID, or `clearinghouse`. */
  readonly to: string;
  readonly digest: Digest;
  /** The clearinghouse's public key of this id, if the trust list has it in force now (`trustedKey`). */
  readonly keyOf: (kid: string) => Uint8Array | undefined;
}

function checkTimes(message: Message, nowMs: number): Refusal | undefined {
  const { iat, exp } = message;
  if (msOf(exp) < msOf(iat)) return { code: 'message-invalid', problem: 'it ends before it begins' };
  if (msOf(iat) > nowMs + clockToleranceMs) return { code: 'clock-behind', now: isoTime(nowMs), seen: iat };
  if (nowMs > msOf(exp)) {
    return { code: 'message-expired', madeAt: iat, expiredAt: exp, now: isoTime(nowMs) };
  }
  return undefined;
}

/**
 * Opens a message: signature, form, sender, recipient and times, in this order. A license server
 * signs for its own License Server ID and sends the types that servers send; the clearinghouse signs
 * with a key of the trust list and sends the others. Whether the sender is known, its generation in
 * force and its sequence the next is for the handler.
 *
 * Refused: message-invalid, message-untrusted, message-not-for-us, clock-behind (signed more than a
 * day ahead of our clock), message-expired.
 */
export function openEnvelope(token: string, options: OpenOptions): Result<Opened, Refusal> {
  const signer = signerOf(token, options);
  if (!signer.ok) return signer;
  const { kid, publicKey, key, isServer } = signer.value;
  const verified = verifyPaseto(token, { key, implicit });
  if (verified === undefined) return err(unreadable);
  const message = parseMessage(verified.payload);
  if (!message.ok) return err({ code: 'message-invalid', problem: message.error });
  const envelope = message.value;
  if (isServerMessage(envelope.t) !== isServer || envelope.from.id !== (isServer ? kid : clearinghouseName)) {
    return err({ code: 'message-untrusted', signer: kid });
  }
  if (envelope.to !== options.to) return err({ code: 'message-not-for-us', recipient: envelope.to });
  const late = checkTimes(envelope, options.nowMs);
  if (late !== undefined) return err(late);
  const digest = digestOrProblem(options.digest, envelope);
  return digest.ok ? ok({ envelope, signer: { kid, publicKey }, requestDigest: digest.value }) : digest;
}

/** Canonical JSON takes safe integers and well-formed text only; a peer may have sent others. */
function digestOrProblem(digest: Digest, message: Message): Result<string, Refusal> {
  try {
    return ok(requestDigest(digest, message));
  } catch (error) {
    return err({ code: 'message-invalid', problem: error instanceof Error ? error.message : String(error) });
  }
}

/**
 * What the same id must always carry: the SHA-256, base64url, of the canonical claims without `iat`,
 * `exp` and `from.log`, which are new at every sending. Throws as `canonicalJson` does.
 */
export function requestDigest(digest: Digest, envelope: Envelope | Message): string {
  const { t, v, id, from, to, move, body } = envelope;
  const claims: JsonObject = {
    t,
    v,
    id,
    from: { id: from.id, gen: from.gen, seq: from.seq },
    to,
    body: body as JsonObject,
    ...(move === undefined ? {} : { move }),
  };
  return base64url(digest.sha256(utf8(canonicalJson(claims))));
}
