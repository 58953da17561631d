/**
 * Calendar arithmetic on milliseconds since 1970-01-01 UTC, without a clock and without `Date`.
 * Months are counted from year 0 (`year * 12 + month - 1`), so that "base month + e" is an addition.
 */

export const secondMs = 1000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/** Days since 1970-01-01 of a civil date (proleptic Gregorian, eras of 400 years). */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

function civilOf(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719468;
  const era = Math.floor(shifted / 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

const two = (value: number): string => (value < 10 ? `0${value}` : String(value));

/** `2026-11-24T15:04:05Z`: whole seconds, the form used in tokens, files and answers. */
export function isoTime(ms: number): string {
  const days = Math.floor(ms / dayMs);
  const seconds = Math.floor((ms - days * dayMs) / secondMs);
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${isoDate(ms)}T${clock}Z`;
}

/** `2026-11-24`, the UTC day. */
export function isoDate(ms: number): string {
  const { year, month, day } = civilOf(Math.floor(ms / dayMs));
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
}

const isoPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{3})?Z$/;

/** The number that the digits from `from` up to, not including, `to` make. */
function digitsOf(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 10 + text.charCodeAt(at) - 48;
  return value;
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
}

/**
 * Milliseconds of an `isoTime` text, or undefined where it is none (also for 30 February). The digits are read
 * in their places: a pattern that hands them out took five times as long, and a long move has 60,000 of them.
 */
export function msOfIso(text: string): number | undefined {
  if (!isoPattern.test(text)) return undefined;
  const year = digitsOf(text, 0, 4);
  const month = digitsOf(text, 5, 7);
  const day = digitsOf(text, 8, 10);
  const hour = digitsOf(text, 11, 13);
  const minute = digitsOf(text, 14, 16);
  const second = digitsOf(text, 17, 19);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const thousandths = text.length > 20 ? digitsOf(text, 20, 23) : 0;
  return (
    daysOf(year, month, day) * dayMs + hour * hourMs + minute * minuteMs + second * secondMs + thousandths
  );
}

/** The month that `ms` falls in, as `year * 12 + month - 1`. */
export function monthOf(ms: number): number {
  const { year, month } = civilOf(Math.floor(ms / dayMs));
  return year * 12 + month - 1;
}

/** The last millisecond of a month, so that "until the end of the month" compares with `<=`. */
export function endOfMonthMs(month: number): number {
  const next = month + 1;
  return daysOf(Math.floor(next / 12), (next % 12) + 1, 1) * dayMs - 1;
}
