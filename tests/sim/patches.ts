/**
 * Changes to the sources as they are loaded, in this process and no other: what makes a simulation
 * affordable, and the rules that a mutant leaves out. A text that is not found fails loudly, so that
 * no mutant can rot into doing nothing. Imports nothing of `src`, which must not be loaded before.
 */
import { registerHooks } from 'node:module';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Patch {
  /** The file, from `src/` on. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** A function of `core` that is to compute each answer once (remembered.ts). */
function remembering(file: string, name: string): Patch {
  const from = new URL('remembered.ts', import.meta.url);
  const kept = `import { remembered } from '${from}';\nexport const ${name} = remembered(compute_${name});\n`;
  return { file, find: `export function ${name}(`, replace: `${kept}function compute_${name}(` };
}

/**
 * A chain of 65,535 positions takes 20 ms to walk, and each grant walks two. Short ones cost nothing, and
 * run out now and then, which brings the renewal of certificates into the runs. A trust list
 * ends after 400 days (protocol §4.5); nobody signs the next one in a run, which may well go on for years. A code that fits no state is
 * most of what a search costs: a thousand tags are all that a server with one choice of positions asks for.
 */
export const affordable: readonly Patch[] = [
  { file: 'core/chain.ts', find: '? 360 : 65_535', replace: '? 360 : 255' },
  { file: 'core/confirmation.ts', find: 'matchLimit = 200_000;', replace: 'matchLimit = 1000;' },
  {
    file: 'protocol/trust-lists.ts',
    find: 'export const trustListDays = 400;',
    replace: 'export const trustListDays = 20_000;',
  },
  remembering('core/chain.ts', 'chainValue'),
  remembering('core/confirmation.ts', 'matchConfirmation'),
];

const sources = `${sep}src${sep}`;

function patched(text: string, { file, find, replace }: Patch): string {
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`src/${file}: found ${parts.length - 1} times, not once: ${find}`);
  return parts.join(replace);
}

/** From here on modules of `src` are loaded with these changes. To be called before any of them is. */
export function patchSources(patches: readonly Patch[]): void {
  const byFile = Map.groupBy(patches, ({ file }) => file.split('/').join(sep));
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      if (!url.startsWith('file:')) return loaded;
      const path = fileURLToPath(url);
      const file = path.slice(path.lastIndexOf(sources) + sources.length);
      const changes = path.includes(sources) ? byFile.get(file) : undefined;
      if (changes === undefined) return loaded;
      const text = Buffer.from(loaded.source as Uint8Array).toString('utf8');
      return { ...loaded, source: changes.reduce(patched, text) };
    },
  });
}
