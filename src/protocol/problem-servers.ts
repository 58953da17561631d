/** Words for what a license server is (or is no longer), and for requests of licenses. */
import type { RefusalCode } from '../core/refusal.ts';
import type { WordsFor } from './problem-words.ts';
import { cals, doubtWords, when } from './problem-words.ts';

type LicenseCodes = Extract<
  RefusalCode,
  | 'none-available'
  | 'product-not-installed'
  | 'temporary-used-up'
  | 'temporary-cap'
  | 'host-not-allowed'
  | 'license-unknown'
  | 'license-moved'
  | 'type-not-supported'
  | 'source-token-invalid'
  | 'referral-invalid'
  | 'referral-expired'
  | 'referral-loop'
  | 'referral-address-unknown'
>;

type ServerCodes = Extract<
  RefusalCode,
  | 'server-unknown'
  | 'not-activated'
  | 'already-activated'
  | 'deactivated'
  | 'server-closed'
  | 'server-suspect'
  | 'server-in-doubt'
  | 'strangers-limited'
  | 'clearinghouse-forked'
  | 'clearinghouse-recovering'
  | 'request-forgotten'
  | 'server-declared-dead'
  | 'kit-missing'
  | 'kit-full'
  | 'horizon-passed'
  | 'clock-behind'
  | 'clock-ahead'
  | 'holders-remain'
  | 'no-clearinghouse-address'
  | 'clearinghouse-unreachable'
  | 'answer-pending'
>;

const licenseWords: WordsFor<LicenseCodes> = {
  'none-available': ({ product, type, installed, unissued }) => ({
    status: 409,
    title: 'No CAL is free',
    message: `All ${cals(installed)} of "${product}" per ${type} installed here are in use (${unissued} free).`,
    next:
      'Install more with: calyx server install, or move some here with: calyx server move. ' +
      'A CAL also comes back when a holder returns it or its license ends; calyx server licenses shows when, and which ' +
      'are kept longer after a move by telephone.',
  }),
  'product-not-installed': ({ product }) => ({
    status: 409,
    title: 'No CALs of this product are installed',
    message: `This license server holds no CALs that serve "${product}".`,
    next: 'See what is installed with: calyx server packs. Install a key pack with: calyx server install.',
  }),
  'temporary-used-up': ({ product, expiredAt }) => ({
    status: 409,
    title: 'The temporary license has ended',
    message:
      `This device had its one temporary license for "${product}"; it ended on ${when(expiredAt)}. A ` +
      'permanent one needs an activated server and a confirmed sign-in.',
    next:
      'Check with calyx server status that the server is activated and has CALs, then confirm a real sign-in ' +
      `of the device: POST /v1/licenses/${product}/devices/DEVICE/validate.`,
  }),
  'temporary-cap': ({ product, cap }) => ({
    status: 409,
    title: 'Too many temporary licenses',
    message: `${cap} temporary licenses for "${product}" are in use already; that is the most this server may give.`,
    next:
      'Install more CALs with: calyx server install. Temporary licenses become permanent after a ' +
      'confirmed sign-in while CALs are free (calyx server licenses).',
  }),
  'host-not-allowed': ({ host }) => ({
    status: 403,
    title: 'This host may not ask for licenses',
    message: `"${host}" is not in the list of hosts that this license server serves.`,
    next: 'Let it ask, at once, with: calyx server hosts --allow ADDRESSES (the list takes the place of the one before).',
  }),
  'license-unknown': ({ product, holder }) => ({
    status: 404,
    title: 'No such license',
    message: `"${holder}" has no license for "${product}" from this server.`,
    next: 'See who has one with: calyx server licenses. Ask for one with: calyx license request.',
  }),
  'license-moved': ({ product, licenseServerId }) => ({
    status: 409,
    title: 'This license has moved to another license server',
    message: `The CAL for "${product}" that this holder had here has moved to license server ${licenseServerId}.`,
    next:
      'Ask that server: calyx license request --server ADDRESS. A license in hand stays valid until its end. If that server ' +
      'has no CAL for this holder, ask here again when that license has ended, after a move by telephone 89 days after the ' +
      'move: a CAL that is free here is then given to it as to anybody.',
  }),
  'type-not-supported': ({ type }) => ({
    status: 400,
    title: 'This type of CAL is not supported yet',
    message: `This version gives out CALs per device and per user, not of type "${type}".`,
    next: 'Ask for a device or a user: calyx license request --device NAME, or --user NAME.',
  }),
  'referral-invalid': ({ problem }) => ({
    status: 403,
    title: 'The referral is not to be followed',
    message: `The license server sends its clients to another one, but what it sends is not to be believed: ${problem}.`,
    next:
      'Name the right license server: calyx license request --server URL. The token in hand stays valid until its ' +
      'end. If this goes on, tell the administrator of the license server: somebody may answer in its place.',
  }),
  'referral-expired': ({ expiredAt, now }) => ({
    status: 409,
    title: 'The referral has expired',
    message: `The referral to another license server was good until ${when(expiredAt)}; it is now ${when(now)}.`,
    next:
      'Ask again: calyx license request makes the license server sign a new one. If it goes on, the clock of one ' +
      'of the two is wrong.',
  }),
  'referral-loop': ({ licenseServerIds }) => ({
    status: 409,
    title: 'The license servers refer to each other',
    message: `Each of these license servers sends the client on, and none has a CAL for it: ${licenseServerIds.join(' → ')}.`,
    next:
      'The administrator sees on each of them what is there: calyx server packs. Then name the one that has CALs: ' +
      'calyx license request --server URL.',
  }),
  'referral-address-unknown': ({ licenseServerId, tried }) => ({
    status: 409,
    title: 'The address of the new license server is not known',
    message:
      tried.length === 0
        ? `The CALs have moved to license server ${licenseServerId}, and nobody has said where that is.`
        : `The CALs have moved to license server ${licenseServerId}, but another one answers at ${tried.join(', ')}.`,
    next:
      'Name its address as well: calyx license request --server URL,URL. Its administrator can make it known: ' +
      'calyx server address URL.',
  }),
  'source-token-invalid': ({ problem }) => ({
    status: 400,
    title: 'The token of the other license server is not valid',
    message: `The source token cannot be used: ${problem}.`,
    next:
      'Look at it with: calyx license show FILE. Without it the device is treated as a new one: ' +
      'calyx license request without --store.',
  }),
};

const serverWords: WordsFor<ServerCodes> = {
  'server-unknown': ({ licenseServerId }) => ({
    status: 404,
    title: 'Unknown license server',
    message: `No license server with the ID ${licenseServerId} has been activated here.`,
    next:
      'Have the ID read again (calyx server status shows it), then activate the server first: ' +
      'calyx desk activate --agreement N --server-id ID.',
  }),
  'not-activated': ({ agreement }) => ({
    status: 409,
    title: 'The license server is not activated',
    message:
      agreement === null
        ? 'This license server is not activated; until then it gives temporary device licenses only.'
        : `This license server is not activated for agreement "${agreement}".`,
    next: `Activate it: calyx server activate --agreement ${agreement ?? 'N'} (by telephone: --code CODE).`,
  }),
  'already-activated': ({ agreement }) => ({
    status: 409,
    title: 'The license server is activated already',
    message: `This license server is activated for agreement "${agreement}". Nothing was changed.`,
    next: 'Go on with installing CALs: calyx server install. What is there is shown by: calyx server status.',
  }),
  deactivated: () => ({
    status: 409,
    title: 'The license server is deactivated',
    message: 'This license server was deactivated and gives out no more licenses.',
    next:
      'Send clients to the server that took its CALs over. To use this one again, activate it: ' +
      'calyx server activate (the same code works).',
  }),
  'server-closed': ({ licenseServerId, generation }) => ({
    status: 409,
    title: 'The clearinghouse has closed this license server',
    message: `License server ${licenseServerId} is closed; its generation is now ${generation}.`,
    next: 'Activate it again before anything else: calyx server activate, at the desk calyx desk activate.',
  }),
  'strangers-limited': ({ refused, until }) => ({
    status: 429,
    title: 'Too many messages of unknown license servers',
    message: `${refused} messages of license servers that are not known here were refused within an hour. No more are refused in writing until ${when(until)}.`,
    next: 'Check the agreement number: with one that the clearinghouse knows, calyx server activate --agreement N works at any time.',
  }),
  'server-suspect': ({ licenseServerId, reason }) => ({
    status: 409,
    title: 'The license server and the books disagree',
    message: `License server ${licenseServerId} is under suspicion: ${reason}. It gets no new codes; its holders keep working.`,
    next:
      'Find out whether it was restored from an older backup or runs twice (calyx server status on each), ' +
      'then let the publisher decide.',
  }),
  'server-in-doubt': ({ reason, until }) => ({
    status: 409,
    title: 'The past of this license server is in doubt',
    message:
      `${doubtWords(reason)} Nobody new gets a license and nothing leaves it, until ` +
      `${when(until)} at the earliest. Who shows a license that runs is renewed.`,
    next:
      'Let it contact the clearinghouse, over the network or by file, which says whether it has seen more of this ' +
      'server: calyx server status shows what it has answered, and what to do.',
  }),
  'clearinghouse-forked': ({ agreement, seen, told }) => ({
    status: 409,
    title: 'The journal of the clearinghouse does not go on from what was seen',
    message:
      `For agreement "${agreement}" this license server has seen ${seen} entries of the clearinghouse's journal; ` +
      `the ${told} that it shows now are not those entries and more.`,
    next:
      'Its messages for this agreement are refused, and holders keep working. Ask the publisher whether the ' +
      'clearinghouse was restored from a backup; once its journal fits again, the next contact goes on. ' +
      'calyx server export keeps what this server has seen, for an auditor.',
  }),
  'clearinghouse-recovering': ({ agreement, backup, awaited, unknown, until }) => ({
    status: 409,
    title: 'The clearinghouse was restored, and waits for reports',
    message:
      `The clearinghouse was restored from a backup of ${when(backup)}. For agreement "${agreement}" it may have forgotten what ` +
      `it has granted since, and grants nothing new before it has heard from ${[
        ...(awaited.length === 0 ? [] : [`license server ${awaited.join(', ')}`]),
        ...(unknown ? ['those that were activated since'] : []),
      ].join(' and ')}, or until ${when(until)}. Present holders are served as ever.`,
    next:
      'Let each license server contact the clearinghouse, by connection or file; it then reports by itself. Who only telephones ' +
      'cannot report: calyx clearinghouse recovery shows who is awaited, and a supervisor can decide not to wait.',
  }),
  'request-forgotten': ({ backup }) => ({
    status: 409,
    title: 'The clearinghouse was restored and may have forgotten the request',
    message: `The clearinghouse was restored from a backup of ${when(backup)}, and may never answer what was asked before.`,
    next: 'Ask again (calyx server activate, install or move): nothing comes twice.',
  }),
  'server-declared-dead': ({ licenseServerId, move }) => ({
    status: 409,
    title: 'The license server was declared to function no longer',
    message: `License server ${licenseServerId} was declared to function no longer (move ${move}). It gets no new CALs and no further horizon, and once its CALs are granted elsewhere it is never activated again.`,
    next:
      'See how the move stands: calyx desk moves. If the server works after all, undo the move before its horizon: ' +
      'calyx desk cancel MOVE. A new installation is a new license server: calyx server init.',
  }),
  'kit-missing': ({ agreement }) => ({
    status: 409,
    title: 'The agreement kit is missing',
    message:
      agreement === null
        ? 'This server has no agreement kit, so it cannot check codes.'
        : `There is no kit (or one made before this product was added) for agreement "${agreement}", so codes cannot be checked.`,
    next:
      'The kit came with the agreement: calyx server kit add FILE. The publisher makes one with: ' +
      `calyx clearinghouse kit --agreement ${agreement ?? 'N'} --out FILE.`,
  }),
  'kit-full': ({ agreement, slots }) => ({
    status: 409,
    title: 'The agreement kit is used up',
    message: `All ${slots} slots of the kits of agreement "${agreement}" belong to other license servers.`,
    next: `Make another kit and give it to the customer: calyx clearinghouse kit --agreement ${agreement} --out FILE.`,
  }),
  'horizon-passed': ({ horizon, now }) => ({
    status: 409,
    title: 'The license server has had no contact for too long',
    message:
      `This server could give licenses to new holders until ${when(horizon)}; it is now ${when(now)}. ` +
      'Nothing is lost, and present holders are renewed until sunset.',
    next:
      'Renew it: calyx server heartbeat --code-out, read that code to the clearinghouse and type its answer ' +
      'with: calyx server code CODE. A server with a connection does so by itself.',
  }),
  'clock-behind': ({ now, seen }) => ({
    status: 409,
    title: 'The clock is behind',
    message: `This machine says ${when(now)}, but something made at ${when(seen)} has been seen already.`,
    next: 'Set the clock of the machine right and repeat the calyx command. Nothing was changed.',
  }),
  'clock-ahead': ({ now, seen }) => ({
    status: 409,
    title: 'The clock is ahead',
    message: `This machine says ${when(now)}, but the other side says ${when(seen)}.`,
    next: 'Set the clock of the machine right and repeat the calyx command. Nothing was changed.',
  }),
  'holders-remain': ({ issued, unissued, reserved }) => ({
    status: 409,
    title: 'There are CALs left on this server',
    message: `${cals(issued)} issued, ${unissued} unissued and ${reserved} reserved are still here, neither frozen nor returned.`,
    next: leftNext(issued + reserved),
  }),
  'no-clearinghouse-address': () => ({
    status: 409,
    title: 'No clearinghouse address is known',
    message: 'The automatic method needs the address of the clearinghouse, and this server has none.',
    next:
      'Give it: calyx server method automatic --clearinghouse URL. Or go on by file (--request-out FILE) or by ' +
      'telephone (--code CODE; for calyx server move --freeze, for calyx server deactivate --code-out).',
  }),
  'clearinghouse-unreachable': ({ url, detail }) => ({
    status: 503,
    title: 'The clearinghouse cannot be reached',
    message: `${url} does not answer: ${detail}. What is installed goes on working.`,
    next:
      'Repeat the calyx command later; it continues where it was. Or go on by file (--request-out FILE) or by ' +
      'telephone (--code CODE; for calyx server move --freeze, for calyx server deactivate --code-out).',
  }),
  'answer-pending': ({ waitingFor }) => ({
    status: 409,
    title: 'An answer is still awaited',
    message: `This waits for ${waitingFor}.`,
    next: 'Bring the answer (--response FILE, or --code CODE), or repeat the calyx command later to ask again.',
  }),
};

/** Only what is unissued can be given back; the rest is somebody's, or will be asked for. */
function leftNext(withHolders: number): string {
  const move = 'calyx server move, by telephone calyx server move --freeze';
  if (withHolders === 0)
    return `Move them first (${move}), or give them back: calyx server deactivate --return.`;
  return (
    `Move them first (${move}). Issued CALs, and those that are reserved for holders of another server, cannot be ` +
    'given back; what is unissued can: calyx server return.'
  );
}

export const serverAndLicenseWords: WordsFor<LicenseCodes | ServerCodes> = {
  ...licenseWords,
  ...serverWords,
};
