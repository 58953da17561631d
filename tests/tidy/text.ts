/** What may not stand in any file, whatever its kind. */
import type { Finding, Rule, SourceFile } from './source.ts';
import { findPattern, ruleForEach } from './source.ts';

const everywhere = (): boolean => true;

// The bracketed letters keep these patterns from finding themselves.
const openEnd = /\b(?:TOD[O]|FIXM[E]|XX[X])\b(?!\(#\d+\))/g;
const workplace = /(?<![\w.@-])\/wor[k]\//g;
const registryHost =
  /\bregistry\.(?:np[m]js|npmmirro[r]|yarnpk[g])\.\w+|\bnpm\.pk[g]\.github\.com|"resolve[d]": "http/g;
const british = /\b[Ll]icenc[e]/g;

export const openEnds: Rule = ruleForEach('open-ends', everywhere, (file) =>
  findPattern(file, openEnd, (word) => `${word} carries the number of an issue, as ${word}(#12)`),
);

export const privateNames: Rule = ruleForEach('private-names', everywhere, (file) => [
  ...findPattern(file, workplace, () => 'a path of one machine'),
  ...findPattern(file, registryHost, () => 'the address of a package registry'),
]);

export const americanSpelling: Rule = ruleForEach('american-spelling', everywhere, (file) =>
  findPattern(file, british, (word) => `"${word}" is spelled with s`),
);

/** The line numbers of the first-level headings, outside of code. */
function headings({ text }: SourceFile): readonly number[] {
  const found: number[] = [];
  let fence: string | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence) && line.trim() === mark) fence = undefined;
    } else if (mark !== undefined) fence = mark;
    else if (/^ {0,3}#\s/.test(line) || /^=+\s*$/.test(line)) found.push(index + 1);
  }
  return found;
}

export const oneHeading: Rule = ruleForEach(
  'one-heading',
  (path) => path.endsWith('.md'),
  (file): readonly Finding[] => {
    const lines = headings(file);
    return lines.length === 1
      ? []
      : [
          {
            path: file.path,
            line: lines[1] ?? 1,
            message: `${lines.length} first-level headings: exactly one`,
          },
        ];
  },
);
