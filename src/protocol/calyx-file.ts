/**
 * Files that people carry: JSON that says in its first line what it is (`"calyx": "…"`), so that the
 * wrong file and the damaged file are told apart before any signature is looked at.
 */
import type { JsonObject } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { parseStrictObject } from './strict-json.ts';

export type CalyxFileKind = 'request' | 'answer' | 'agreement-kit' | 'publisher-bundle' | 'move-report';

/** The longest file that is looked at, in characters. */
export const maxFileChars = 64 * 1024 * 1024;

/** The text of a file of this kind; the members keep their order. */
export function writeCalyxFile(kind: CalyxFileKind, members: JsonObject): string {
  return `${JSON.stringify({ calyx: kind, v: 1, ...members }, null, 2)}\n`;
}

/**
 * The members of a file of one of these kinds, `calyx` and `v` among them. Line ends, indentation
 * and a byte order mark may have changed on the way. Refused: file-damaged (not JSON, cut short,
 * above 64 Mi characters), file-other-kind (with the kind that it says it is).
 */
export function readCalyxFile(text: string, kinds: readonly CalyxFileKind[]): Result<JsonObject, Refusal> {
  if (text.length > maxFileChars) return err({ code: 'file-damaged', problem: 'it is larger than 64 MiB' });
  const bare = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (bare.trim() === '') return err({ code: 'file-damaged', problem: 'it is empty' });
  const members = parseStrictObject(bare);
  if (members === undefined) {
    const problem = bare.trimStart().startsWith('{')
      ? 'it was cut short or altered'
      : 'it is not a file that Calyx wrote';
    return err({ code: 'file-damaged', problem });
  }
  const expected = kinds.join(' or ');
  const found = members['calyx'];
  if (typeof found !== 'string')
    return err({ code: 'file-other-kind', expected, found: 'another JSON file' });
  if (!kinds.some((kind) => kind === found)) {
    return err({ code: 'file-other-kind', expected, found: found.slice(0, 40) });
  }
  if (members['v'] !== 1) {
    return err({ code: 'file-other-kind', expected, found: `${found} of a newer version of Calyx` });
  }
  return ok(members);
}
