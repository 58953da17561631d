/**
 * The log: JSON lines (pino) on stderr or in a file. Secrets and codes are masked in the finished
 * line, wherever in it they stand (protocol §7.4): an error's message may quote what was typed.
 */
import type { Logger } from 'pino';
import { pino } from 'pino';

export interface LogOptions {
  /** `silent` writes nothing; `debug` adds a line for each refused request. */
  readonly level: 'silent' | 'error' | 'warn' | 'info' | 'debug';
  /** A file to append to; stderr unless told. */
  readonly file?: string;
}

/** Administrator's tokens, and PASETO tokens: only what they are is left. */
const tokens = /\b(cal_|v4\.(?:public|local)\.)[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)?/g;
/** Codes of 35 characters but License Server IDs, which begin with 2 or 3 and are no secret. */
const codes =
  /\b([014-9A-HJKMNP-TV-Z][0-9A-HJKMNP-TV-Z]{4})([- ]?)[0-9A-HJKMNP-TV-Z]{5}(?:\2[0-9A-HJKMNP-TV-Z]{5}){5,}\b/gi;
/** The 54-digit form. */
const digits = /\b(\d{6})(?:[- ]?\d{6}){8}\b/g;

/** Masks tokens wholly, codes behind their first group. */
export function maskSecrets(line: string): string {
  return line.replace(tokens, '$1…').replace(digits, '$1-…').replace(codes, '$1-…');
}

/** A log that writes at once: what a dying process said last must not be lost. */
export function createLog(options: LogOptions): Logger {
  const destination = pino.destination({ dest: options.file ?? 2, sync: true, mkdir: false });
  return pino(
    {
      level: options.level,
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: { streamWrite: maskSecrets },
    },
    destination,
  );
}
