/**
 * JSON objects from outside, read so that every reader sees the same thing: UTF-8, no duplicate
 * keys, bounded depth. `JSON.parse` alone would let the last of two equal keys win, in silence.
 */
import type { JsonObject } from '../core/json.ts';

/** Nesting that no message of ours needs, and that no recursion over the result can overflow on. */
const maxDepth = 32;

/** `ignoreBOM` keeps a byte order mark in the text, where `JSON.parse` refuses it. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** The index after the string that opens at `from`, in a text that `JSON.parse` has accepted. */
function endOfString(text: string, from: number): number {
  let close = text.indexOf('"', from + 1);
  for (;;) {
    let first = close;
    while (text.charCodeAt(first - 1) === backslash) first -= 1;
    // An even run of backslashes is escaped backslashes; an odd one escapes this quote.
    if ((close - first) % 2 === 0) return close + 1;
    close = text.indexOf('"', close + 1);
  }
}

/** The key in `text` from `from` to `to`, quotes included, with its escapes resolved. */
function keyOf(text: string, from: number, to: number): string {
  const raw = text.slice(from + 1, to - 1);
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
}

/**
 * Whether a text that `JSON.parse` has accepted stays within the depth and names no key of an
 * object twice. One stack entry per open object (its keys so far) or array (undefined).
 */
function isUnambiguous(text: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case openBrace:
      case openBracket: {
        if (open.length === maxDepth) return false;
        expectsKey = text.charCodeAt(at) === openBrace;
        open.push(expectsKey ? new Set() : undefined);
        break;
      }
      case closeBrace:
      case closeBracket:
        open.pop();
        expectsKey = false;
        break;
      case comma:
        expectsKey = open.at(-1) !== undefined;
        break;
      case quote: {
        const end = endOfString(text, at);
        if (expectsKey) {
          const keys = open.at(-1);
          const key = keyOf(text, at, end);
          if (keys === undefined || keys.has(key)) return false;
          keys.add(key);
          expectsKey = false;
        }
        at = end - 1;
        break;
      }
    }
  }
  return true;
}

/**
 * The object that a JSON text holds, or undefined: not JSON, not an object, a key named twice, or
 * nested deeper than 32. RFC 8259 §4 leaves duplicate keys to each reader; two verifiers that
 * differ there could be shown two meanings of one signature.
 */
export function parseStrictObject(text: string): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return isUnambiguous(text) ? (value as JsonObject) : undefined;
}

/** As `parseStrictObject`, from UTF-8 bytes; undefined also where they are not valid UTF-8. */
export function parseStrictObjectBytes(bytes: Uint8Array): JsonObject | undefined {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return undefined;
  }
  return parseStrictObject(text);
}
