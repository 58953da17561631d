/** One line of a journal: read strictly, because its bytes are what was hashed and its meaning what is replayed. */
import { textOfUtf8 } from '../core/bytes.ts';
import type { JsonObject } from '../core/json.ts';
import type { Posting } from '../core/ledger.ts';

export interface AuditEntry {
  readonly log: string;
  readonly id: string;
  readonly kind: string;
  readonly at: number;
  readonly body: JsonObject;
  readonly postings: readonly Posting[];
}

const members = ['at', 'body', 'id', 'kind', 'log', 'postings', 'v'];

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The entry, or undefined where the bytes are not the one text of an entry of this form (`v` 1). */
export function readEntry(line: Uint8Array): AuditEntry | undefined {
  const text = textOfUtf8(line);
  const value = text === undefined ? undefined : parse(text);
  // A member twice, a space, a number or an escape in another form: all of them are another text. (The order
  // of members within the body means nothing, and canonicalJson, which would look at it too, costs a fifth more.)
  if (!isObject(value) || JSON.stringify(value) !== text) return undefined;
  const { v, log, id, kind, at, body, postings } = value;
  if (v !== 1 || Object.keys(value).join() !== members.join() || typeof at !== 'number') return undefined;
  if (typeof log !== 'string' || typeof id !== 'string' || typeof kind !== 'string') return undefined;
  if (!isObject(body) || !Array.isArray(postings) || !postings.every(isPosting)) return undefined;
  return { log, id, kind, at, body, postings: postings as unknown as readonly Posting[] };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const shapes: Readonly<Record<string, readonly string[]>> = {
  transfer: ['credit', 'debit', 'kind'],
  pending: ['credit', 'debit', 'hold', 'id', 'kind'],
  post: ['kind', 'pending'],
  void: ['kind', 'pending'],
};

/** The members of each kind of posting and no others; amounts are judged by the ledger. */
function isPosting(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { amount, ...texts } = value;
  const shape = shapes[String(value['kind'])];
  if (shape === undefined || !Object.values(texts).every((text) => typeof text === 'string')) return false;
  const named = Object.keys(texts);
  const others = named.filter((name) => !shape.includes(name));
  const complete = shape.every((name) => named.includes(name));
  const needsAmount = value['kind'] === 'transfer' || value['kind'] === 'pending';
  const onlyCredit = others.length === 0 || (value['kind'] === 'post' && others.join() === 'credit');
  return complete && onlyCredit && (needsAmount ? typeof amount === 'number' : amount === undefined);
}

/** A text in an entry's body; empty where there is none. */
export function textIn(body: JsonObject, name: string): string {
  const value = body[name];
  return typeof value === 'string' ? value : '';
}

/** A number in an entry's body; 0 where there is none. */
export function numberIn(body: JsonObject, name: string): number {
  const value = body[name];
  return typeof value === 'number' ? value : 0;
}

/** Objects in a list of an entry's body; none where there is no list. */
export function objectsIn(body: JsonObject, name: string): readonly JsonObject[] {
  const value = body[name];
  return Array.isArray(value) ? value.filter(isObject) : [];
}
