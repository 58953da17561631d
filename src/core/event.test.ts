import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventFields, eventLevel, eventNumbers, renderEvent } from './event.ts';

describe('the catalogue', () => {
  it('has the numbers of the model system where a meaning exists, and our own from 5000 up', () => {
    const model = eventNumbers.filter((number) => number < 5000);
    assert.deepEqual(model, [0, 3, 4, 17, 18, 20, 21, 22, 26, 44, 80, 81, 88, 89, 90, 92, 93, 4100, 4141]);
    assert.equal(new Set(eventNumbers).size, eventNumbers.length);
    assert.deepEqual(
      [...eventNumbers].sort((one, other) => one - other),
      eventNumbers,
    );
  });

  for (const number of eventNumbers) {
    it(`tells event ${number} in a sentence, with all its fields and with none of the optional ones`, () => {
      const full = Object.fromEntries(eventFields(number).map((field) => [field, `<${field}>`]));
      const text = renderEvent(number, full);
      for (const field of eventFields(number)) assert.ok(text.includes(`<${field}>`), text);
      const bare = renderEvent(number, {});
      for (const each of [text, bare]) {
        assert.match(each, /^[A-Z<?{\d].*\.$/);
        assert.doesNotMatch(each, /[[\]{}]|undefined|null| {2}| \.| ,/);
      }
      assert.ok(['information', 'warning', 'error'].includes(eventLevel(number)));
    });
  }
});

describe('renderEvent', () => {
  const table: readonly [string, number, Parameters<typeof renderEvent>[1], string][] = [
    [
      'fills in what is there',
      20,
      { product: 'ts-2012r2', type: 'device', left: 50, installed: 500 },
      'CALs left for ts-2012r2 per device: 50 of 500.',
    ],
    [
      'leaves out a part whose field is missing or empty',
      21,
      { product: 'ts-2012r2', type: 'device', holder: '' },
      'No CAL is left for ts-2012r2 per device. Install more or move some here.',
    ],
    [
      'keeps it where the field is there',
      21,
      { product: 'ts-2012r2', holder: 'PC-17' },
      'No CAL is left for ts-2012r2; PC-17 asked for one. Install more or move some here.',
    ],
    [
      'counts one without the plural',
      89,
      { count: 1, product: 'ts-2012r2', type: 'device', source: 'LS-OLD' },
      '1 CAL of ts-2012r2 per device left license server LS-OLD and moved here.',
    ],
    [
      'counts others with it, none included',
      5001,
      { unissued: 25, held: 0, product: 'ts-2012r2', type: 'device', target: 'LS-NEW' },
      'Frozen for a move to license server LS-NEW: 25 unissued CALs and 0 held CALs of ts-2012r2 per device. ' +
        'Present holders are still renewed.',
    ],
    [
      'gives the count of licenses that were not restored',
      26,
      { count: 17, product: 'ts-2012r2', server: 'LS-OLD' },
      '17 unissued licenses of ts-2012r2 on LS-OLD not restored, because the operating system was replaced. ' +
        'Ask the clearinghouse by telephone for them.',
    ],
    [
      'shows a field that is missing',
      4141,
      {},
      'The host ? asked for a license and is not in the list of hosts that may.',
    ],
    ['shows an unknown number by its data', 9999, { a: 1 }, 'Event 9999: {"a":1}'],
    ['takes no number from the prototype of objects', Number.NaN, {}, 'Event NaN: {}'],
    [
      'does not fill in what data bring along',
      4141,
      { host: '{product}[x]\u001b[2J', product: 'no' },
      'The host {product}[x]\ufffd[2J asked for a license and is not in the list of hosts that may.',
    ],
    [
      'reads own fields only',
      4141,
      JSON.parse('{"__proto__": {"host": "X"}}'),
      'The host ? asked for a license and is not in the list of hosts that may.',
    ],
  ];
  for (const [name, number, data, expected] of table) {
    it(name, () => assert.equal(renderEvent(number, data), expected));
  }
});
