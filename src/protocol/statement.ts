/**
 * A statement (protocol §2.7): what one program says of a line at one position of its journal, signed with
 * its own key, so that somebody who trusts none of the three can hold them against each other. Signing and
 * opening; what three of them come to is in move-report.ts.
 */
import type { Static } from 'typebox';
import Type from 'typebox';
import { base64url, equalBytes, utf8 } from '../core/bytes.ts';
import { licenseServerId } from '../core/code.ts';
import type { Digest } from '../core/digest.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { clearinghouseName } from './envelope.ts';
import type { SigningKey } from './paseto.ts';
import { publicKeyObject, readFooter, readPayload, signPaseto, verifyPaseto } from './paseto.ts';
import type { ReadonlyDeep } from './schema.ts';
import {
  AgreementNumber,
  Bytes16,
  Bytes32,
  bytesOf,
  CalTypeName,
  Count,
  closed,
  Id,
  LicenseServerIdText,
  LineNumber,
  msOf,
  ProductId,
  parserOf,
  Time,
  Units,
} from './schema.ts';
import { parseStrictObjectBytes } from './strict-json.ts';
import type { TrustList } from './trust.ts';
import { keyIdFooter, readKeyId, trustedKey } from './trust.ts';

const implicit = utf8('calyx-statement/1');

const Moved = closed({ unissued: Units, held: Units });
const Head = { size: Count, root: Bytes32 };
const Common = {
  t: Type.Literal('statement'),
  v: Type.Literal(1),
  agreement: AgreementNumber,
  line: LineNumber,
  product: ProductId,
  type: CalTypeName,
  iat: Time,
};

const ServerStatement = closed({
  ...Common,
  by: LicenseServerIdText,
  gen: Count,
  /** The move by the name that this server has for it, and what it took along; null: of the line alone. */
  move: Type.Union([Id, Type.Null()]),
  moved: Type.Union([Moved, Type.Null()]),
  numbers: closed({
    ...{ installed: Units, unissued: Units, issued: Units, held: Units, reserved: Units },
    ...{ quarantined: Units, granted: Units },
  }),
  /** The codes that it had made under its authority by then: what the desk has heard of later is not in here. */
  told: closed({ aid: Bytes16, seq: Count }),
  /** The journal that these numbers are the sum of. */
  log: closed({ name: Type.Literal('server'), ...Head }),
});

const Heard = closed({ size: Count, committed: Units, coming: Units, granted: Units });

const ClearinghouseStatement = closed({
  ...Common,
  by: Type.Literal(clearinghouseName),
  move: Id,
  source: LicenseServerIdText,
  target: LicenseServerIdText,
  carrier: Type.Enum(['online', 'telephone']),
  state: Type.String({ pattern: '^[a-z-]{1,32}$' }),
  moved: Moved,
  /** Whose statement is not waited for: it can never come, or the move was undone before it had reached them. */
  silent: Type.Array(Type.Enum(['source', 'target']), { maxItems: 2 }),
  numbers: closed({
    ...{ entitled: Units, inHand: Units, retired: Units },
    quarantined: Type.Array(
      closed({ move: Id, source: Type.Union([LicenseServerIdText, Type.Null()]), amount: Units }),
    ),
    committed: Type.Array(closed({ licenseServerId: LicenseServerIdText, generation: Count, amount: Units })),
    inTransit: Type.Array(closed({ move: Id, target: LicenseServerIdText, amount: Units })),
  }),
  /** What the books said of each server when its statement came in; null where none did. */
  heard: closed({ source: Type.Union([Heard, Type.Null()]), target: Type.Union([Heard, Type.Null()]) }),
  log: closed({ name: AgreementNumber, ...Head }),
});

export type ServerStatement = ReadonlyDeep<Static<typeof ServerStatement>>;
export type ClearinghouseStatement = ReadonlyDeep<Static<typeof ClearinghouseStatement>>;

const parseServer = parserOf(ServerStatement);
const parseClearinghouse = parserOf(ClearinghouseStatement);
const parseFooter = parserOf(closed({ kid: LicenseServerIdText, pk: Bytes32 }));

/** With 10,000 servers in an agreement a statement is no longer than this. */
const maxStatementChars = 2 * 1024 * 1024;

function serverFooter({ kid, publicKey }: Pick<SigningKey, 'kid' | 'publicKey'>): Uint8Array {
  return utf8(JSON.stringify({ kid, pk: base64url(publicKey) }));
}

/**
 * Signs a statement: a license server's carries its public key, of which its License Server ID is the hash;
 * the clearinghouse's key is found in the trust list. The claims are trusted to have their form.
 */
export function signStatement(claims: ServerStatement | ClearinghouseStatement, key: SigningKey): string {
  return signPaseto({
    payload: utf8(JSON.stringify(claims)),
    footer: claims.by === clearinghouseName ? keyIdFooter(key.kid) : serverFooter(key),
    key: key.privateKey,
    implicit,
  });
}

const invalid = (problem: string): Result<never, Refusal> => err({ code: 'message-invalid', problem });

/** Opens a statement of a license server. Refused: `message-invalid`, `message-untrusted`. */
export function openServerStatement(digest: Digest, token: string): Result<ServerStatement, Refusal> {
  const footerBytes = token.length > maxStatementChars ? undefined : readFooter(token);
  const footer = parseFooter(footerBytes && parseStrictObjectBytes(footerBytes));
  if (footerBytes === undefined || !footer.ok) return invalid('it is no statement of a license server');
  const publicKey = bytesOf(footer.value.pk);
  const key = publicKeyObject(publicKey);
  const kid = licenseServerId(digest, publicKey);
  if (key === undefined || !equalBytes(serverFooter({ kid, publicKey }), footerBytes)) {
    return err({ code: 'message-untrusted', signer: footer.value.kid });
  }
  const claims = parseServer(verifyPaseto(token, { key, implicit })?.payload);
  if (!claims.ok || claims.value.by !== kid) return invalid('the statement was altered');
  return claims;
}

/**
 * Opens a statement of the clearinghouse, whose key must have been in force when it was signed. Refused:
 * `message-invalid`, `message-untrusted`.
 */
export function openClearinghouseStatement(
  token: string,
  trustList: TrustList,
): Result<ClearinghouseStatement, Refusal> {
  const kid = token.length > maxStatementChars ? undefined : readKeyId(token);
  if (kid === undefined) return invalid('it is no statement of a clearinghouse');
  const listed = trustList.keys.find((each) => each.kid === kid);
  const key = listed && publicKeyObject(bytesOf(listed.pk));
  if (key === undefined) return err({ code: 'message-untrusted', signer: kid });
  const claims = parseClearinghouse(verifyPaseto(token, { key, implicit })?.payload);
  if (!claims.ok) return invalid('the statement was altered');
  const inForce = trustedKey(trustList, kid, { role: 'issue', atMs: msOf(claims.value.iat) });
  return inForce === undefined ? err({ code: 'message-untrusted', signer: kid }) : ok(claims.value);
}

/** Whether a token says that the clearinghouse has signed it; nothing is verified. */
export function isOfClearinghouse(token: string): boolean {
  return readKeyId(token) !== undefined;
}

interface Position {
  readonly log: { readonly size: number };
  readonly iat: string;
}

/** Whether one statement of somebody says less than another of the same: its journal has grown since. */
export function isOlder(one: Position, other: Position): boolean {
  return (
    one.log.size < other.log.size || (one.log.size === other.log.size && msOf(one.iat) < msOf(other.iat))
  );
}

/** The position of a statement that was verified when it was taken in. */
export function positionOf(token: string): Position {
  return readPayload(token) as unknown as Position;
}
