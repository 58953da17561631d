import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import { maxFileChars } from './calyx-file.ts';
import { rootKey, trustListOf } from './example-publisher.test.ts';
import type { MessageFile } from './message-file.ts';
import { readMessageFile, writeMessageFile } from './message-file.ts';
import { makeTrustList } from './trust.ts';

const trustList = makeTrustList(digest, trustListOf(), rootKey);
const file: MessageFile = {
  kind: 'request',
  messages: ['v4.public.AAAA.BBBB', 'v4.public.CCCC'],
  trustLists: [trustList],
};
const text = writeMessageFile(digest, file);

function codeOf(result: Result<unknown, Refusal>): string {
  return result.ok ? 'ok' : result.error.code;
}
const read = (content: string, kind: MessageFile['kind'] = 'request') =>
  readMessageFile(digest, content, kind);

describe('a message file', () => {
  it('says in its first lines what it is', () => {
    assert.match(text, /^\{\n {2}"calyx": "request",\n {2}"v": 1,\n {2}"messages": \[\n/);
    assert.ok(text.endsWith('}\n'));
  });

  it('gives back what was written, in order', () => {
    const token = fc.string({ unit: fc.constantFrom(...'AZaz09-_'), minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        fc.constantFrom('request' as const, 'answer' as const),
        fc.array(
          token.map((body) => `v4.public.${body}`),
          { maxLength: 5 },
        ),
        fc.constantFrom([], [trustList], ['v4.public.older', 'v4.public.old', trustList]),
        (kind, messages, trustLists) => {
          const whole = { kind, messages, trustLists };
          assert.deepEqual(read(writeMessageFile(digest, whole), kind), { ok: true, value: whole });
        },
      ),
      { numRuns: 100 },
    );
  });

  it('survives other line ends, indentation and a byte order mark', () => {
    const spoiled = [
      text.replaceAll('\n', '\r\n'),
      `\ufeff${text}`,
      JSON.stringify(JSON.parse(text)),
      `\n\n${JSON.stringify(JSON.parse(text), null, '\t')}  `,
    ];
    for (const content of spoiled) assert.deepEqual(read(content), { ok: true, value: file });
  });

  it('is damaged when cut anywhere', () => {
    for (let length = 0; length < text.trimEnd().length; length += 1) {
      assert.equal(codeOf(read(text.slice(0, length))), 'file-damaged', `${length}`);
    }
  });

  it('is refused, nearly always as damaged, with any one character changed', () => {
    const codes = new Map<string, number>();
    for (let place = 0; place < text.length; place += 1) {
      if (/\s/.test(text[place] ?? '')) continue;
      const other = text[place] === 'A' ? 'B' : 'A';
      const code = codeOf(read(text.slice(0, place) + other + text.slice(place + 1)));
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    assert.equal(codes.get('ok'), undefined);
    // Only the names "calyx" and "v" and the kind itself make it look like another file.
    assert.equal(codes.get('file-other-kind'), 'calyx'.length + 'v'.length + 'request'.length);
    assert.deepEqual([...codes.keys()].toSorted(), ['file-damaged', 'file-other-kind']);
  });

  it('is damaged when messages were dropped, doubled, exchanged, joined, or come from another file', () => {
    const [first = '', second = ''] = file.messages;
    const members = JSON.parse(text) as Record<string, unknown>;
    const { trustList: own, ...without } = members;
    assert.equal(own, trustList);
    for (const changed of [
      { ...members, messages: [first] },
      { ...members, messages: [second, first] },
      { ...members, messages: [first, first, second] },
      { ...members, messages: [] },
      { ...members, messages: [`${first}\n${second}`] },
      { ...members, trustList: first },
      without,
      { ...members, checksum: '0'.repeat(64) },
      { ...members, more: 1 },
    ]) {
      assert.equal(codeOf(read(JSON.stringify(changed))), 'file-damaged');
    }
    const answer = JSON.stringify({ ...members, calyx: 'answer' });
    assert.equal(codeOf(read(answer, 'answer')), 'file-damaged');
  });

  it('is refused as another kind of file, naming both', () => {
    assert.deepEqual(read(text, 'answer'), {
      ok: false,
      error: { code: 'file-other-kind', expected: 'answer', found: 'request' },
    });
    assert.equal(codeOf(read('{"calyx":"agreement-kit","v":1}')), 'file-other-kind');
    assert.equal(codeOf(read('{"hello":"world"}')), 'file-other-kind');
    assert.equal(codeOf(read(text.replace('"v": 1', '"v": 2'))), 'file-other-kind');
  });

  it('is damaged when it is empty, no JSON, or of unbounded size', () => {
    for (const content of ['', ' \n', 'PK\u0003\u0004', '[1]', '"text"', `${text}${text}`]) {
      assert.equal(codeOf(read(content)), 'file-damaged', content.slice(0, 10));
    }
    const huge = ' '.repeat(maxFileChars + 1);
    assert.deepEqual(read(huge), {
      ok: false,
      error: { code: 'file-damaged', problem: 'it is larger than 64 MiB' },
    });
  });
});
