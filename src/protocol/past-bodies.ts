/**
 * What a license server and the clearinghouse say to each other of a past that is not certain (protocol §5.2): that an
 * older database was put back, and whether more was seen of the server than its database has.
 */
import type { Static } from 'typebox';
import Type from 'typebox';
import { Note, ToldLog } from './log-exchange.ts';
import type { ReadonlyDeep } from './schema.ts';
import {
  AgreementNumber,
  Bytes16,
  Bytes32,
  ChainPosition,
  Count,
  closed,
  Id,
  LineNumber,
  Text,
} from './schema.ts';

const Head = closed({ size: Count, root: Bytes32 });

/** How far the database has got: its journal, its last message, its chains, and the codes that it has made. */
const past = {
  database: Head,
  seq: Count,
  lines: Type.Array(
    closed({
      ...{ aid: Bytes16, agreement: AgreementNumber, line: LineNumber },
      ...{ freeK: ChainPosition, heldK: ChainPosition },
    }),
  ),
  counts: Type.Array(closed({ aid: Bytes16, seq: Count, freezes: Count, releases: Count, returns: Count })),
};

/**
 * An older database with the same rights. `marks` are how far the server had got, with the last message that it had made,
 * each time that it was put back; the last one is that of now.
 */
const Mark = closed({ ...Head.properties, seq: Count });
export const Restored = closed({
  ...past,
  marks: Type.Array(Mark, { minItems: 1, maxItems: 64 }),
  note: Note,
});

/** Asks what was seen of this server. The nonce was made for this question: an older answer is none to it. */
export const Revalidate = closed({ ...past, nonce: Bytes16, own: ToldLog });

/** What was seen beyond the database (`seen` there, `here` as it was told); null: nothing was. */
export const Revalidated = closed({
  ...{ re: Id, nonce: Bytes16 },
  ahead: Type.Union([closed({ what: Text, seen: Count, here: Count }), Type.Null()]),
});

export type ToldPast = ReadonlyDeep<Pick<Static<typeof Restored>, keyof typeof past>>;
