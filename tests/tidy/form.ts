/** The form of a module: its name, its first lines, what it exports and how. */
import type { Rule, SourceFile } from './source.ts';
import { findingAt, findNodes, isCode, parse, ruleForEach } from './source.ts';

const isOurs = (path: string): boolean => /^(?:src|tests|bench|scripts|sdk|console|docs)\//.test(path);
const isOurCode = (path: string): boolean => isCode(path) && isOurs(path);

/** Names that say nothing: what is in such a file belongs to some subject. */
const emptyNames = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'manager', 'managers']);
/** The console has this name in the administrators' world. */
const properNames = new Set(['license-manager']);

export const telltaleNames: Rule = ruleForEach(
  'telltale-names',
  // The first word of a migration is not its subject: it says whose database the migration is for.
  (path) => isOurs(path) && !path.endsWith('.sql'),
  ({ path }) => {
    const words = path.split('/').flatMap((part) => (properNames.has(part) ? [] : part.split(/[-.]/)));
    const found = words.find((word) => emptyNames.has(word));
    return found === undefined ? [] : [{ path, line: 1, message: `"${found}" names no subject` }];
  },
);

const kebab = /^(?:[a-z0-9]+(?:-[a-z0-9]+)*|README)$/;

export const kebabCase: Rule = ruleForEach('kebab-case', isOurs, ({ path }) => {
  const folders = path.split('/');
  const name = folders.pop()?.split('.')[0] ?? '';
  return [...folders, name].every((part) => kebab.test(part))
    ? []
    : [{ path, line: 1, message: 'names of files and folders are kebab-case' }];
});

/** What stands before the first statement must be words, not an instruction to a tool. */
function opensWithComment({ text }: SourceFile): boolean {
  const start = text.replace(/^#!.*\n/, '');
  return /^\/[/*]/.test(start) && !/^\/[/*]\s*(?:biome-|@ts-|eslint|c8|v8)/.test(start);
}

/** A unit test's duty is written in the file beside it. */
const isUnitTest = (path: string): boolean => path.startsWith('src/') && path.endsWith('.test.ts');

export const openingComment: Rule = ruleForEach(
  'opening-comment',
  (path) => isOurCode(path) && !isUnitTest(path),
  (file) =>
    opensWithComment(file)
      ? []
      : [{ path: file.path, line: 1, message: 'a file opens with a comment: its duty and its limits' }],
);

export const noDefaultExport: Rule = ruleForEach('no-default-export', isOurCode, (file) =>
  parse(file).module.staticExports.flatMap(({ entries }) =>
    entries
      .filter(({ exportName }) => exportName.name === 'default' || exportName.kind === 'Default')
      .map(({ start }) => findingAt(file, start, 'an export has a name')),
  ),
);

const maySumUp = (path: string): boolean => path === 'sdk/src/index.ts';

export const noBarrel: Rule = ruleForEach(
  'no-barrel',
  (path) => isOurCode(path) && !maySumUp(path),
  (file) => {
    if (/(?:^|\/)index\.[a-z]+$/.test(file.path)) {
      return [{ path: file.path, line: 1, message: 'no index: import a thing from where it is' }];
    }
    return findNodes(file, (node) => {
      const passesOn =
        node.type === 'ExportAllDeclaration' ||
        (node.type === 'ExportNamedDeclaration' && node.source !== null);
      return passesOn ? 'nothing is passed on: import it from where it is' : undefined;
    });
  },
);

export const noDecorator: Rule = ruleForEach('no-decorator', isOurCode, (file) =>
  findNodes(file, (node) => (node.type === 'Decorator' ? 'no decorators' : undefined)),
);
