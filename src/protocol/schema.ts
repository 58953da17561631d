/**
 * The fields that messages, files and tokens are made of, as TypeBox schemas, and parsing by them.
 * Strict: a member that is not named is refused, so that no two readers differ over what was said.
 */

import type { Static, TProperties, TSchema } from 'typebox';
import Type from 'typebox';
import type { Validator } from 'typebox/compile';
import { Compile } from 'typebox/compile';
import { bytesOfBase64url } from '../core/bytes.ts';
import type { JsonObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { msOfIso } from '../core/time.ts';

/** A parsed value belongs to nobody: everything within is read-only (free-form JSON already is). */
export type ReadonlyDeep<T> = T extends object
  ? JsonObject extends T
    ? T
    : { readonly [Key in keyof T]: ReadonlyDeep<T[Key]> }
  : T;

/** An object of these members and no others. */
export function closed<Properties extends TProperties>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false });
}

const lsid = '[0-9A-HJKMNP-TV-Z]{5}(?:-[0-9A-HJKMNP-TV-Z]{5}){6}';

/** Names a message, a move, a token: what `newId` makes, or a name derived from one. */
export const Id = Type.String({ pattern: '^[A-Za-z0-9_.:/-]{1,128}$' });
/** A License Server ID in its usual form: 35 characters in 7 groups, hyphens between. */
export const LicenseServerIdText = Type.String({ pattern: `^${lsid}$` });
/** The License Server ID and unit of the first issue of a CAL to this holder (protocol §4.4). */
export const Origin = Type.String({ pattern: `^${lsid}/[1-9][0-9]{0,8}$` });
/** `2026-11-24T15:04:05Z`: a time that exists, UTC, whole seconds. */
export const Time = Type.Refine(
  Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$' }),
  (text) => msOfIso(text) !== undefined,
  () => 'must be a time that exists',
);
/** 16 bytes in canonical base64url: an aid, a salt, a chain value. */
export const Bytes16 = Type.String({ pattern: '^[A-Za-z0-9_-]{21}[AQgw]$' });
/** 32 bytes in canonical base64url: a public key, a Merkle root. */
export const Bytes32 = Type.String({ pattern: '^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$' });
/** A PASETO v4.public token; who signed it and what it says is looked at by those who open it. */
export const Token = Type.String({ pattern: '^v4\\.public\\.[A-Za-z0-9_.-]+$' });
/** A text for people. Whether it can be printed is checked where it comes in (core/product.ts). */
export const Text = Type.String({ minLength: 1, maxLength: 200 });
/** Where a program may be reached, without a path; whether anybody is there is another matter. */
export const Address = Type.String({ pattern: '^https?://[^\\s/?#@]+$', maxLength: 200 });
export const AgreementNumber = Type.String({ pattern: '^[A-Za-z0-9-]{1,40}$' });
export const ProductId = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$' });
export const CalTypeName = Type.Enum(['device', 'user', 'concurrent']);
/** The number of a line within its agreement. */
export const LineNumber = Type.Integer({ minimum: 0, maximum: 14 });
/** Any whole number that JSON carries without loss. */
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** Units of one line; a chain reaches to 65,535 (protocol §3.4), certified ones come on top. */
export const Units = Type.Integer({ minimum: 0, maximum: 100_000_000 });
export const ChainPosition = Type.Integer({ minimum: 0, maximum: 65_535 });

export const ProductInfo = closed({
  id: ProductId,
  name: Text,
  family: ProductId,
  version: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
});

/** A value of a line's chain and its position (protocol §3.4). */
export const Reveal = closed({ k: ChainPosition, value: Bytes16 });
/** A value of the horizon chain: "may assign until the end of month base + e". */
export const HorizonReveal = closed({
  e: Type.Integer({ minimum: 0, maximum: 360 }),
  value: Bytes16,
});

/** The CAL of one holder, as servers tell each other through the clearinghouse. */
export const Holder = closed({
  sub: Type.String({ pattern: '^[A-Za-z0-9_-]{1,86}$' }),
  kind: CalTypeName,
  origin: Origin,
  unit: Type.Integer({ minimum: 1, maximum: 100_000_000 }),
  leaseEnd: Time,
});

export type ProductInfo = ReadonlyDeep<Static<typeof ProductInfo>>;
export type Reveal = ReadonlyDeep<Static<typeof Reveal>>;
export type HorizonReveal = ReadonlyDeep<Static<typeof HorizonReveal>>;
export type Holder = ReadonlyDeep<Static<typeof Holder>>;

/** A parser for one schema. The error says in words where and what, for the person who asks why. */
export type Parser<T> = (value: unknown) => Result<T, string>;

function firstProblem(validator: Validator, value: unknown): string {
  const [first] = validator.Errors(value);
  if (first === undefined) return 'it has not the expected form';
  const place = first.instancePath === '' ? 'it' : first.instancePath.slice(1).slice(0, 80);
  return first.keyword === 'boolean' ? `${place} is not known here` : `${place} ${first.message}`;
}

/** The parser of a schema, compiled at its first use: a command needs few of all that there are. */
export function parserOf<Schema extends TSchema>(schema: Schema): Parser<ReadonlyDeep<Static<Schema>>> {
  let validator: Validator | undefined;
  return (value) => {
    validator ??= Compile(schema) as Validator;
    if (validator.Check(value)) return ok(value as ReadonlyDeep<Static<Schema>>);
    return err(firstProblem(validator, value));
  };
}

/** The bytes of a field that a schema above has already found to be canonical base64url. */
export function bytesOf(text: string): Uint8Array {
  const bytes = bytesOfBase64url(text);
  if (bytes === undefined) throw new TypeError('base64url was not checked before');
  return bytes;
}

/** The milliseconds of a field that `Time` has already checked. */
export function msOf(text: string): number {
  const ms = msOfIso(text);
  if (ms === undefined) throw new TypeError('a time was not checked before');
  return ms;
}
