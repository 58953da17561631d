/**
 * Secrets come from a file or the environment, never only from an argument: arguments are visible to
 * every account of the machine and stay in the shell's history.
 */
import { readFileSync } from 'node:fs';
import { Failure, systemCode } from '../platform/failure.ts';

export interface SecretSource {
  /** What it is, for messages: `administrator's token`. */
  readonly what: string;
  /** A file named by an option; it comes before the environment. */
  readonly file?: string | undefined;
  /** The environment variable that holds it; with `_FILE` behind its name, the one that names a file. */
  readonly variable: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

function readSecretFile(path: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(`The file ${path} with the ${what} cannot be read (${systemCode(error) ?? 'error'}).`, {
      code: 'secret-unreadable',
      next: 'Name a file that this account may read.',
      details: { file: path },
      cause: error,
    });
  }
  const secret = text.trim();
  if (secret !== '') return secret;
  throw new Failure(`The file ${path} holds no ${what}.`, {
    code: 'secret-empty',
    next: 'Name the file that holds it.',
    details: { file: path },
  });
}

/** The secret, or undefined where it was given in no way. */
export function readSecret(source: SecretSource): string | undefined {
  if (source.file !== undefined) return readSecretFile(source.file, source.what);
  const value = source.env[source.variable];
  if (value !== undefined && value !== '') return value;
  const file = source.env[`${source.variable}_FILE`];
  return file === undefined || file === '' ? undefined : readSecretFile(file, source.what);
}
