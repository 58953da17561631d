/**
 * The sealed part of a backup: an age file (age-encryption.org/v1), streamed from and to disk, with the size
 * and the digest of both sides. Whoever has the key opens it with any program that knows age.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { Decrypter, Encrypter } from 'age-encryption';

export interface Measured {
  readonly bytes: number;
  readonly sha256: Uint8Array;
}

/** As large as age's own pieces. Larger ones are no faster, and lie about in memory until somebody looks for what is forgotten. */
const chunkBytes = 64 * 1024;

/** A file system may make the next sync of the database wait for all that was written here and is not on disk yet. */
const syncEveryBytes = 8 * 1024 * 1024;

/** A file from a place on, in pieces; `measured` counts and hashes what has gone by. */
class Source {
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  readonly #onBytes: (bytes: number) => void;
  #at: number;
  #bytes = 0;

  constructor(file: FileHandle, from: number, onBytes: (bytes: number) => void) {
    this.#file = file;
    this.#at = from;
    this.#onBytes = onBytes;
  }

  /** The next piece; undefined at the end of the file. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const buffer = new Uint8Array(chunkBytes);
    const { bytesRead } = await this.#file.read(buffer, 0, chunkBytes, this.#at);
    if (bytesRead === 0) return undefined;
    const piece = buffer.subarray(0, bytesRead);
    this.#hash.update(piece);
    this.#at += bytesRead;
    this.#bytes += bytesRead;
    this.#onBytes(this.#bytes);
    return piece;
  }

  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull: async (controller) => {
          const piece = await this.next();
          if (piece === undefined) controller.close();
          else controller.enqueue(piece);
        },
      },
      // Nothing is read before it is wanted.
      { highWaterMark: 0 },
    );
  }

  measured(): Measured {
    return { bytes: this.#bytes, sha256: this.#hash.digest() };
  }
}

async function writeAll(
  stream: ReadableStream<Uint8Array>,
  into: { readonly file: FileHandle; readonly at: number },
): Promise<Measured> {
  const hash = createHash('sha256');
  let bytes = 0;
  let synced = 0;
  for await (const piece of stream) {
    hash.update(piece);
    await writePiece(into.file, piece, into.at + bytes);
    bytes += piece.length;
    if (bytes - synced >= syncEveryBytes) {
      await into.file.datasync();
      synced = bytes;
    }
  }
  return { bytes, sha256: hash.digest() };
}

/** A full disk may take a part of a piece, and says that it is full only when the rest is tried. */
async function writePiece(file: FileHandle, piece: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    const { bytesWritten } = await file.write(piece, done, piece.length - done, at + done);
    done += bytesWritten;
  }
}

async function using<T>(file: FileHandle, use: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** What an age file of a plaintext of so many bytes is in full, before it is made. */
export interface SealedSize {
  readonly plainBytes: number;
  readonly sealedBytes: number;
}

/**
 * Seals a file to its recipients. `begin` is told the sizes first and answers where in `into` the age file is
 * to begin.
 */
export async function sealFile(seal: {
  readonly plain: string;
  readonly into: FileHandle;
  readonly recipients: readonly string[];
  readonly begin: (sizes: SealedSize) => number;
  /** Told how much of it is done, from 0 to 1. */
  readonly progress: (part: number) => void;
}): Promise<{ readonly plain: Measured; readonly sealed: Measured }> {
  const encrypter = new Encrypter();
  for (const recipient of seal.recipients) encrypter.addRecipient(recipient);
  return using(await open(seal.plain, 'r'), async (file) => {
    const { size } = await file.stat();
    const source = new Source(file, 0, (bytes) => seal.progress(bytes / size));
    const stream = await encrypter.encrypt(source.stream());
    const at = seal.begin({ plainBytes: size, sealedBytes: stream.size(size) });
    const sealed = await writeAll(stream, { file: seal.into, at });
    return { plain: source.measured(), sealed };
  });
}

/** The size and digest of a file from a place on. */
export async function measureFile(path: string, from: number): Promise<Measured> {
  return using(await open(path, 'r'), async (file) => {
    const source = new Source(file, from, () => undefined);
    while ((await source.next()) !== undefined);
    return source.measured();
  });
}

/**
 * Opens the age file that begins at a place of a file, into a new file that only its owner may read. Throws
 * an Error of the library's where no key fits or the file was altered.
 */
export async function unsealFile(sealed: {
  readonly path: string;
  readonly from: number;
  readonly to: string;
  readonly identities: readonly string[];
}): Promise<Measured> {
  const decrypter = new Decrypter();
  for (const identity of sealed.identities) decrypter.addIdentity(identity);
  return using(await open(sealed.path, 'r'), async (file) => {
    const source = new Source(file, sealed.from, () => undefined);
    const stream = await decrypter.decrypt(source.stream());
    return using(await open(sealed.to, 'wx', 0o600), (into) => writeAll(stream, { file: into, at: 0 }));
  });
}
