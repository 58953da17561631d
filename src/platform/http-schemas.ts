/** Schemas that routes of both programs share: parsers of requests, shapes of answers. */

import type { TObject, TSchema } from 'typebox';
import Type from 'typebox';
import { text } from './http-validation.ts';

/** An answer: the named fields are promised, others may come. */
export function answer<Fields extends Record<string, TSchema>>(fields: Fields): TObject<Fields> {
  return Type.Object(fields, { additionalProperties: true });
}

/** A request body: nothing but the named fields. */
export function body<Fields extends Record<string, TSchema>>(fields: Fields): TObject<Fields> {
  return Type.Object(fields, { additionalProperties: false });
}

export const ProductId = text(64, 'Product id');
export const CalTypeName = text(16, 'device, user or concurrent');
export const AgreementNumber = text(64, 'Agreement or enrollment number');
export const CodeText = text(200, 'A code in either form: 35 characters or 54 digits');
export const ServerId = text(64, 'A License Server ID');
/** Further servers whose holders are served beside those of the one that is named first. */
export const AlsoFrom = Type.Optional(Type.Array(ServerId, { maxItems: 64 }));
export const Quantity = Type.Integer({ minimum: 1, description: 'How many CALs' });
export const QuantityOrAll = Type.Union([Quantity, Type.Literal('all')]);
/** Also an empty one: what is wrong with a file is said in the words for files. */
export const FileText = Type.String({ description: 'The content of the file' });

/** Largest message or kit file, bytes. */
export const fileLimitBytes = 64 * 1024 * 1024;

const Spelled = Type.Array(Type.Array(Type.String()));

/** A code to read out. */
export const CodeAnswer = answer({
  code: Type.String(),
  digits: Type.String(),
  spelled: Spelled,
  kind: Type.String(),
  unissued: Type.Integer(),
  held: Type.Integer(),
});

export const PageQuery = Type.Object(
  {
    cursor: Type.String({ default: '', maxLength: 64 }),
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
  },
  { additionalProperties: false },
);

/** A piece of a journal: from a position (0 is the first) on. */
export const EntriesQuery = Type.Object(
  {
    from: Type.Integer({ minimum: 0, default: 0 }),
    limit: Type.Integer({ minimum: 1, maximum: 2000, default: 1000 }),
  },
  { additionalProperties: false },
);
export const EntriesAnswer = answer({ entries: Type.Array(Type.String()) });

/** Anything: a shape that is documented elsewhere. */
export const AnyItem = Type.Unsafe<object>(Type.Object({}, { additionalProperties: true }));

/** A page of anything. */
export const PageAnswer = answer({
  items: Type.Array(AnyItem),
  nextCursor: Type.Union([Type.String(), Type.Null()]),
});

/** What a representative reads out, and what happens next. */
export const DeskAnswer = answer({
  code: Type.Union([Type.String(), Type.Null()]),
  digits: Type.Union([Type.String(), Type.Null()]),
  spelled: Type.Union([Spelled, Type.Null()]),
  codes: Type.Array(
    answer({
      code: Type.String(),
      digits: Type.String(),
      spelled: Spelled,
      kind: Type.String(),
      for: Type.String(),
    }),
  ),
  next: Type.String(),
});

/** Statements that were brought, and whether this program is to state its own anew. */
export const ReportBody = body({
  statements: Type.Array(Type.String(), { maxItems: 10 }),
  fresh: Type.Boolean(),
});

/** The conservation report of a move. */
export const ReportAnswer = answer({
  move: Type.String(),
  verdict: Type.Enum(['ok', 'broken', 'incomplete']),
  findings: Type.Array(AnyItem),
  missing: Type.Array(Type.String()),
  statements: Type.Array(AnyItem),
});
