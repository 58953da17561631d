/**
 * The source itself, held against the rules of STYLE.md. Each rule has fixtures: a tree that passes
 * and one that fails, with every finding that it must give in `expected.txt`. Fixture files end in
 * `.txt`, so that no tool takes them for ours.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  kebabCase,
  noBarrel,
  noDecorator,
  noDefaultExport,
  openingComment,
  telltaleNames,
} from './tidy/form.ts';
import { completeLock, exactVersions } from './tidy/frame.ts';
import { bannedGlobals, pureCore } from './tidy/globals.ts';
import { importDirection, importEndings } from './tidy/imports.ts';
import { fileSize, functionSize, parameterCount } from './tidy/sizes.ts';
import type { Finding, Rule, SourceFile } from './tidy/source.ts';
import { ignoredBy, readTree } from './tidy/source.ts';
import { americanSpelling, oneHeading, openEnds, privateNames } from './tidy/text.ts';

const rules: readonly Rule[] = [
  importDirection,
  importEndings,
  bannedGlobals,
  pureCore,
  fileSize,
  functionSize,
  parameterCount,
  telltaleNames,
  kebabCase,
  openingComment,
  noDefaultExport,
  noBarrel,
  noDecorator,
  openEnds,
  privateNames,
  americanSpelling,
  oneHeading,
  exactVersions,
  completeLock,
];

const root = join(import.meta.dirname, '..');
const fixtures = 'tests/tidy/fixtures';

/** Words that stand nowhere in the repository, not even in a fixture. */
const hidden: Readonly<Record<string, string>> = {
  '{workplace}': ['', 'work', ''].join('/'),
  '{registry}': ['registry', 'npmjs', 'org'].join('.'),
  '{british}': ['licen', 'e'].join('c'),
};

const reveal = (text: string): string => text.replaceAll(/\{\w+\}/g, (word) => hidden[word] ?? word);

function readFixture(rule: Rule, kind: 'fails' | 'passes'): readonly SourceFile[] {
  return readTree(join(root, fixtures, rule.name, kind)).map(({ path, text }) => ({
    path: path.replace(/\.txt$/, ''),
    text: reveal(text),
  }));
}

function byPlace(a: Finding, b: Finding): number {
  if (a.path === b.path) return a.line - b.line;
  return a.path < b.path ? -1 : 1;
}

/** One line for each finding, by place. */
function listed(findings: readonly Finding[]): string {
  return findings
    .toSorted(byPlace)
    .map(({ path, line, message }) => `${path}:${line} ${message}\n`)
    .join('');
}

describe('the rules can tell good from bad', () => {
  for (const rule of rules) {
    it(`${rule.name} finds what is wrong in its failing fixture`, () => {
      const expected = readFileSync(join(root, fixtures, rule.name, 'expected.txt'), 'utf8');
      assert.notEqual(expected, '');
      assert.equal(listed(rule.check(readFixture(rule, 'fails'))), reveal(expected));
    });

    it(`${rule.name} finds nothing in its passing fixture`, () => {
      const files = readFixture(rule, 'passes');
      assert.notEqual(files.length, 0);
      assert.equal(listed(rule.check(files)), '');
    });
  }
});

describe('the source', () => {
  const ignored = ignoredBy(readFileSync(join(root, '.gitignore'), 'utf8'));
  const files = readTree(root, (path) => path === '.git' || path === fixtures || ignored(path));

  it('is all there to be looked at', () => {
    const paths = new Set(files.map(({ path }) => path));
    for (const path of ['package.json', '.ci/run', 'src/core/ledger.ts', 'tests/tidy.test.ts']) {
      assert.ok(paths.has(path), path);
    }
  });

  for (const rule of rules) {
    it(`keeps ${rule.name}`, () => {
      assert.equal(listed(rule.check(files)), '');
    });
  }
});
