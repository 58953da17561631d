import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { textOfUtf8, utf8 } from '../core/bytes.ts';
import { openHighWaterFile } from './high-water-file.ts';

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'calyx-mark-'));
  path = join(dir, 'mark');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What a program that opens the file finds in it; undefined where nothing was ever written. */
function found(at = path): string | undefined {
  const file = openHighWaterFile(at);
  file.close();
  return file.last === undefined ? undefined : textOfUtf8(file.last);
}

function write(...texts: readonly string[]): void {
  const file = openHighWaterFile(path);
  for (const text of texts) file.write(utf8(text));
  file.close();
}

/** The file as it is before it is closed, which is how a program leaves it that is killed. */
function unclosed(...texts: readonly string[]): Buffer {
  const file = openHighWaterFile(path);
  for (const text of texts) file.write(utf8(text));
  const bytes = readFileSync(path);
  file.close();
  return bytes;
}

describe('the file of the high-water mark', () => {
  it('has what was written last, for its owner only', () => {
    write('one', 'two', 'three');
    assert.equal(found(), 'three');
    write('four');
    assert.equal(found(), 'four');
    assert.equal(statSync(path).mode & 0o777, process.platform === 'win32' ? 0o666 : 0o600);
  });

  it('that is missing or no mark is said to be, left as it is, and made anew by the first write', () => {
    assert.equal(openHighWaterFile(path).found, 'missing');
    assert.ok(!existsSync(path));
    for (const bytes of [new Uint8Array(0), new Uint8Array(100), new Uint8Array(32_768).fill(7)]) {
      writeFileSync(path, bytes);
      const file = openHighWaterFile(path);
      assert.deepEqual([file.found, file.last], ['damaged', undefined]);
      assert.deepEqual(new Uint8Array(readFileSync(path)), bytes);
      file.write(utf8('anew'));
      file.close();
      assert.equal(found(), 'anew');
    }
  });

  it('grows with what it has to hold, and keeps it', () => {
    const texts = [10, 20_000, 5, 100_000, 99_000].map((length, at) => `${at}`.repeat(length));
    for (const text of texts) {
      write(text);
      assert.equal(found(), text);
    }
  });

  it('torn at any byte of a write has that mark or the one before', () => {
    const before = unclosed('the first', 'the second');
    writeFileSync(path, before);
    const after = unclosed('the third, which is longer');
    const differing = [...after.keys()].filter((at) => after[at] !== before[at]);
    const [first, last] = [differing[0] ?? 0, differing.at(-1) ?? 0];
    assert.ok(differing.length > 40);
    const torn = join(dir, 'torn');
    for (let cut = first; cut <= last + 1; cut += 1) {
      // Written up to here, from the front; and from the back, since sectors land in any order.
      for (const at of [0, 1]) {
        const [head, tail] = at === 0 ? [after, before] : [before, after];
        writeFileSync(torn, Buffer.concat([head.subarray(0, cut), tail.subarray(cut)]));
        const text = found(torn);
        assert.ok(text === 'the second' || text === 'the third, which is longer', `${cut}: ${text}`);
      }
    }
  });

  it('that was closed has what was written last in both places', () => {
    write('first', 'second');
    const whole = readFileSync(path);
    for (const at of [0, whole.length / 2]) {
      writeFileSync(path, Buffer.from(whole).fill(0, at, at + 100));
      assert.equal(found(), 'second');
    }
  });

  it('with any one bit flipped has the mark, or the one before where it was not closed', () => {
    const whole = unclosed('first', 'second');
    const place = whole.length / 2;
    const bits = [...Array.from({ length: 60 * 8 }, (_, bit) => bit)];
    const flipped = join(dir, 'flipped');
    let earlier = 0;
    for (const bit of [...bits, ...bits.map((each) => each + place * 8)]) {
      copyFileSync(path, flipped);
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      writeFileSync(flipped, bytes);
      const text = found(flipped);
      assert.ok(text === 'second' || text === 'first', String(text));
      if (text === 'first') earlier += 1;
    }
    assert.ok(earlier > 300, `${earlier}`);
  });
});
