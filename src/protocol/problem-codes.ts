/** Words for codes that were read over a telephone and typed: what may have been misheard, above all. */
import type { RefusalCode, RefusalOf } from '../core/refusal.ts';
import { spellingWord } from '../core/spelling.ts';
import type { Words, WordsFor } from './problem-words.ts';
import { anyOf, cals, when } from './problem-words.ts';

type ReadingCodes = Extract<
  RefusalCode,
  | 'code-unreadable'
  | 'code-mistyped'
  | 'code-kind-unknown'
  | 'code-wrong-kind'
  | 'code-other-server'
  | 'code-not-for-this-server'
  | 'code-other-kit'
>;

type ApplyingCodes = Extract<
  RefusalCode,
  | 'already-applied'
  | 'source-needed'
  | 'source-wrong'
  | 'quantity-differs'
  | 'confirmation-needed'
  | 'confirmation-unmatched'
  | 'confirmation-locked'
  | 'earlier-code-missing'
  | 'move-needed'
>;

type Mistyped = RefusalOf<'code-mistyped'>;

/** "M – Mike": how a character is shown and read out. */
function spelled(character: string): string {
  return `${character.toUpperCase()} – ${spellingWord(character)}`;
}

/**
 * What may have been heard in one group, the likeliest first: "Group 1: did you hear M – Mike or
 * N – November in place 3 (66M61)?" The group in brackets is the repaired one.
 */
function repairQuestions(group: Mistyped['groups'][number]): string {
  if (group.repairs.length === 0) return `Group ${group.group}: have it read again.`;
  const questions = group.repairs.map(
    ({ place, from, to, text }) => `${spelled(to)} or ${spelled(from)} in place ${place} (${text})?`,
  );
  return `Group ${group.group}: did you hear ${questions.join(' ')}`;
}

function mistyped({ groups }: Mistyped): Words {
  const title = 'The code is mistyped';
  if (groups.length === 0) {
    return {
      status: 400,
      title,
      message:
        'Each group is right by itself, but together they are no code: groups may have been exchanged.',
      next: 'Have the whole code read again, in order, and repeat the calyx command.',
    };
  }
  const named = groups.map((each) => `group ${each.group} (${each.typed})`).join(', ');
  return {
    status: 400,
    title,
    message: `Wrong: ${named}. The other groups are right. Nothing was changed.`,
    next: `${groups.map(repairQuestions).join(' ')} Have it read again and repeat the calyx command.`,
  };
}

function unreadable({ problem, length, places }: RefusalOf<'code-unreadable'>): Words {
  const title = 'This is not a code';
  const next =
    'Type the code again: 7 groups of 5 letters and digits, or 9 groups of 6 digits. calyx desk repeat reads it again.';
  if (problem === 'length') {
    const message = `A code has 35 characters (or 54 digits); this has ${length}.`;
    return { status: 400, title, message, next };
  }
  const found = places.map(({ place, found: what }) => `"${what}" in place ${place}`).join(', ');
  return { status: 400, title, message: `No code contains ${found}.`, next };
}

const readingWords: WordsFor<ReadingCodes> = {
  'code-unreadable': unreadable,
  'code-mistyped': mistyped,
  'code-kind-unknown': ({ type, ctx }) => ({
    status: 400,
    title: 'No code of this kind is known',
    message: `The code is read without error, but there is no kind ${type} (${ctx}). It may come from a newer version.`,
    next: 'Have the code read again; if it is right, update calyx and repeat the command.',
  }),
  'code-wrong-kind': ({ expected, found }) => ({
    status: 400,
    title: 'This is another kind of code',
    message: `This is ${withArticle(kindWords(found))} code. Expected here: ${kindWords(expected)}.`,
    next: 'Ask for that code. Any code read out to a license server is taken by: calyx server code CODE.',
  }),
  'code-other-server': ({ licenseServerId, name }) => ({
    status: 409,
    title: 'The code is for another license server',
    message: `This code was made for license server ${licenseServerId}${name ? ` (${name})` : ''}. It does nothing here.`,
    next: 'Type it there, or have a code made for this server: read out its ID (calyx server status).',
  }),
  'code-not-for-this-server': (refusal) => ({
    status: 409,
    title: 'The code does not fit this license server',
    message: `The code is read without error, but is not for this server${orForMore(refusal)}.`,
    next: `Check that this License Server ID was given (calyx server status). ${otherwise(refusal)}`,
  }),
  'code-other-kit': ({ slot, slots }) => ({
    status: 409,
    title: 'The code belongs to another agreement kit',
    message:
      slots.length === 0
        ? `The code is for slot ${slot}, and this server has no kit.`
        : `The code is for slot ${slot}; the kit of this server has ${anyOf(slots.map(String))}.`,
    next: 'Add the newest kit of the agreement (calyx server kit add FILE) and type the code again.',
  }),
};

type NotForThis = RefusalOf<'code-not-for-this-server'>;

/** What else may be so: only a key pack brings a quantity, and one that was said need not be the one that it brings. */
function orForMore({ kind, searched, quantity }: NotForThis): string {
  if (kind !== 'key-pack') return '';
  if (quantity === null) return `, or brings more than ${searched} CALs`;
  return `, or brings neither ${cals(quantity)}, as was said, nor any other number up to ${searched}`;
}

/** What to do where the ID was the right one. */
function otherwise({ kind, quantity }: NotForThis): string {
  if (kind === 'activation') return 'Else have it made anew at the clearinghouse: calyx desk activate.';
  if (kind === 'horizon')
    return 'Else have it made anew: read out the code of calyx server heartbeat --code-out.';
  return quantity === null
    ? 'If it was, say how many CALs the code brings: calyx server install --code CODE --quantity N.'
    : 'If it was, ask the clearinghouse how many CALs this very code brings, and repeat calyx server install with that number.';
}

/** "key-pack or held-key-pack" as words; a kind stands by itself or in a phrase. */
function kindWords(kinds: string): string {
  return kinds.replaceAll('license-server-id', 'License Server ID').replaceAll('-', ' ');
}

/** A kind of code with the article before it. */
function withArticle(words: string): string {
  return /^[aeio]/i.test(words) ? `an ${words}` : `a ${words}`;
}

/** What a code has done that was applied before; `at` is empty where a later key pack has brought along what it brings. */
function appliedText(of: {
  readonly product: string | null;
  readonly type: string | null;
  readonly added: number;
  readonly installed: number;
  readonly at: string;
}): string {
  const { product, added, installed, at } = of;
  const total = `${installed} of "${product}" per ${of.type ?? 'holder'}`;
  if (at === '')
    return `A later key pack has brought along what this one brings: ${total} are installed. Nothing is missing.`;
  if (product === null) return `This was applied on ${when(at)}. Nothing was added a second time.`;
  const first = `${cals(added)} of "${product}" per ${of.type ?? 'holder'}, total ${installed} then`;
  return `This was applied on ${when(at)}: ${first}. Nothing was added a second time.`;
}

const applyingWords: WordsFor<ApplyingCodes> = {
  'already-applied': ({ product, type, added, installed, at }) => ({
    status: 409,
    title: 'The code was applied already',
    message: appliedText({ product, type, added, installed, at }),
    next: 'Nothing is left to do with it. What is installed is shown by: calyx server packs.',
  }),
  'source-needed': () => ({
    status: 400,
    title: 'The source server is needed',
    message: 'This key pack brings CALs with holders from another license server, and is bound to its ID.',
    next: 'Give the ID of that server: calyx server install --code CODE --from SOURCE-ID.',
  }),
  'source-wrong': ({ licenseServerId }) => ({
    status: 409,
    title: 'The code does not fit this source',
    message: `The key pack does not come from license server ${licenseServerId}, or is not for this server.`,
    next:
      'Check the ID of the source (calyx server status there) and of this server, and repeat: ' +
      'calyx server install --code CODE --from SOURCE-ID (above 2,048 CALs with --quantity N).',
  }),
  'quantity-differs': ({ expected, found }) => ({
    status: 409,
    title: 'The quantity differs',
    message: `${expected} were expected, but this brings ${found}. Nothing was changed.`,
    next: `Check how many were bought; to take it as it is: calyx server install with --quantity ${found}.`,
  }),
  'confirmation-needed': ({ added, total }) => ({
    status: 409,
    title: 'Please confirm',
    message: `+${added} → total ${total}. Nothing was changed yet.`,
    next: 'Answer the question on a terminal, or repeat the calyx command with --yes.',
  }),
  'confirmation-unmatched': ({ licenseServerId }) => ({
    status: 409,
    title: 'The confirmation fits nothing',
    message:
      licenseServerId === null
        ? 'This confirmation fits no license server with an open move or a stored answer.'
        : `This confirmation does not fit what the books know of license server ${licenseServerId}.`,
    next:
      licenseServerId === null
        ? 'Have the code read again, or name the server: calyx desk confirm CODE --server-id ID.'
        : 'Have the newest code read (the server shows it again when its command is repeated): calyx desk confirm CODE.',
  }),
  'confirmation-locked': ({ failures, until }) => ({
    status: 429,
    title: 'Too many wrong confirmations',
    message: `${failures} confirmations for this server were wrong. No more are taken until ${when(until)}.`,
    next: 'Let a supervisor unlock it, or try calyx desk confirm again after that time. The server itself works on.',
  }),
  'earlier-code-missing': ({ kind }) => ({
    status: 409,
    title: 'An earlier code is missing',
    message: `Before this one the server made a code of the kind ${kindWords(kind)} that was never taken in here.`,
    next:
      `Ask the caller for the ${kindWords(kind)} code and take that in first: calyx desk confirm CODE.` +
      (kind === 'deactivated'
        ? ' Where the server was deactivated over a connection or by file, that is to be repeated: calyx server deactivate.'
        : ''),
  }),
  'move-needed': ({ licenseServerId }) => ({
    status: 409,
    title: 'No move is open for this',
    message: `License server ${licenseServerId} has frozen CALs, but it is not known where they are to go.`,
    next: 'Open the move, then take the code in: calyx desk move --agreement N --from ID --to ID …',
  }),
};

export const codeWords: WordsFor<ReadingCodes | ApplyingCodes> = { ...readingWords, ...applyingWords };
