/** Reads numbers from the command line; anything else is wrong usage (exit 2) before a program is asked. */
import { InvalidArgumentError } from 'commander';

function wholeNumber(text: string, low: number, high: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= low && value <= high) return value;
  throw new InvalidArgumentError(`It must be a whole number from ${low} to ${high}.`);
}

/** A number of CALs: `25`. What a license server or an agreement holds is checked where it is known. */
export function quantity(text: string): number {
  return wholeNumber(text, 1, 1_000_000_000);
}

/** A number of CALs, or `all` of them. */
export function quantityOrAll(text: string): number | 'all' {
  return text === 'all' ? 'all' : quantity(text);
}

/** A part of something, in percent. */
export function percent(text: string): number {
  return wholeNumber(text, 0, 100);
}

/** How long to wait, in seconds: up to a day. */
export function waitSeconds(text: string): number {
  return wholeNumber(text, 0, 86_400);
}

/** The address of a program: scheme, host and port, nothing behind them. */
export function programAddress(text: string): string {
  const bare = text.replace(/\/$/, '');
  if (/^https?:\/\/[^\s/?#@]+$/.test(bare) && URL.canParse(bare)) return bare;
  throw new InvalidArgumentError('It must look like https://host:7400');
}

/** A TCP port to listen on; 0 takes a free one. */
export function port(text: string): number {
  return wholeNumber(text, 0, 65_535);
}
