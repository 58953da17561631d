/**
 * Messages carried by hand (protocol §2.3, "Transport"): a request file holds a server's whole
 * outbox, an answer file whatever waits for that agreement's servers. The messages inside are the
 * signed ones of envelope.ts; the checksum only tells a damaged file from a forged message.
 */
import Type from 'typebox';
import { hex, utf8 } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { readCalyxFile, writeCalyxFile } from './calyx-file.ts';
import { closed, parserOf, Token } from './schema.ts';
import { EarlierTrustLists, trustListMembers, trustListsOf } from './trust-lists.ts';

export type MessageFileKind = 'request' | 'answer';

export interface MessageFile {
  readonly kind: MessageFileKind;
  /** Sealed envelopes, in the order in which they are to be handled. */
  readonly messages: readonly string[];
  /** The sender's trust lists, as tokens: oldest first, the one in force last. */
  readonly trustLists: readonly string[];
}

const parseFile = parserOf(
  closed({
    calyx: Type.Enum(['request', 'answer']),
    v: Type.Literal(1),
    messages: Type.Array(Token, { maxItems: 100_000 }),
    trustList: Type.Optional(Token),
    earlierTrustLists: Type.Optional(EarlierTrustLists),
    checksum: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  }),
);

/** Tokens have no line breaks, so that one per line is unambiguous. */
function checksumOf(digest: Digest, { kind, messages, trustLists }: MessageFile): string {
  const lines = [`calyx-${kind}/1`, trustLists.at(-1) ?? '', ...trustLists.slice(0, -1), ...messages];
  return hex(digest.sha256(utf8(lines.join('\n'))));
}

/** The text of a request or answer file. */
export function writeMessageFile(digest: Digest, file: MessageFile): string {
  const { kind, messages, trustLists } = file;
  return writeCalyxFile(kind, {
    messages,
    ...trustListMembers(trustLists),
    checksum: checksumOf(digest, file),
  });
}

/**
 * What a request or answer file holds; whether the messages are genuine is for `openEnvelope`.
 * Refused: file-other-kind, file-damaged (cut short, altered, larger than 64 MiB).
 */
export function readMessageFile(
  digest: Digest,
  text: string,
  kind: MessageFileKind,
): Result<MessageFile, Refusal> {
  const members = readCalyxFile(text, [kind]);
  if (!members.ok) return members;
  const parsed = parseFile(members.value);
  if (!parsed.ok) return err({ code: 'file-damaged', problem: parsed.error });
  const { messages, checksum } = parsed.value;
  const file: MessageFile = { kind, messages, trustLists: trustListsOf(parsed.value) };
  if (checksumOf(digest, file) !== checksum) {
    return err({ code: 'file-damaged', problem: 'its content does not match its checksum' });
  }
  return ok(file);
}
