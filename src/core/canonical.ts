/**
 * Canonical JSON (RFC 8785) for the values of json.ts: one value has one text, so that hashes and
 * signatures over it mean the value. Numbers are safe integers only; whatever is outside throws.
 */
import type { JsonValue } from './json.ts';

/** Far deeper than any message or entry; a deeper value is a loop or an attack. */
const deepest = 100;

/** ASCII without quotes, backslashes and control characters: needs no escape. */
const plain = /^[ !#-[\]-~]*$/;

/**
 * The canonical text of `value`: keys sorted by UTF-16 code units, no spaces, shortest escapes.
 * Throws an Error on anything that the text could not give back: fractions, unsafe integers, NaN,
 * undefined, lone surrogates, dates, bytes, class instances, nesting beyond 100.
 */
export function canonicalJson(value: JsonValue): string {
  return textOf(value, 0);
}

function textOf(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
      if (!Number.isSafeInteger(value)) throw new Error(`canonical JSON takes safe integers, not ${value}`);
      return String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth === deepest) throw new Error(`canonical JSON is nested at most ${deepest} deep`);
      return Array.isArray(value) ? arrayText(value, depth + 1) : objectText(value, depth + 1);
    default:
      throw new Error(`canonical JSON has no ${typeof value}`);
  }
}

function quoted(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new Error('canonical JSON takes well-formed Unicode, not lone surrogates');
  return JSON.stringify(text);
}

function arrayText(items: readonly unknown[], depth: number): string {
  if (items.length === 0) return '[]';
  let text = '[';
  // Counted, not iterated over: a hole must reach `textOf` as undefined and be refused there.
  for (let at = 0; at < items.length; at += 1) {
    if (at > 0) text += ',';
    text += textOf(items[at], depth);
  }
  return `${text}]`;
}

function objectText(value: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new Error('canonical JSON takes plain objects, not instances of a class');
  }
  const members = value as Readonly<Record<string, unknown>>;
  let text = '{';
  // The default order of sort() is that of UTF-16 code units, which RFC 8785 §3.2.3 asks for.
  for (const key of Object.keys(members).sort()) {
    if (text.length > 1) text += ',';
    text += `${quoted(key)}:${textOf(members[key], depth)}`;
  }
  return `${text}}`;
}
