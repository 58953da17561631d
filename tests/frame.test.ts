/** The scripts that stand before the program: what counts as installed, and what `npm test` accepts. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isComplete } from '../scripts/ensure-installed.mjs';
import { isNodeNewEnough } from '../src/bin/node-version.mjs';

const root = join(import.meta.dirname, '..');

describe('what is installed', () => {
  const a = { version: '1.0.0', integrity: 'sha512-a' };
  const wanted = {
    '': { version: '0.1.0' },
    'node_modules/a': a,
    'node_modules/tool': { version: '2.0.0', integrity: 'sha512-t', dev: true },
    'node_modules/elsewhere': { version: '3.0.0', integrity: 'sha512-e', optional: true },
  };
  const tool = { version: '2.0.0', integrity: 'sha512-t', dev: true };
  const complete = { 'node_modules/a': a, 'node_modules/tool': tool };

  it('is complete without what is for another platform', () => {
    assert.equal(isComplete(wanted, complete, true), true);
  });

  it('is complete without tools where only the program is to run', () => {
    assert.equal(isComplete(wanted, { 'node_modules/a': a }, false), true);
    assert.equal(isComplete(wanted, { 'node_modules/a': a }, true), false);
  });

  it('is not complete where anything is missing or differs', () => {
    for (const found of [
      {},
      { 'node_modules/a': { ...a, version: '1.0.1' } },
      { 'node_modules/a': { ...a, integrity: 'sha512-b' } },
      { ...complete, 'node_modules/tool': { ...tool, version: '2.0.1' } },
      { ...complete, 'node_modules/elsewhere': { version: '2.9.0', integrity: 'sha512-e' } },
    ]) {
      assert.equal(isComplete(wanted, found, false), false, JSON.stringify(found));
    }
  });

  it('is nothing where an installation was cut short, because npm writes its list last', () => {
    assert.equal(isComplete(wanted, undefined, false), false);
  });
});

describe('the version of Node', () => {
  it('is compared as a number', () => {
    assert.equal(isNodeNewEnough('24.0.0'), true);
    assert.equal(isNodeNewEnough('100.1.0'), true);
    assert.equal(isNodeNewEnough('23.99.0'), false);
    assert.equal(isNodeNewEnough('9.0.0'), false);
  });
});

describe('npm test', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'calyx-frame-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the step `tests` on a file with this text, as CI does or as a developer does. */
  function runOn(text: string, ci: string): { readonly status: number | null; readonly out: string } {
    const file = join(folder, 'sample.test.ts');
    writeFileSync(file, `import { it } from 'node:test';\n${text}\n`);
    const env: NodeJS.ProcessEnv = { ...process.env, CI: ci };
    // The test runner sets this for its children, and does not run within itself.
    delete env['NODE_TEST_CONTEXT'];
    const args = [join(root, 'scripts/check.ts'), 'tests', file];
    const { status, stdout } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
    return { status, out: stdout };
  }

  it('ends with the counts of the test runner', () => {
    const { status, out } = runOn("it('holds', () => {});", '1');
    assert.equal(status, 0, out);
    assert.match(out, /all is well\n✔ tests .*\nℹ tests 1\n(?:ℹ .*\n)*ℹ pass 1\nℹ fail 0\n(?:ℹ .*\n)*$/);
  });

  it('fails where a test fails', () => {
    const { status, out } = runOn("it('breaks', () => { throw new Error('no'); });", '');
    assert.equal(status, 1);
    assert.match(out, /ℹ fail 1\n/);
  });

  it('fails in CI, and only there, where a test is skipped or postponed', () => {
    for (const word of ['skip', 'todo']) {
      const text = `it.${word}('waits', () => {});`;
      assert.equal(runOn(text, '').status, 0);
      const { status, out } = runOn(text, 'true');
      assert.equal(status, 1);
      assert.match(out, /✖ (?:skipped|todo) tests are not accepted here/);
    }
  });

  it('fails where no test was run', () => {
    const args = [join(root, 'scripts/check.ts'), 'tests', join(folder, 'nothing-*.test.ts')];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.equal(status, 1, stdout);
  });
});
