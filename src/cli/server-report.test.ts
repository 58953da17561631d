import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { csvCell } from './server-report.ts';

describe('csvCell', () => {
  it('leaves plain values as they are', () => {
    assert.equal(csvCell('PC-1'), 'PC-1');
    assert.equal(csvCell(-5), '-5');
  });

  it('quotes what would break the line', () => {
    assert.equal(csvCell('a,b'), '"a,b"');
    assert.equal(csvCell('say "hi"'), '"say ""hi"""');
    assert.equal(csvCell('one\ntwo'), 'one two');
    assert.equal(csvCell(' edge'), '" edge"');
  });

  it('disarms what a spreadsheet would take for a formula, and controls of the terminal', () => {
    for (const holder of ['=cmd()', '+1', '-1', '@SUM(A1)', '\t=1', '|x', '%x', '＝1'.replace('＝', '=')]) {
      assert.match(csvCell(holder), /^"?'/, holder);
    }
    assert.equal(csvCell('\u001b[31mred'), '?[31mred');
  });
});
