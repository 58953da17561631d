/** Words for moves, and for messages and files that cannot be taken. */
import type { RefusalCode, RefusalOf } from '../core/refusal.ts';
import type { WordsFor } from './problem-words.ts';
import { cals, when } from './problem-words.ts';

type MoveCodes = Extract<
  RefusalCode,
  | 'move-to-itself'
  | 'move-more-than-there-is'
  | 'move-too-large'
  | 'chains-used-up'
  | 'move-open'
  | 'undo-open'
  | 'move-unknown'
  | 'move-state'
  | 'undo-too-late'
  | 'approval-same-person'
  | 'early-release-limit'
  | 'nothing-to-recover'
  | 'nothing-frozen'
  | 'not-yet-supported'
>;

type MessageCodes = Extract<
  RefusalCode,
  | 'file-damaged'
  | 'file-other-kind'
  | 'message-invalid'
  | 'message-untrusted'
  | 'message-expired'
  | 'message-not-for-us'
  | 'message-out-of-order'
  | 'publisher-different'
>;

const moveWords: WordsFor<MoveCodes> = {
  'move-to-itself': ({ licenseServerId }) => ({
    status: 400,
    title: 'Source and target are the same server',
    message: `${licenseServerId} is both the source and the target.`,
    next: 'Give the ID of the new server as the target (calyx server status on it): calyx server move --to ID …',
  }),
  'move-more-than-there-is': ({ asked, available }) => ({
    status: 409,
    title: 'More than there is to move',
    message:
      available === 0
        ? 'There is nothing of this product on the source that is not already being moved.'
        : `${cals(asked)} are to be moved, but the source has ${available}.`,
    next:
      available === 0
        ? 'See what the source has (calyx server packs) and what is under way (calyx desk moves).'
        : `Move at most ${available}, or everything: calyx server move … --quantity all.`,
  }),
  'move-too-large': ({ asked, most }) => ({
    status: 409,
    title: 'Too many for one move',
    message: `${cals(asked)} are too many for one move: it brings at most ${most} unissued CALs and ${most} that have holders or are reserved. Nothing was frozen.`,
    next:
      `Move at most ${most} at a time: give the command with --quantity ${most}, and again when that move is done, until ` +
      'all have moved. calyx server move --all does so by itself.',
  }),
  'chains-used-up': ({ licenseServerId, agreement, asked, left, basis }) => ({
    status: 409,
    title: 'No room left for so many on the target',
    message: `${licenseServerId} is to be granted ${cals(asked)}; ${basis === 'slot' ? 'its kit slot' : 'what can be read out to it'} has room for ${left} more of this product.`,
    next:
      basis === 'slot'
        ? 'With a certificate it has room again: activate it over a connection or by file: calyx server activate ' +
          `--agreement ${agreement} --request-out FILE.`
        : 'It has a certificate already: another one, with room, comes along with CALs that go over a connection or by file. ' +
          'Undo this move, and let them go that way: calyx server move with the same words, and --request-out FILE where ' +
          'there is no connection.',
  }),
  'move-open': ({ move, state }) => ({
    status: 409,
    title: 'A move is under way already',
    message: `Move ${move} of the same product is not finished (${state}); a server freezes for one at a time.`,
    next: openNext(move, state),
  }),
  'undo-open': ({ move, target }) => ({
    status: 409,
    title: 'The move is being undone',
    message: `Its undoing was asked for here: the CALs of move ${move} are to be in use on this server again. Given up now, they would be nobody's.`,
    next:
      `See it to its end first: calyx server move --undo ${move} (by file with --request-out FILE). It ends when ${target} ` +
      'has given its CALs back; then move them again, or give back what is unissued.',
  }),
  'move-unknown': ({ move }) => ({
    status: 404,
    title: 'Unknown move',
    message: `There is no move ${move} here.`,
    next: 'See the moves there are: calyx desk moves. Start one with: calyx server move.',
  }),
  'move-state': ({ move, state, act }) => ({
    status: 409,
    title: 'Not possible in this state of the move',
    message:
      act === 'approve'
        ? `Move ${move} is ${state}: its CALs do not wait for an early release.`
        : `Move ${move} is ${state}; "${act}" is not possible there.`,
    next: 'See how it stands, and what it waits for: calyx desk moves.',
  }),
  'undo-too-late': (refused) => ({
    status: 409,
    title: 'Too late to undo the move',
    message:
      refused.carrier === 'telephone' && refused.state !== 'closed'
        ? `Move ${refused.move} goes by telephone, and its CALs are frozen: what a code has told cannot be untold.`
        : `Move ${refused.move} is ${refused.state}: its CALs belong to ${refused.target} now.`,
    next: wayBack(refused),
  }),
  'approval-same-person': ({ move, name }) => ({
    status: 403,
    title: 'A second person is needed',
    message: `${name} has declared the source of move ${move} dead, or entered that; the early release needs somebody else.`,
    next: 'Have another person look at it and approve it: calyx desk approve MOVE --by NAME.',
  }),
  'nothing-to-recover': ({ licenseServerId }) => ({
    status: 409,
    title: 'Nothing to recover',
    message: `Nothing of license server ${licenseServerId} is known that could be recovered, or all of it is here.`,
    next:
      'See what this server has (calyx server status). Codes that were read out before are read again by calyx desk repeat. ' +
      'For the CALs of another server name it: calyx server recover --from CODE',
  }),
  'early-release-limit': ({ agreement, most, next }) => ({
    status: 409,
    title: 'No further early release now',
    message: `Agreement ${agreement} has had ${most} early releases within twelve months; the next is possible on ${next}.`,
    next: 'Let the horizon of the source pass; the CALs are then granted by themselves. See when: calyx desk moves.',
  }),
  'nothing-frozen': ({ product, type }) => ({
    status: 409,
    title: 'Nothing is frozen',
    message: `No CALs of "${product}" per ${type} are frozen for a move on this server.`,
    next: 'Freeze them first: calyx server move --freeze --to ID --product P --type T --quantity N.',
  }),
  'not-yet-supported': ({ what }) => ({
    status: 501,
    title: 'Not supported yet',
    message: `This version cannot do this yet: ${what}.`,
    next: 'See what this version can do with: calyx --help. Nothing was changed.',
  }),
};

/** What can be done about a move that is in the way: nothing hangs on one for which nothing is known to be frozen. */
function openNext(move: string, state: string): string {
  if (state === 'requested') {
    return (
      'Finish it by repeating its calyx server move command, by file or, with --freeze, by telephone. Or take it back ' +
      `first: nothing is frozen for it yet, so that is possible at once: calyx server move --undo ${move}`
    );
  }
  if (state === 'reserved') {
    return (
      'Nothing was heard of its freeze. If it is to go another way, by telephone for example, take it back first: ' +
      `calyx desk cancel ${move}. Then enter the new one.`
    );
  }
  if (state === 'closed') {
    return 'Its CALs are on their way to this license server: let it have contact, or carry its file, once more. Then ask again.';
  }
  return (
    'Finish it by repeating its calyx server move command, or see what it waits for: calyx server move --status, at ' +
    'the desk calyx desk moves.'
  );
}

/** The commands that bring the CALs of a move back to where they came from, or on where that is not possible. */
function wayBack(refused: RefusalOf<'undo-too-late'>): string {
  const { agreement, product, type, quantity, source, target, sourceIs } = refused;
  const cals = `--agreement ${agreement} --product ${product} --type ${type} --quantity ${quantity}`;
  if (sourceIs === 'declared-dead') {
    return (
      `Nothing goes back to ${source}: it was declared to function no longer, and is never activated again. To have ` +
      `the CALs elsewhere, make a new license server there, and on ${target}: calyx server move --to NEW-ID ${cals}`
    );
  }
  const wakes = `On ${source}: calyx server activate --agreement ${agreement}. `;
  const first = {
    active: '',
    deactivated: `License server ${source} is deactivated; activate it again first. ${wakes}Then move them back. `,
    'not-known': `Where ${source} was deactivated meanwhile, activate it again first. ${wakes}`,
  }[sourceIs];
  const back = first === '' ? 'Move them back. ' : '';
  if (refused.carrier === 'online') {
    return `${first}${back}On ${target}: calyx server move --to ${source} ${cals}`;
  }
  const finish =
    refused.state === 'closed'
      ? ''
      : `Finish it first (on ${source}: calyx server move --release --product ${product} --type ${type}). Then move them back. `;
  return (
    `${finish === '' ? `${first}${back}` : finish}At the desk: calyx desk move --from ${target} --to ${source} ${cals} ` +
    `--reason replaced; on ${target}: calyx server move --freeze --to ${source} ${cals}`
  );
}

const messageWords: WordsFor<MessageCodes> = {
  'file-damaged': ({ problem }) => ({
    status: 400,
    title: 'The file is damaged',
    message: `The file cannot be read: ${problem}. It may have been cut off or altered on the way.`,
    next: 'Copy it again from where it was made, and repeat the calyx command. Nothing was changed.',
  }),
  'file-other-kind': ({ expected, found }) => ({
    status: 400,
    title: 'This is another kind of file',
    message: `This file is ${found}; here ${expected} is needed.`,
    next: 'Choose the file that the other calyx command wrote (--out or --request-out).',
  }),
  'message-invalid': ({ problem }) => ({
    status: 400,
    title: 'The message is not valid',
    message: `The message cannot be taken: ${problem}. It may have been altered on the way.`,
    next: 'Have it made again by the sender, and repeat the calyx command. Nothing was changed.',
  }),
  'message-untrusted': ({ signer }) => ({
    status: 403,
    title: 'The signature is not trusted',
    message: `The message is signed by ${signer}, whose key is not known or not valid here.`,
    next:
      'Check that it comes from the right publisher or server. If it does, the publisher’s trust list may have ' +
      'ended: it shows that with calyx clearinghouse trust-list show, and puts the next one in force.',
  }),
  'message-expired': ({ madeAt, expiredAt, now }) => ({
    status: 409,
    title: 'The message has expired',
    message: `It was made on ${when(madeAt)} and was valid until ${when(expiredAt)}; it is now ${when(now)}.`,
    next: 'Have it made again: repeat the calyx command that wrote it. If the date is wrong, set the clock.',
  }),
  'message-not-for-us': ({ recipient }) => ({
    status: 409,
    title: 'The message is for somebody else',
    message: `It is addressed to ${recipient}.`,
    next: 'Bring it there; the ID of this server is shown by: calyx server status. Nothing was changed.',
  }),
  'message-out-of-order': ({ expected, found }) => ({
    status: 409,
    title: 'A message is missing',
    message: `Message ${expected} is the next one, but this is ${found}.`,
    next:
      'Bring the file that was made before this one, or make a new one, which carries everything: repeat the ' +
      'calyx command with --request-out.',
  }),
  'publisher-different': ({ expected, found }) => ({
    status: 409,
    title: 'Another publisher',
    message: `This belongs to publisher ${found}; this server belongs to ${expected}.`,
    next: 'Use the files of the right publisher, or set up a server of its own: calyx server init --data DIR --bundle FILE.',
  }),
};

export const moveAndMessageWords: WordsFor<MoveCodes | MessageCodes> = { ...moveWords, ...messageWords };
