/**
 * What the rules look at: the files of a tree with their text, and the syntax of those that are
 * code. Rules are pure functions from files to findings; only `readTree` touches the disk.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Node, ParseResult } from 'oxc-parser';
import { parseSync, visitorKeys } from 'oxc-parser';

export interface SourceFile {
  /** From the top of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  readonly path: string;
  /** 1 is the first. */
  readonly line: number;
  readonly message: string;
}

export interface Rule {
  readonly name: string;
  readonly check: (files: readonly SourceFile[]) => readonly Finding[];
}

/** A rule that judges each file by itself, and only those that `applies` picks. */
export function ruleForEach(
  name: string,
  applies: (path: string) => boolean,
  check: (file: SourceFile) => readonly Finding[],
): Rule {
  return { name, check: (files) => files.filter(({ path }) => applies(path)).flatMap(check) };
}

export const isCode = (path: string): boolean => /\.(?:[cm]?[jt]s|tsx)$/.test(path);

export const isTest = (path: string): boolean => path.startsWith('tests/') || path.endsWith('.test.ts');

/** The line of an offset; 1 is the first. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

export function findingAt(file: SourceFile, offset: number, message: string): Finding {
  return { path: file.path, line: lineAt(file.text, offset), message };
}

/** One finding for each match of a pattern with the g flag; `word` stands for what was found. */
export function findPattern(
  file: SourceFile,
  pattern: RegExp,
  message: (word: string) => string,
): readonly Finding[] {
  return [...file.text.matchAll(pattern)].map((match) => findingAt(file, match.index, message(match[0])));
}

const parsed = new WeakMap<SourceFile, ParseResult>();

/** The syntax of a file of code; throws where it has an error. */
export function parse(file: SourceFile): ParseResult {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const result = parseSync(file.path, file.text);
  const error = result.errors[0];
  if (error !== undefined) throw new Error(`${file.path}: ${error.message}`);
  parsed.set(file, result);
  return result;
}

/** Calls `enter` for each node below `node` and for itself, outermost first, with the way to it. */
export function walk(
  node: Node,
  enter: (node: Node, parents: readonly Node[]) => void,
  parents: readonly Node[] = [],
): void {
  enter(node, parents);
  const fields = node as unknown as Readonly<Record<string, unknown>>;
  const way = [...parents, node];
  for (const key of visitorKeys[node.type] ?? []) {
    const child = fields[key];
    for (const each of Array.isArray(child) ? child : [child]) {
      if (each !== null && typeof each === 'object') walk(each as Node, enter, way);
    }
  }
}

/** One finding for each node of a file for which `judge` has something to say. */
export function findNodes(
  file: SourceFile,
  judge: (node: Node, parents: readonly Node[]) => string | undefined,
): readonly Finding[] {
  // By place, because some nodes stand twice in the tree: `{ a }` is a key and a value.
  const found = new Map<number, string>();
  walk(parse(file).program, (node, parents) => {
    const message = judge(node, parents);
    if (message !== undefined) found.set(node.start, message);
  });
  return [...found].map(([offset, message]) => findingAt(file, offset, message));
}

/** The text files below a folder, by path; `skip` names files and folders to leave out. */
export function readTree(root: string, skip: (path: string) => boolean = () => false): readonly SourceFile[] {
  const files: SourceFile[] = [];
  const enter = (folder: string): void => {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${folder}${entry.name}`;
      if (skip(path)) continue;
      if (entry.isDirectory()) enter(`${path}/`);
      else if (entry.isFile()) {
        const text = readFileSync(join(root, path), 'utf8');
        if (!text.includes('\0')) files.push({ path, text });
      }
    }
  };
  enter('');
  return files;
}

/** Which paths a .gitignore leaves out. It knows the forms that ours uses: `name/`, `/name/`, `name`, `*.end`. */
export function ignoredBy(gitignore: string): (path: string) => boolean {
  const patterns = gitignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return (path) =>
    patterns.some((pattern) => {
      const bare = pattern.replace(/\/$/, '');
      if (bare.startsWith('/')) return path === bare.slice(1);
      const name = path.slice(path.lastIndexOf('/') + 1);
      return bare.startsWith('*') ? name.endsWith(bare.slice(1)) : name === bare;
    });
}
