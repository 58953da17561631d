/**
 * Agreements: what a customer bought, under which of the eight license programs, and the fields from
 * the paper that prove a request speaks of it (facts §2.3). Lines are numbered here; the amounts
 * are in the books (account.ts).
 */
import type { CalType } from './product.ts';
import { checkName } from './product.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

export type ProgramId = 'open' | 'select' | 'enterprise' | 'campus' | 'school' | 'spla' | 'retail' | 'other';

/** A field of the paper agreement, as a wizard asks for it. */
export interface ProgramField {
  /** The name in commands and messages. */
  readonly field: 'agreement' | 'authorization' | 'license';
  /** What it is called on the paper. */
  readonly words: string;
  /** What it looks like, to be read after "expected". */
  readonly expected: string;
  /** Where it stands on the paper. */
  readonly where: string;
}

export interface Program {
  readonly id: ProgramId;
  readonly name: string;
  /** In the order in which a wizard asks; the agreement's own number comes first. */
  readonly fields: readonly ProgramField[];
}

const anyNumber = '1 to 40 letters, digits and hyphens';

/** The programs of volume licensing share one form: seven digits in the model, anything like it here. */
function enrollment(where: string): readonly ProgramField[] {
  return [
    { field: 'agreement', words: 'enrollment number', expected: `${anyNumber} (most have 7 digits)`, where },
  ];
}

const openFields: readonly ProgramField[] = [
  {
    field: 'agreement',
    words: 'agreement number',
    expected: anyNumber,
    where: 'on the first page of the Open License confirmation',
  },
  {
    field: 'authorization',
    words: 'authorization number',
    expected: '15 letters and digits',
    where: 'on the Open License confirmation, under the authorization date',
  },
  {
    field: 'license',
    words: 'license number',
    expected: '8 digits',
    where: 'on the Open License confirmation, beside the product table',
  },
];

/** The eight license programs of the model system, in the order in which the wizard lists them. */
export const programs: Readonly<Record<ProgramId, Program>> = {
  retail: {
    id: 'retail',
    name: 'License Pack (Retail Purchase)',
    fields: [
      {
        field: 'agreement',
        words: 'number of the license pack',
        expected: anyNumber,
        where: 'on the paper in the box, under the bar code',
      },
    ],
  },
  open: { id: 'open', name: 'Open License', fields: openFields },
  select: {
    id: 'select',
    name: 'Select License',
    fields: enrollment('at the top of the signed Select enrollment'),
  },
  enterprise: {
    id: 'enterprise',
    name: 'Enterprise Agreement',
    fields: enrollment('at the top of the signed Enterprise enrollment'),
  },
  campus: {
    id: 'campus',
    name: 'Campus Agreement',
    fields: enrollment('at the top of the signed Campus enrollment'),
  },
  school: {
    id: 'school',
    name: 'School Agreement',
    fields: enrollment('at the top of the signed School enrollment'),
  },
  spla: {
    id: 'spla',
    name: 'Service Provider License Agreement',
    fields: enrollment('at the top of the signed Service Provider agreement'),
  },
  other: {
    id: 'other',
    name: 'Other agreement',
    fields: [
      {
        field: 'agreement',
        words: 'agreement number',
        expected: anyNumber,
        where: 'on the first page of the agreement',
      },
    ],
  },
};

/** One product version and type within an agreement. Its number never changes (protocol §1.3). */
export interface Line {
  readonly number: number;
  readonly product: string;
  readonly type: CalType;
}

export interface Agreement {
  readonly number: string;
  readonly program: ProgramId;
  readonly customer: string;
  /** Open License only. */
  readonly authorization: string | null;
  /** Open License only. */
  readonly license: string | null;
  readonly lines: readonly Line[];
}

/** What is known of an agreement before it was checked. */
export interface AgreementDraft {
  readonly number?: string | undefined;
  readonly program: string;
  readonly customer: string;
  readonly authorization?: string | undefined;
  readonly license?: string | undefined;
}

/** What a caller quotes from the paper, beside the agreement number that found the agreement. */
export interface QuotedFields {
  readonly authorization?: string | undefined;
  readonly license?: string | undefined;
}

/** Lines are numbered 0…14 in four bits; 15 means "all lines" in a confirmation (protocol §3.6). */
export const mostLines = 15;
/** A line's chains and the amounts of a confirmation reach to 65,535 (protocol §3.4). */
export const mostUnits = 65_535;

const numberPattern = /^[A-Za-z0-9-]{1,40}$/;
const fieldPatterns = { authorization: /^[A-Z0-9]{15}$/, license: /^[0-9]{8}$/ } as const;

/** As printed, the numbers of Open License may be grouped: blanks and hyphens carry no meaning. */
function compact(text: string): string {
  return text.replaceAll(/[\s-]/g, '').toUpperCase();
}

function wrongField(program: Program, field: string, expected: string): Refusal {
  return { code: 'program-field-wrong', program: program.name, field, expected };
}

/** Finds a program by its id. Refused: invalid-input, naming the eight. */
export function checkProgram(text: string): Result<Program, Refusal> {
  for (const program of Object.values(programs)) {
    if (program.id === text) return ok(program);
  }
  const known = Object.keys(programs).join(', ');
  return err({ code: 'invalid-input', field: 'program', problem: `"${text}" is none of ${known}` });
}

/**
 * Reads an agreement or enrollment number as typed. It names accounts and a journal, so nothing but
 * letters, digits and hyphens is taken. Refused: agreement-missing where there is none (the source
 * document: without the paper agreement nothing can be moved), invalid-input.
 */
export function checkAgreementNumber(text: string | undefined): Result<string, Refusal> {
  const number = text?.trim() ?? '';
  if (number === '') return err({ code: 'agreement-missing' });
  if (numberPattern.test(number)) return ok(number);
  return err({ code: 'invalid-input', field: 'agreement', problem: `"${number}" is not ${anyNumber}` });
}

type QuotedName = 'authorization' | 'license';

/** One field beside the number: present and well formed where the program has it, absent otherwise. */
function readField(program: Program, name: QuotedName, quoted: QuotedFields): Result<string | null, Refusal> {
  const wanted = program.fields.find((each) => each.field === name);
  const given = quoted[name]?.trim() ?? '';
  if (wanted === undefined) {
    if (given === '') return ok(null);
    return err(wrongField(program, `${name} number`, 'none: only Open License has one'));
  }
  const { words, expected, where } = wanted;
  if (given === '') {
    const missing = `${expected}, ${where}`;
    return err({ code: 'program-field-missing', program: program.name, field: words, expected: missing });
  }
  const value = compact(given);
  return fieldPatterns[name].test(value) ? ok(value) : err(wrongField(program, words, expected));
}

/**
 * Checks an agreement before it is entered, without lines. Refused: agreement-missing,
 * program-field-missing, program-field-wrong, invalid-input.
 */
export function checkAgreement(draft: AgreementDraft): Result<Agreement, Refusal> {
  const program = checkProgram(draft.program);
  if (!program.ok) return program;
  const number = checkAgreementNumber(draft.number);
  if (!number.ok) return number;
  const customer = checkName('customer', draft.customer);
  if (!customer.ok) return customer;
  const authorization = readField(program.value, 'authorization', draft);
  if (!authorization.ok) return authorization;
  const license = readField(program.value, 'license', draft);
  if (!license.ok) return license;
  return ok({
    number: number.value,
    program: program.value.id,
    customer: customer.value,
    authorization: authorization.value,
    license: license.value,
    lines: [],
  });
}

/**
 * Checks what a customer or a representative quotes when a key pack or a move is asked for: each
 * field that the program has must be there and match what was entered. Refused:
 * program-field-missing, program-field-wrong. The refusal says what the field looks like and never
 * what is stored, or a caller could learn the numbers by guessing.
 */
export function checkRequest(agreement: Agreement, quoted: QuotedFields): Result<Agreement, Refusal> {
  const program = programs[agreement.program];
  for (const name of ['authorization', 'license'] as const) {
    const given = readField(program, name, quoted);
    if (!given.ok) return given;
    if (given.value !== agreement[name]) {
      const words = program.fields.find((each) => each.field === name)?.words ?? name;
      return err(wrongField(program, words, 'the number on the paper of this agreement'));
    }
  }
  return ok(agreement);
}

/** Finds the line of a product and type. Refused: line-unknown. */
export function findLine(
  agreement: Agreement,
  wanted: { readonly product: string; readonly type: CalType },
): Result<Line, Refusal> {
  const { product, type } = wanted;
  const line = agreement.lines.find((each) => each.product === product && each.type === type);
  if (line !== undefined) return ok(line);
  return err({ code: 'line-unknown', agreement: agreement.number, product, type });
}

/**
 * Adds a line, or finds the one that is there already for this product and type: a later purchase
 * of the same goes to the same line, because codes name lines by number for ever (protocol §1.3).
 * Refused: lines-full.
 */
export function addLine(
  agreement: Agreement,
  wanted: { readonly product: string; readonly type: CalType },
): Result<{ readonly agreement: Agreement; readonly line: Line; readonly added: boolean }, Refusal> {
  const present = findLine(agreement, wanted);
  if (present.ok) return ok({ agreement, line: present.value, added: false });
  if (agreement.lines.length >= mostLines) {
    return err({ code: 'lines-full', agreement: agreement.number, most: mostLines });
  }
  const line: Line = { number: agreement.lines.length, product: wanted.product, type: wanted.type };
  return ok({ agreement: { ...agreement, lines: [...agreement.lines, line] }, line, added: true });
}

/** Checks a quantity as typed: a whole number from 1 to `most`. Refused: quantity-invalid. */
export function checkQuantity(quantity: number, most = mostUnits): Result<number, Refusal> {
  if (Number.isInteger(quantity) && quantity >= 1 && quantity <= most) return ok(quantity);
  return err({ code: 'quantity-invalid', quantity, most });
}

/**
 * Checks that the agreement still covers `asked`: the clearinghouse never gives out more than its
 * books hold in hand. Refused: quantity-invalid, quantity-above-agreement with the numbers.
 */
export function checkCovered(request: {
  readonly agreement: string;
  readonly product: string;
  readonly type: CalType;
  readonly asked: number;
  readonly inHand: number;
  readonly entitled: number;
}): Result<number, Refusal> {
  const quantity = checkQuantity(request.asked);
  if (!quantity.ok) return quantity;
  if (request.asked <= request.inHand) return ok(request.asked);
  const { agreement, product, type, asked, inHand, entitled } = request;
  return err({ code: 'quantity-above-agreement', agreement, product, type, asked, inHand, entitled });
}
