/** Tests of spelling.ts: the words, the lines to read, and what is taken for what. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { alphabet } from './code-repair.ts';
import { confusionClass, confusionRank, readAloud, spellGroups, spellingWord } from './spelling.ts';

describe('spelling words', () => {
  it('has a word of its own for every character of both forms', () => {
    const words = [...alphabet].map(spellingWord);
    assert.equal(new Set(words).size, 32);
    for (const [at, word] of words.entries()) {
      assert.match(word, at < 10 ? /^[a-z]{3,5}$/ : new RegExp(`^${alphabet.charAt(at)}[a-z-]+$`));
    }
  });

  it('takes small letters, and leaves what it has no word for', () => {
    assert.equal(spellingWord('z'), 'Zulu');
    assert.equal(spellingWord('ß'), 'ß');
    assert.equal(spellingWord('constructor'), 'constructor');
  });

  it('spells the words of each group, whether or not the groups are separated', () => {
    const separated = spellGroups('66F61-8MTTS-THV6A-14WX2-FYQPF-P3W8C-CVT15');
    assert.deepEqual(separated[0], ['six', 'six', 'Foxtrot', 'six', 'one']);
    assert.equal(separated.length, 7);
    assert.deepEqual(spellGroups('66F618MTTSTHV6A14WX2FYQPFP3W8CCVT15'), separated);
    assert.deepEqual(spellGroups('66F61 8MTTS THV6A 14WX2 FYQPF P3W8C CVT15'), separated);
    const digits = spellGroups('138317-679936-674315-295473-701033-361366-794422-736543-260542');
    assert.equal(digits.length, 9);
    assert.deepEqual(digits[8], ['two', 'six', 'zero', 'five', 'four', 'two']);
    assert.deepEqual(spellGroups(''), []);
    assert.deepEqual(spellGroups('A-3'), [['Alfa'], ['three']]);
  });

  it('makes a line for each group to read out', () => {
    assert.deepEqual(readAloud('66F61-zx'), [
      '6 – six, 6 – six, F – Foxtrot, 6 – six, 1 – one',
      'Z – Zulu, X – X-ray',
    ]);
  });
});

describe('what is taken for what', () => {
  it('has the measured classes of letters, and each character in one class at most', () => {
    for (const letters of ['AHJK', 'BCDEGPTVZ', 'FSX', 'IY', 'MN']) {
      for (const one of letters) {
        for (const other of letters) assert.ok(confusionClass(one).includes(other), one + other);
      }
    }
    for (const one of alphabet) {
      for (const other of confusionClass(one)) assert.equal(confusionClass(other), confusionClass(one));
    }
    assert.equal(confusionClass('R'), '');
  });

  it('ranks sounds before looks before all others, in either direction', () => {
    assert.equal(confusionRank('M', 'N'), 0);
    assert.equal(confusionRank('5', '9'), 0);
    assert.equal(confusionRank('S', '5'), 1);
    assert.equal(confusionRank('0', 'D'), 1);
    assert.equal(confusionRank('R', '4'), 2);
    for (const one of alphabet) {
      for (const other of alphabet) assert.equal(confusionRank(one, other), confusionRank(other, one));
    }
  });
});
