/**
 * The last word of a license server whose database is lost while its key is not (protocol §5.5): that another one comes in
 * its place. With it the clearinghouse knows that the new one is no stranger. Signing and opening.
 */
import type { Static } from 'typebox';
import Type from 'typebox';
import { base64url, equalBytes, utf8 } from '../core/bytes.ts';
import { licenseServerId } from '../core/code.ts';
import type { Digest } from '../core/digest.ts';
import { recoveryReasons } from '../core/recovery.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err } from '../core/result.ts';
import type { SigningKey } from './paseto.ts';
import { publicKeyObject, readFooter, signPaseto, verifyPaseto } from './paseto.ts';
import type { ReadonlyDeep } from './schema.ts';
import { Bytes32, bytesOf, closed, LicenseServerIdText, parserOf, Time } from './schema.ts';
import { parseStrictObjectBytes } from './strict-json.ts';

const implicit = utf8('calyx-succession/1');

const Claims = closed({
  t: Type.Literal('succession'),
  v: Type.Literal(1),
  /** The server that is no more: its License Server ID. */
  iss: LicenseServerIdText,
  /** The one that comes in its place. */
  to: LicenseServerIdText,
  reason: Type.Enum([...recoveryReasons]),
  iat: Time,
});

export type SuccessionClaims = ReadonlyDeep<Static<typeof Claims>>;

const parseClaims = parserOf(Claims);
const parseFooter = parserOf(closed({ kid: LicenseServerIdText, pk: Bytes32 }));

/** It is small; more is not worth verifying. */
const maxSuccessionChars = 1024;

function footerOf({ kid, publicKey }: Pick<SigningKey, 'kid' | 'publicKey'>): Uint8Array {
  return utf8(JSON.stringify({ kid, pk: base64url(publicKey) }));
}

/** Signs it with the key of the server that is no more. */
export function signSuccession(claims: SuccessionClaims, key: SigningKey): string {
  return signPaseto({
    ...{ payload: utf8(JSON.stringify(claims)), footer: footerOf(key), key: key.privateKey, implicit },
  });
}

const invalid = (problem: string): Result<never, Refusal> => err({ code: 'message-invalid', problem });

/** Opens it: the License Server ID is the hash of the key. Refused: `message-invalid`, `message-untrusted`. */
export function openSuccession(digest: Digest, token: string): Result<SuccessionClaims, Refusal> {
  const footerBytes = token.length > maxSuccessionChars ? undefined : readFooter(token);
  const footer = parseFooter(footerBytes && parseStrictObjectBytes(footerBytes));
  if (footerBytes === undefined || !footer.ok) return invalid('the word of the server before is none');
  const publicKey = bytesOf(footer.value.pk);
  const key = publicKeyObject(publicKey);
  const kid = licenseServerId(digest, publicKey);
  if (key === undefined || !equalBytes(footerOf({ kid, publicKey }), footerBytes)) {
    return err({ code: 'message-untrusted', signer: footer.value.kid });
  }
  const claims = parseClaims(verifyPaseto(token, { key, implicit })?.payload);
  if (!claims.ok || claims.value.iss !== kid) return invalid('the word of the server before was altered');
  return claims;
}
