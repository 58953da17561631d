/**
 * The instance secret (protocol §5.1): 32 random bytes outside the data folder and outside every
 * backup, under which a server's keys are sealed. Without it a restored database is a stranger's.
 * Also the files that hold keys: written whole or not at all, readable by their owner alone.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ascii, concat, equalBytes, utf8 } from '../core/bytes.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { nodeDigest } from './digest.ts';
import { Failure } from './failure.ts';
import type { Random } from './random.ts';
import type { SealBox } from './seal-box.ts';

export type KeyFileProblem =
  /** There is no such file. For the instance secret this means: another operating system (protocol §5.2). */
  | 'missing'
  /** Somebody else than the owner may read it, or may replace it. */
  | 'permissions'
  /** It has not the form that was written, or does not open under this instance secret. */
  | 'damaged'
  /** The system refused: disk full, no right to write, and so on; see `cause`. */
  | 'system';

/** What the person can do about it who started the program. */
const nextSteps: Readonly<Record<KeyFileProblem, string>> = {
  missing:
    'Put it back where it was. It is never in a backup: where the operating system was replaced it is gone, ' +
    'and the keys of this data folder cannot be opened any more.',
  permissions: 'Take the rights of the others away, as the message shows, and start again.',
  damaged: 'Put the file back as it was; nothing was changed.',
  system: 'Look at the disk and at the rights of this account, then start again.',
};

/** A key file that cannot be used, in words for the person who has to act on it. */
export class KeyFileError extends Failure {
  override readonly name = 'KeyFileError';
  readonly problem: KeyFileProblem;
  readonly path: string;
  constructor(problem: KeyFileProblem, detail: { path: string; message: string; cause?: unknown }) {
    super(detail.message, {
      code: `key-file-${problem}`,
      next: nextSteps[problem],
      details: { file: detail.path },
      cause: detail.cause,
    });
    this.problem = problem;
    this.path = detail.path;
  }
}

const secretName = 'instance-secret';
const secretBytes = 32;

const sealMark = ascii('CALSEAL1');
const nonceBytes = 12;
const tagBytes = 16;

/** Windows has no owner bits; there the folder's access list is what protects it. */
const hasOwnerBits = process.platform !== 'win32';

function systemErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function systemProblem(path: string, error: unknown): KeyFileError {
  if (systemErrorCode(error) === 'ENOENT') {
    return new KeyFileError('missing', { path, message: `${path} does not exist`, cause: error });
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new KeyFileError('system', { path, message: `${path}: ${detail}`, cause: error });
}

/** Throws where `path` has one of the permission bits in `forbidden`. */
function checkOwnerOnly(path: string, forbidden: number): void {
  if (!hasOwnerBits) return;
  const mode = statSync(path).mode & 0o777;
  if ((mode & forbidden) === 0) return;
  const wanted = (mode & ~forbidden).toString(8).padStart(4, '0');
  throw new KeyFileError('permissions', {
    path,
    message: `others may get at ${path} (mode ${mode.toString(8).padStart(4, '0')}): chmod ${wanted} ${path}`,
  });
}

/**
 * Writes a file that only its owner may read (0600), in a folder that only the owner may enter
 * where it has to be made (0700). Durable on return, and after a crash either the old or the new
 * content is there, never half of it. Throws `KeyFileError` ('system').
 */
export function writeKeyFile(path: string, bytes: Uint8Array): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileAtomic(path, bytes);
  } catch (error) {
    throw systemProblem(path, error);
  }
}

/**
 * Reads a file that `writeKeyFile` wrote. Throws `KeyFileError`: 'missing', 'permissions' (group or
 * others may read it) or 'system'.
 */
export function readKeyFile(path: string): Uint8Array {
  try {
    checkOwnerOnly(path, 0o077);
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw error instanceof KeyFileError ? error : systemProblem(path, error);
  }
}

/**
 * The 32 bytes of the instance secret in `folder`, which must not lie within the data folder. With
 * `create` a missing one is made; the caller then holds the lock of the data folder. Throws
 * `KeyFileError`: 'missing' (without `create`), 'permissions', 'damaged', 'system'.
 */
export function openInstanceSecret(
  folder: string,
  options: { readonly create: boolean; readonly random: Random },
): Uint8Array {
  const path = join(folder, secretName);
  let secret: Uint8Array;
  try {
    secret = readKeyFile(path);
  } catch (error) {
    const missing = error instanceof KeyFileError && error.problem === 'missing';
    if (!missing || !options.create) throw error;
    writeKeyFile(path, options.random.bytes(secretBytes));
    secret = readKeyFile(path);
  }
  // Who may write to the folder may put another secret there; listing it tells nothing.
  checkOwnerOnly(folder, 0o022);
  if (secret.length !== secretBytes) {
    throw new KeyFileError('damaged', {
      path,
      message: `${path} has ${secret.length} bytes, not ${secretBytes}: it is no instance secret`,
    });
  }
  return secret;
}

/**
 * The instance secret of a new server in the same place: the one that is there, or a new one where there is none. One that
 * is none is put beside it, and kept. Throws `KeyFileError`: 'permissions', 'system'.
 */
export function renewInstanceSecret(folder: string, random: Random): Uint8Array {
  try {
    return openInstanceSecret(folder, { create: true, random });
  } catch (error) {
    if (!(error instanceof KeyFileError) || error.problem !== 'damaged') throw error;
    renameSync(error.path, `${error.path}.damaged`);
    return openInstanceSecret(folder, { create: true, random });
  }
}

/** The key that things of one purpose are sealed with. Nothing of the secret or of other purposes can be told from it. */
export function sealingKey(secret: Uint8Array, purpose: string): Uint8Array {
  return nodeDigest.hkdfSha256(secret, concat(sealMark, utf8(purpose)), 32);
}

/**
 * Encrypts `plaintext` for one purpose (AES-256-GCM under HKDF(secret, purpose)), so that what was
 * sealed as one kind of key never opens as another. 36 bytes longer than the plaintext.
 */
export function seal(
  secret: Uint8Array,
  what: { readonly purpose: string; readonly plaintext: Uint8Array; readonly random: Random },
): Uint8Array {
  const nonce = what.random.bytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(secret, what.purpose), nonce);
  cipher.setAAD(sealMark);
  const sealed = concat(cipher.update(what.plaintext), cipher.final());
  return concat(sealMark, nonce, sealed, cipher.getAuthTag());
}

/** The plaintext of `seal`, or undefined: another secret, another purpose, or altered bytes. */
export function unseal(
  secret: Uint8Array,
  what: { readonly purpose: string; readonly sealed: Uint8Array },
): Uint8Array | undefined {
  return unsealWith(sealingKey(secret, what.purpose), what.sealed);
}

/** The same with the key of that purpose alone. */
export function unsealWith(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const textAt = sealMark.length + nonceBytes;
  const tagAt = sealed.length - tagBytes;
  if (tagAt < textAt || !equalBytes(sealed.subarray(0, sealMark.length), sealMark)) return undefined;
  const nonce = sealed.subarray(sealMark.length, textAt);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(sealMark);
  decipher.setAuthTag(sealed.subarray(tagAt));
  try {
    return concat(decipher.update(sealed.subarray(textAt, tagAt)), decipher.final());
  } catch {
    return undefined;
  }
}

/** A box over the instance secret, for small secrets that lie in the database. */
export function instanceSealBox(secret: Uint8Array, random: Random): SealBox {
  return {
    seal: (purpose, plaintext) => seal(secret, { purpose, plaintext, random }),
    unseal: (purpose, sealed) => {
      const plaintext = unseal(secret, { purpose, sealed });
      if (plaintext !== undefined) return plaintext;
      throw new Error(`the sealed ${purpose} does not open: another instance secret, or it was altered`);
    },
  };
}

/** Seals and writes as `writeKeyFile` does. */
export function writeSealedFile(
  path: string,
  what: {
    readonly secret: Uint8Array;
    readonly purpose: string;
    readonly plaintext: Uint8Array;
    readonly random: Random;
  },
): void {
  writeKeyFile(path, seal(what.secret, what));
}

/**
 * The plaintext of a file that `writeSealedFile` wrote. Throws `KeyFileError`; 'damaged' also where
 * the file was sealed under another instance secret, which looks the same.
 */
export function readSealedFile(
  path: string,
  what: { readonly secret: Uint8Array; readonly purpose: string },
): Uint8Array {
  const plaintext = unseal(what.secret, { purpose: what.purpose, sealed: readKeyFile(path) });
  if (plaintext !== undefined) return plaintext;
  throw new KeyFileError('damaged', {
    path,
    message: `${path} does not open: it was sealed under another instance secret, or was altered`,
  });
}
