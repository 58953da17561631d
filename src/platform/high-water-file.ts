/**
 * The file of the high-water mark (protocol §5.1), beside the instance secret: two places that are written in turn, each
 * with a count and a hash, so that a torn write leaves the mark before it. What the mark says is none of its business.
 */
import { closeSync, existsSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { concat, equalBytes, readUnsigned, u32, u64 } from '../core/bytes.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { nodeDigest } from './digest.ts';
import { Failure } from './failure.ts';

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
  /** What was written last; undefined where nothing ever was. */
  readonly last: Uint8Array | undefined;
  /** On disk when it returns; throws what the operating system refuses, and then the mark before it may be the one that stands. */
  readonly write: (content: Uint8Array) => void;
  readonly close: () => void;
}

function damaged(path: string, problem: string): Failure {
  return new Failure(`The high-water mark ${path} ${problem}.`, {
    code: 'mark-damaged',
    next:
      'It says how far this license server has got, and without it nobody can tell whether the database is an older one. ' +
      'Put the file back as it was. Where that cannot be, set up another license server and move the CALs there: ' +
      'calyx server move --from ID --reason dead.',
    details: { file: path },
  });
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

/**
 * Opens the mark at `path`; with `create` a missing one is made, with nothing in it. Throws `Failure`: `mark-missing`
 * (without `create`), `mark-damaged` (neither place can be read), and what the operating system refuses.
 */
export function openHighWaterFile(path: string, { create }: { readonly create: boolean }): HighWaterFile {
  if (!existsSync(path)) {
    if (!create) throw missing(path);
    writeFileAtomic(path, new Uint8Array(2 * placeUnit));
  }
  let file = openSync(path, 'r+');
  const size = fstatSync(file).size;
  const all = new Uint8Array(size);
  readSync(file, all, 0, size, 0);
  let placeBytes = size / 2;
  if (size === 0 || size % (2 * placeUnit) !== 0)
    throw damaged(path, `has ${size} bytes, which it never had`);
  const places = [0, 1].map((at) => readPlace(all.subarray(at * placeBytes, (at + 1) * placeBytes)));
  const [newest] = places.filter((place) => place !== undefined).sort((a, b) => b.count - a.count);
  if (newest === undefined && all.some((byte) => byte !== 0)) throw damaged(path, 'cannot be read');
  let count = newest?.count ?? 0;
  return {
    last: newest?.content,
    write: (content) => {
      count += 1;
      const bytes = bytesOf(count, content);
      if (bytes.length > placeBytes) {
        placeBytes = Math.ceil(bytes.length / placeUnit) * placeUnit;
        const larger = new Uint8Array(2 * placeBytes);
        larger.set(bytes, (count % 2) * placeBytes);
        closeSync(file);
        writeFileAtomic(path, larger);
        file = openSync(path, 'r+');
        return;
      }
      writeSync(file, bytes, 0, bytes.length, (count % 2) * placeBytes);
      fdatasyncSync(file);
    },
    close: () => closeSync(file),
  };
}

function missing(path: string): Failure {
  return new Failure(`There is no high-water mark ${path}.`, {
    code: 'mark-missing',
    next:
      'It was there, and is in no backup: where the operating system was replaced it is gone. Put it back from where ' +
      'the instance secret is. Where that cannot be, set up another license server and move the CALs there: ' +
      'calyx server move --from ID --reason dead.',
    details: { file: path },
  });
}
