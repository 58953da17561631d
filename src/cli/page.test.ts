import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { spellGroups } from '../core/spelling.ts';
import type { Style } from './page.ts';
import { codeLines, keyValueLines, Page, plain, tableLines, wrap } from './page.ts';

const style: Style = { width: 80, color: false };
const narrow: Style = { width: 40, color: false };

/** The key pack code of protocol §3.4 and its digits. */
const code = '66F61-8MTTS-THV6A-14WX2-FYQPF-P3W8C-CVT15';
const digits = '138317-679936-674315-295473-701033-361366-794422-736543-260542';

describe('a code to be read out', () => {
  const lines = codeLines({ code, digits, spelled: spellGroups(code) }, style);

  it('stands there whole, then group by group with the words, then in digits', () => {
    assert.deepEqual(lines.slice(0, 4), [
      `  ${code}`,
      '',
      '  1  66F61   6 – six, 6 – six, F – Foxtrot, 6 – six, 1 – one',
      '  2  8MTTS   8 – eight, M – Mike, T – Tango, T – Tango, S – Sierra',
    ]);
    assert.equal(lines[8], '  7  CVT15   C – Charlie, V – Victor, T – Tango, 1 – one, 5 – five');
    assert.equal(
      lines
        .slice(10)
        .map((line) => line.trim())
        .join(' '),
      `In digits: ${digits.replaceAll('-', ' ')}`,
    );
  });

  it('fits into 80 columns', () => {
    for (const line of lines) assert.ok(line.length <= 80, line);
    assert.equal(lines.filter((line) => /^ {2}\d /.test(line)).length, 7);
  });

  it('does without the digits where there are none', () => {
    assert.equal(codeLines({ code, spelled: spellGroups(code) }, style).length, 9);
  });
});

describe('tables', () => {
  const columns = [{ title: 'Product' }, { title: 'Issued', align: 'right' }, { title: 'Note' }] as const;

  it('are aligned by the longest entry, numbers at the right', () => {
    assert.deepEqual(
      tableLines(
        columns,
        [
          ['ts-2012r2', 5, null],
          ['ts', 1200, 'temporary'],
        ],
        style,
      ),
      ['Product    Issued  Note', 'ts-2012r2       5  –', 'ts           1200  temporary'],
    );
  });

  it('become blocks where they would be wider than the terminal', () => {
    const long = 'A host name that is rather long for a table';
    const lines = tableLines(
      columns,
      [
        [long, 1, 'x'],
        ['b', 2, 'y'],
      ],
      narrow,
    );
    assert.equal(lines[0], 'Product: A host name that is rather long');
    assert.equal(lines[1], '         for a table');
    assert.ok(lines.includes('Issued:  2'));
    assert.ok(lines.every((line) => line.length <= 41));
  });

  it('say so where there is nothing', () => {
    assert.equal(new Page(style).table(columns, [], 'No key packs yet.').toString(), 'No key packs yet.\n');
  });
});

describe('lists and paragraphs', () => {
  it('align values and wrap them under themselves', () => {
    const lines = keyValueLines(
      [
        ['Name', 'LS-OLD'],
        ['Activated', true],
        ['Horizon', null],
        ['Note', 'one two three four five six seven'],
      ],
      narrow,
    );
    assert.deepEqual(lines.slice(0, 3), ['Name:      LS-OLD', 'Activated: yes', 'Horizon:   –']);
    assert.equal(lines[4], '           seven');
  });

  it('break at spaces and keep long words whole', () => {
    assert.deepEqual(wrap('aa bb cc', 5), ['aa bb', 'cc']);
    assert.deepEqual(wrap('a very-long-word b', 6), ['a', 'very-long-word', 'b']);
    assert.deepEqual(wrap('one\n\ntwo', 10), ['one', '', 'two']);
  });

  it('separate their parts by empty lines, and end with the next step', () => {
    const page = new Page(narrow)
      .title('Activated')
      .keyValues([['Name', 'x']])
      .next('Install the key pack that the representative reads to you.');
    assert.equal(
      page.toString(),
      'Activated\n\nName: x\n\nNext: Install the key pack that the\n      representative reads to you.\n',
    );
  });
});

describe('text from elsewhere', () => {
  it('cannot drive the terminal', () => {
    assert.equal(plain('a\u001b[2Jb\u009b1mc\rd'), 'a?[2Jb?1mc?d');
    const page = new Page(style)
      .title('\u001b[1m')
      .text('\u001b[31mred')
      .keyValues([['a', '\u001b[31m']])
      .table([{ title: 'Name' }], [['\u001b]0;x\u0007']])
      .verbatim('\u001b[0m')
      .next('\u001b[0m')
      .toString();
    assert.ok(!page.includes('\u001b') && !page.includes('\u0007'));
  });

  it('is bold only where colors are wanted', () => {
    assert.equal(new Page({ width: 80, color: true }).title('x').toString(), '\u001b[1mx\u001b[0m\n');
  });
});

describe('entries and raw lines', () => {
  it('stand heads beside their texts, which are wrapped under themselves', () => {
    const page = new Page({ width: 40, color: false });
    page.entries([
      ['4', 'The license server is activated for agreement 4965437.'],
      ['5000', 'Key pack installed.'],
    ]);
    assert.equal(
      page.toString(),
      '4     The license server is activated\n      for agreement 4965437.\n5000  Key pack installed.\n',
    );
  });

  it('leave raw lines as they are, however wide', () => {
    const line = 'a,b,c '.repeat(20);
    assert.equal(new Page({ width: 40, color: false }).raw([line]).toString(), `${line}\n`);
  });
});
