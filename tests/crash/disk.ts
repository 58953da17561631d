/**
 * What a program did to its files, as `disk.c` has recorded it, and the disk that a power cut leaves at any
 * point of it: what was synced is there; each write after that is lost, torn by sectors, or kept.
 */
import { readFileSync } from 'node:fs';
import type { Chance } from '../kill/random.ts';

interface Written {
  readonly offset: number;
  readonly bytes: Buffer;
}

interface Truncated {
  readonly length: number;
}

export type Recorded =
  | { readonly kind: 'write'; readonly path: string; readonly change: Written }
  | { readonly kind: 'truncate'; readonly path: string; readonly change: Truncated }
  /** `lost`: a sync has failed, and what it was for is not on the disk, whatever later syncs say. */
  | { readonly kind: 'open' | 'sync' | 'unlink' | 'lost'; readonly path: string }
  | { readonly kind: 'mark'; readonly text: string };

const headBytes = 24;
const kinds = ['', 'open', 'write', 'sync', 'truncate', 'unlink', 'mark', 'lost'] as const;

/** Reads a whole recording. Throws where it ends in the middle of a call. */
export function readRecording(file: string): readonly Recorded[] {
  const log = readFileSync(file);
  const paths = new Map<number, string>();
  const recorded: Recorded[] = [];
  for (let at = 0; at < log.length; ) {
    const kind = kinds[log.readUInt32LE(at)];
    const number = log.readUInt32LE(at + 4);
    const offset = Number(log.readBigUInt64LE(at + 8));
    const end = at + headBytes + log.readUInt32LE(at + 16);
    const bytes = log.subarray(at + headBytes, end);
    at = end;
    if (kind === 'mark') {
      recorded.push({ kind, text: bytes.toString() });
      continue;
    }
    if (kind === 'open') paths.set(number, bytes.toString());
    const path = paths.get(number);
    if (path === undefined || kind === undefined || kind === '') throw new Error('the recording is damaged');
    if (kind === 'write') recorded.push({ kind, path, change: { offset, bytes } });
    else if (kind === 'truncate') recorded.push({ kind, path, change: { length: offset } });
    else recorded.push({ kind, path });
  }
  return recorded;
}

/** The unit in which disks write: of a torn write some are there and some are not. */
const sectorBytes = 512;

/** A file's content that grows as it is written to. */
class Content {
  #bytes: Buffer;
  #length: number;

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#bytes = bytes;
    this.#length = bytes.length;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  copy(): Content {
    return new Content(Buffer.from(this.bytes));
  }

  resize(length: number): void {
    if (length > this.#bytes.length) {
      const roomier = Buffer.alloc(Math.max(length, this.#bytes.length * 2));
      this.bytes.copy(roomier);
      this.#bytes = roomier;
    }
    if (length > this.#length) this.#bytes.fill(0, this.#length, length);
    this.#length = length;
  }

  write({ offset, bytes }: Written): void {
    if (offset + bytes.length > this.#length) this.resize(offset + bytes.length);
    bytes.copy(this.#bytes, offset);
  }
}

interface File {
  /** What the last sync has made safe. */
  readonly safe: Content;
  /** What came after it. */
  unsafe: (Written | Truncated)[];
}

export class Disk {
  readonly #files = new Map<string, File>();

  /** One call of the program. A file that was made or removed is so at once: the folder is synced with it. */
  take(call: Recorded): void {
    if (call.kind === 'mark') return;
    if (call.kind === 'unlink') {
      this.#files.delete(call.path);
      return;
    }
    const file = this.#files.get(call.path) ?? { safe: new Content(), unsafe: [] };
    this.#files.set(call.path, file);
    if (call.kind === 'sync') {
      for (const change of file.unsafe) keep(file.safe, change);
      file.unsafe = [];
    } else if (call.kind === 'lost') file.unsafe = [];
    else if ('change' in call) file.unsafe.push(call.change);
  }

  /** The files after a power cut now: of the unsafe writes a quarter is lost, a quarter torn, half is kept. */
  cut(chance: Chance): ReadonlyMap<string, Buffer> {
    const left = new Map<string, Buffer>();
    for (const [path, { safe, unsafe }] of this.#files) {
      const content = unsafe.length === 0 ? safe : safe.copy();
      for (const change of unsafe) {
        const fate = chance.next();
        if (fate < 0.5) keep(content, change);
        else if (fate < 0.75 && 'bytes' in change) tear(content, change, chance);
      }
      left.set(path, content.bytes);
    }
    return left;
  }
}

function keep(content: Content, change: Written | Truncated): void {
  if ('bytes' in change) content.write(change);
  else content.resize(change.length);
}

/** Some sectors of a write reach the disk, whichever. */
function tear(content: Content, { offset, bytes }: Written, chance: Chance): void {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + sectorBytes - ((offset + at) % sectorBytes));
    if (chance.happens(0.5)) content.write({ offset: offset + at, bytes: bytes.subarray(at, end) });
    at = end;
  }
}
