/**
 * Loaded before a scenario (`--import`), it makes the store wait for less than it does: the check of the
 * images must notice. `CALYX_SYNCHRONOUS` is `normal` or `off`. Throws where the store's text has changed.
 */
import { registerHooks } from 'node:module';

const levels: Readonly<Record<string, number>> = { off: 0, normal: 1 };
const level = process.env['CALYX_SYNCHRONOUS'] ?? '';
const changes: readonly (readonly [string, string])[] = [
  ['pragma synchronous = full', `pragma synchronous = ${level}`],
  ["['synchronous', 2]", `['synchronous', ${levels[level]}]`],
];

registerHooks({
  load: (url, context, next) => {
    const loaded = next(url, context);
    if (!url.endsWith('/src/store/sqlite-open.ts')) return loaded;
    let source = Buffer.from(loaded.source as Uint8Array).toString();
    for (const [before, after] of changes) {
      if (!source.includes(before)) throw new Error(`sqlite-open.ts says no longer: ${before}`);
      source = source.replace(before, after);
    }
    return { ...loaded, source };
  },
});
