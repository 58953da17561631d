/**
 * The file of the high-water mark (protocol §5.1), beside the instance secret: two places that are written in turn, each
 * with a count and a hash, so that a torn write leaves the mark before it; both have the last one when it is closed, so that
 * a bit which turns over loses nothing. What the mark says is none of its business.
 */
import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { concat, equalBytes, readUnsigned, u32, u64 } from '../core/bytes.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { nodeDigest } from './digest.ts';

/** Count (8 bytes), length (4), and after the content its hash (32). */
const headBytes = 12;
const hashBytes = 32;
const overhead = headBytes + hashBytes;
/** Each place is a multiple of this, so that the two never share a sector of the disk. */
const placeUnit = 16_384;

interface Place {
  readonly count: number;
  readonly content: Uint8Array;
}

/** An open mark. Whoever opens it holds the lock of the data folder. */
export interface HighWaterFile {
  /** `missing`: there was no such file. `damaged`: neither place of it can be read. `whole`: it has what `last` says. */
  readonly found: 'missing' | 'damaged' | 'whole';
  /** What was written last; undefined where nothing is known to have been. */
  readonly last: Uint8Array | undefined;
  /** On disk when it returns; throws what the operating system refuses, and then the mark before it may be the one that stands. */
  readonly write: (content: Uint8Array) => void;
  /** What was written last stands in both places afterwards. */
  readonly close: () => void;
}

const bytesOf = (count: number, content: Uint8Array): Uint8Array => {
  const body = concat(u64(count), u32(content.length), content);
  return concat(body, nodeDigest.sha256(body));
};

/** What stands in a place; undefined where it is torn, or was never written. */
function readPlace(bytes: Uint8Array): Place | undefined {
  const length = readUnsigned(bytes, 8, 4);
  const hashAt = headBytes + length;
  if (length > bytes.length - overhead) return undefined;
  const hash = bytes.subarray(hashAt, hashAt + hashBytes);
  if (!equalBytes(hash, nodeDigest.sha256(bytes.subarray(0, hashAt)))) return undefined;
  // A count beyond what a number can hold was never written by us.
  return { count: readUnsigned(bytes, 2, 6), content: bytes.slice(headBytes, hashAt) };
}

interface Read {
  readonly found: HighWaterFile['found'];
  readonly newest: Place | undefined;
  readonly placeBytes: number;
}

const nothing = { newest: undefined, placeBytes: 0 } as const;

function read(path: string): Read {
  if (!existsSync(path)) return { found: 'missing', ...nothing };
  const all = new Uint8Array(readFileSync(path));
  if (all.length === 0 || all.length % (2 * placeUnit) !== 0) return { found: 'damaged', ...nothing };
  const placeBytes = all.length / 2;
  const places = [0, 1].map((at) => readPlace(all.subarray(at * placeBytes, (at + 1) * placeBytes)));
  const [newest] = places.filter((place) => place !== undefined).sort((a, b) => b.count - a.count);
  return newest === undefined ? { found: 'damaged', ...nothing } : { found: 'whole', newest, placeBytes };
}

/** Opens the mark at `path`. Nothing is changed before the first write, which replaces a file that is damaged. */
export function openHighWaterFile(path: string): HighWaterFile {
  const { found, newest, placeBytes: size } = read(path);
  let placeBytes = size;
  let file = found === 'whole' ? openSync(path, 'r+') : null;
  let count = newest?.count ?? 0;
  let written: Uint8Array | null = null;
  const shut = (): void => {
    if (file !== null) closeSync(file);
    file = null;
  };
  const write = (content: Uint8Array): void => {
    count += 1;
    const bytes = bytesOf(count, content);
    if (file === null || bytes.length > placeBytes) {
      placeBytes = Math.ceil(bytes.length / placeUnit) * placeUnit;
      const larger = new Uint8Array(2 * placeBytes);
      larger.set(bytes, (count % 2) * placeBytes);
      shut();
      writeFileAtomic(path, larger);
      file = openSync(path, 'r+');
    } else {
      writeSync(file, bytes, 0, bytes.length, (count % 2) * placeBytes);
      fdatasyncSync(file);
    }
    written = content;
  };
  const close = (): void => {
    try {
      if (written !== null) write(written);
    } catch {
      // It stands in one place, as it does while the program runs.
    }
    written = null;
    shut();
  };
  return { found, last: newest?.content, write, close };
}
