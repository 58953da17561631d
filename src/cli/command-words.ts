/** Commands as they are shown, to be copied into a shell: words that need quotes get them. */
import type { GlobalSettings } from './main.ts';

const safe = /^[A-Za-z0-9_@%+=:,./\\-]+$/;

/** One word for a POSIX shell or, without a quote in it, for Windows' as well. */
function quoted(word: string): string {
  if (safe.test(word)) return word;
  return word.includes('"') || word.includes('$') || word.includes('`')
    ? `'${word.replaceAll("'", "'\\''")}'`
    : `"${word}"`;
}

/** A command line from its words: `calyx desk activate --data "my folder"`. */
export function commandLine(...words: readonly (string | number)[]): string {
  return words.map((word) => quoted(String(word))).join(' ');
}

/** A command of the program that the present one was about: with its `--data` or `--url`. */
export function nextCommand(settings: GlobalSettings, ...words: readonly (string | number)[]): string {
  const { data, url } = settings;
  if (data !== undefined) return commandLine('calyx', ...words, '--data', data);
  return url === undefined ? commandLine('calyx', ...words) : commandLine('calyx', ...words, '--url', url);
}
