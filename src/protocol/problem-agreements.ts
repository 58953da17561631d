/** Words for requests that are wrong in themselves, and for products and agreements. */
import type { RefusalCode } from '../core/refusal.ts';
import type { WordsFor } from './problem-words.ts';
import { anyOf, cals } from './problem-words.ts';

type Codes = Extract<
  RefusalCode,
  | 'invalid-input'
  | 'not-found'
  | 'not-authorized'
  | 'idempotency-key-reused'
  | 'product-unknown'
  | 'product-exists'
  | 'agreement-missing'
  | 'agreement-unknown'
  | 'agreement-exists'
  | 'program-field-missing'
  | 'program-field-wrong'
  | 'line-unknown'
  | 'lines-full'
  | 'quantity-above-agreement'
  | 'quantity-invalid'
>;

const askingWords: WordsFor<
  Extract<Codes, 'invalid-input' | 'not-found' | 'not-authorized' | 'idempotency-key-reused'>
> = {
  'invalid-input': ({ field, problem }) => ({
    status: 400,
    title: 'The input is not valid',
    message: `${field}: ${problem}.`,
    next: `Correct ${field} and ask again. Nothing was changed.`,
  }),
  'not-found': ({ what, id }) => ({
    status: 404,
    title: 'Not found here',
    message: `There is no ${what} "${id}" here.`,
    next: 'Check the spelling, and whether you ask the right server.',
  }),
  'not-authorized': () => ({
    status: 401,
    title: 'Not signed in',
    message: 'This needs the administrator token of this server, and none or a wrong one was given.',
    next:
      'Give the token that "init" wrote into the data folder: calyx … --token-file FILE, or over HTTP ' +
      'the header "Authorization: Bearer TOKEN".',
  }),
  'idempotency-key-reused': ({ id }) => ({
    status: 422,
    title: 'This request id was used for another request',
    message: `The idempotency key "${id}" belongs to an earlier request with other contents.`,
    next: 'Send a repeat word for word, or give a new request a new key. Nothing was changed.',
  }),
};

const agreementWords: WordsFor<Exclude<Codes, keyof typeof askingWords>> = {
  'product-unknown': ({ product, known }) => ({
    status: 404,
    title: 'Unknown product',
    message:
      known.length === 0
        ? `There is no product "${product}"; none has been entered yet.`
        : `There is no product "${product}". Known: ${known.join(', ')}.`,
    next: 'List the products with: calyx clearinghouse product list. Enter one with: calyx clearinghouse product add.',
  }),
  'product-exists': ({ product }) => ({
    status: 409,
    title: 'The product exists already',
    message: `A product with the id "${product}" is there already, with another name, family or version.`,
    next: 'Choose another id; what is there is shown by: calyx clearinghouse product list.',
  }),
  'agreement-missing': () => ({
    status: 400,
    title: 'No agreement number was given',
    message: 'The agreement or enrollment number is needed; without it nothing can be issued or moved.',
    next:
      'Take the paper agreement that came with the purchase and give the number on it: ' +
      '--agreement NUMBER (calyx clearinghouse agreement add: --number NUMBER).',
  }),
  'agreement-unknown': ({ agreement }) => ({
    status: 404,
    title: 'Unknown agreement',
    message: `There is no agreement "${agreement}".`,
    next:
      'Read the number on the paper agreement again, digit by digit. The clearinghouse lists what it knows ' +
      'with: calyx clearinghouse agreement list.',
  }),
  'agreement-exists': ({ agreement }) => ({
    status: 409,
    title: 'The agreement exists already',
    message: `Agreement "${agreement}" is there already, with another program, customer or field.`,
    next: `Compare with: calyx clearinghouse agreement show ${agreement}. To add CALs, repeat its program and customer.`,
  }),
  'program-field-missing': ({ program, field, expected }) => ({
    status: 400,
    title: 'A field of the license program is missing',
    message: `${program} needs the ${field} (${expected}).`,
    next: `Find the ${field} on the paper and give it as well (calyx … --authorization N --license N for Open License).`,
  }),
  'program-field-wrong': ({ program, field, expected }) => ({
    status: 400,
    title: 'A field of the license program is wrong',
    message: `${program}: the ${field} does not fit (expected: ${expected}).`,
    next: `Read the ${field} on the paper again and correct it, or the program, and repeat the calyx command.`,
  }),
  'line-unknown': ({ agreement, product, type }) => ({
    status: 404,
    title: 'The agreement does not cover this',
    message: `Agreement "${agreement}" has no "${product}" CALs per ${type}.`,
    next: `See what it covers with: calyx clearinghouse agreement show ${agreement}. Check --product and --type.`,
  }),
  'lines-full': ({ agreement, most }) => ({
    status: 409,
    title: 'The agreement has no room for another product',
    message: `Agreement "${agreement}" has ${most} products and types already, and codes can number no more.`,
    next: 'Enter the purchase under a new agreement number: calyx clearinghouse agreement add.',
  }),
  'quantity-above-agreement': ({ agreement, product, type, asked, inHand, entitled }) => ({
    status: 409,
    title: 'More than the agreement covers',
    message:
      `${cals(asked)} asked for, but agreement "${agreement}" has only ${inHand} of ${entitled} left ` +
      `for "${product}" per ${type}; the others are on license servers.`,
    next: aboveAgreementNext(agreement, inHand),
  }),
  'quantity-invalid': ({ quantity, most }) => ({
    status: 400,
    title: 'Not a quantity',
    message:
      most < 1
        ? `${quantity} is not possible: there is none.`
        : `${quantity} is not a whole number from 1 to ${most}.`,
    next: 'Give the number of CALs with: calyx … --quantity N.',
  }),
};

function aboveAgreementNext(agreement: string, inHand: number): string {
  const choices = [
    ...(inHand > 0 ? [`ask for at most ${inHand}`] : []),
    'move CALs from the server that has them (calyx server move)',
    `add a purchase (calyx clearinghouse agreement add --number ${agreement})`,
  ];
  return `You can ${anyOf(choices)}.`;
}

export const askingAndAgreementWords: WordsFor<Codes> = { ...askingWords, ...agreementWords };
