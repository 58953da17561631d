import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Agreement, AgreementDraft, QuotedFields } from './agreement.ts';
import {
  addLine,
  checkAgreement,
  checkAgreementNumber,
  checkCovered,
  checkProgram,
  checkQuantity,
  checkRequest,
  findLine,
  mostLines,
  programs,
} from './agreement.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';

function accepted<T>(result: Result<T, Refusal>): T {
  if (!result.ok) assert.fail(`refused: ${JSON.stringify(result.error)}`);
  return result.value;
}

function refusalFrom(result: Result<unknown, Refusal>): Refusal {
  if (result.ok) assert.fail(`not refused: ${JSON.stringify(result.value)}`);
  return result.error;
}

const volume: AgreementDraft = { number: '4965437', program: 'enterprise', customer: 'Contoso' };
const open: AgreementDraft = {
  number: 'OL-77',
  program: 'open',
  customer: 'Fabrikam',
  authorization: '12345678AZZ1509',
  license: '12345678',
};

describe('the license programs', () => {
  it('are the eight of the model system, each with its own id and a number to ask for first', () => {
    assert.deepEqual(Object.keys(programs).sort(), [
      'campus',
      'enterprise',
      'open',
      'other',
      'retail',
      'school',
      'select',
      'spla',
    ]);
    for (const [id, program] of Object.entries(programs)) {
      assert.equal(program.id, id);
      assert.equal(program.fields[0]?.field, 'agreement');
      for (const field of program.fields) {
        assert.match(field.words, /number/);
        assert.ok(field.expected.length > 5 && field.where.length > 5);
      }
    }
    assert.equal(new Set(Object.values(programs).map((each) => each.name)).size, 8);
  });

  it('ask for an enrollment number in the five volume programs', () => {
    for (const id of ['select', 'enterprise', 'campus', 'school', 'spla'] as const) {
      assert.deepEqual(
        programs[id].fields.map((each) => each.words),
        ['enrollment number'],
      );
    }
  });

  it('are refused by name where unknown, even under a name that every object has', () => {
    for (const text of ['volume', '', 'toString', '__proto__']) {
      assert.equal(refusalFrom(checkProgram(text)).code, 'invalid-input');
    }
  });
});

describe('checkAgreement', () => {
  it('takes an enrollment of a volume program', () => {
    assert.deepEqual(accepted(checkAgreement(volume)), {
      number: '4965437',
      program: 'enterprise',
      customer: 'Contoso',
      authorization: null,
      license: null,
      lines: [],
    });
  });

  it('takes an Open License, with the blanks and hyphens that are printed', () => {
    const agreement = accepted(
      checkAgreement({ ...open, authorization: ' 12345678 azz 1509 ', license: '1234-5678' }),
    );
    assert.equal(agreement.authorization, '12345678AZZ1509');
    assert.equal(agreement.license, '12345678');
  });

  const refused: readonly [string, AgreementDraft, string, string][] = [
    ['no number', { ...volume, number: undefined }, 'agreement-missing', ''],
    ['a blank number', { ...volume, number: '  ' }, 'agreement-missing', ''],
    ['a number with a slash', { ...volume, number: '49/65' }, 'invalid-input', 'agreement'],
    ['a number of 41 characters', { ...volume, number: '4'.repeat(41) }, 'invalid-input', 'agreement'],
    ['a number with a letter of another script', { ...volume, number: '４９' }, 'invalid-input', 'agreement'],
    ['an unknown program', { ...volume, program: 'volume' }, 'invalid-input', 'program'],
    ['no customer', { ...volume, customer: '' }, 'invalid-input', 'customer'],
    [
      'an Open License without authorization number',
      { ...open, authorization: undefined },
      'program-field-missing',
      'authorization number',
    ],
    [
      'an Open License without license number',
      { ...open, license: ' ' },
      'program-field-missing',
      'license number',
    ],
    [
      'an authorization number of 14 characters',
      { ...open, authorization: '12345678AZZ150' },
      'program-field-wrong',
      'authorization number',
    ],
    [
      'a license number with a letter',
      { ...open, license: '1234567A' },
      'program-field-wrong',
      'license number',
    ],
    [
      'an authorization number in a program that has none',
      { ...volume, authorization: '12345678AZZ1509' },
      'program-field-wrong',
      'authorization number',
    ],
  ];
  for (const [name, draft, code, field] of refused) {
    it(`refuses ${name}`, () => {
      const refusal = refusalFrom(checkAgreement(draft));
      assert.equal(refusal.code, code);
      assert.equal('field' in refusal ? refusal.field : '', field);
    });
  }

  it('says where a missing field stands on the paper', () => {
    const refusal = refusalFrom(checkAgreement({ ...open, license: undefined }));
    assert.ok(refusal.code === 'program-field-missing');
    assert.equal(refusal.program, 'Open License');
    assert.match(refusal.expected, /^8 digits, on the Open License confirmation/);
  });
});

describe('checkRequest', () => {
  const agreement = accepted(checkAgreement(open));
  const quoted: QuotedFields = { authorization: '12345678AZZ1509', license: '12345678' };

  it('needs nothing but the agreement number outside Open License', () => {
    const enterprise = accepted(checkAgreement(volume));
    assert.equal(accepted(checkRequest(enterprise, {})), enterprise);
  });

  it('takes the fields as printed', () => {
    assert.equal(accepted(checkRequest(agreement, quoted)), agreement);
    assert.equal(accepted(checkRequest(agreement, { ...quoted, license: '1234 5678' })), agreement);
  });

  const refused: readonly [string, QuotedFields, string][] = [
    ['a missing authorization number', { license: quoted.license }, 'program-field-missing'],
    ['a missing license number', { authorization: quoted.authorization }, 'program-field-missing'],
    ['another license number', { ...quoted, license: '12345679' }, 'program-field-wrong'],
    ['another authorization number', { ...quoted, authorization: '12345678AZZ1508' }, 'program-field-wrong'],
  ];
  for (const [name, fields, code] of refused) {
    it(`refuses ${name} without giving the right one away`, () => {
      const refusal = refusalFrom(checkRequest(agreement, fields));
      assert.equal(refusal.code, code);
      assert.doesNotMatch(JSON.stringify(refusal), /12345678/);
    });
  }
});

describe('lines', () => {
  const empty: Agreement = accepted(checkAgreement(volume));

  it('are numbered from 0 in the order in which they were added', () => {
    const first = accepted(addLine(empty, { product: 'ts-2012r2', type: 'device' }));
    const second = accepted(addLine(first.agreement, { product: 'ts-2012r2', type: 'user' }));
    assert.deepEqual(
      second.agreement.lines.map((line) => `${line.number} ${line.product} ${line.type}`),
      ['0 ts-2012r2 device', '1 ts-2012r2 user'],
    );
    assert.deepEqual([first.added, second.added], [true, true]);
    assert.equal(empty.lines.length, 0);
  });

  it('are found again by a later purchase of the same product and type', () => {
    const first = accepted(addLine(empty, { product: 'ts-2012r2', type: 'device' }));
    const again = accepted(addLine(first.agreement, { product: 'ts-2012r2', type: 'device' }));
    assert.equal(again.added, false);
    assert.equal(again.line, first.line);
    assert.equal(again.agreement, first.agreement);
  });

  it('end at 15, because the sixteenth number means all lines', () => {
    let agreement = empty;
    for (let number = 0; number < mostLines; number += 1) {
      agreement = accepted(addLine(agreement, { product: `p${number}`, type: 'device' })).agreement;
    }
    assert.equal(agreement.lines.at(-1)?.number, 14);
    assert.deepEqual(refusalFrom(addLine(agreement, { product: 'one-more', type: 'device' })), {
      code: 'lines-full',
      agreement: '4965437',
      most: 15,
    });
    assert.ok(addLine(agreement, { product: 'p3', type: 'device' }).ok);
  });

  it('that are not there are refused with what was asked for', () => {
    assert.deepEqual(refusalFrom(findLine(empty, { product: 'ts-2012r2', type: 'user' })), {
      code: 'line-unknown',
      agreement: '4965437',
      product: 'ts-2012r2',
      type: 'user',
    });
  });
});

describe('quantities', () => {
  const request = { agreement: '1', product: 'p', type: 'device', inHand: 25, entitled: 500 } as const;

  it('are whole numbers from 1 to the longest chain', () => {
    assert.equal(accepted(checkQuantity(1)), 1);
    assert.equal(accepted(checkQuantity(65_535)), 65_535);
    for (const quantity of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 65_536]) {
      assert.equal(refusalFrom(checkQuantity(quantity)).code, 'quantity-invalid');
    }
  });

  it('are covered up to exactly what is in hand', () => {
    assert.equal(accepted(checkCovered({ ...request, asked: 25 })), 25);
    assert.deepEqual(refusalFrom(checkCovered({ ...request, asked: 26 })), {
      code: 'quantity-above-agreement',
      agreement: '1',
      product: 'p',
      type: 'device',
      asked: 26,
      inHand: 25,
      entitled: 500,
    });
    assert.equal(refusalFrom(checkCovered({ ...request, asked: 0 })).code, 'quantity-invalid');
  });
});

describe('checkAgreementNumber', () => {
  it('trims what was typed and keeps its case', () => {
    assert.equal(accepted(checkAgreementNumber(' Ab-1 ')), 'Ab-1');
  });
});
