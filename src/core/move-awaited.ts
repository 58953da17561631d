/** What a move waits for, and from whom, as a sentence for people. */
import type { Carrier, MoveState } from './move.ts';

/** From whom something is awaited, and what, as a sentence for people. */
export interface Awaited {
  readonly from: 'source' | 'target' | 'clearinghouse' | 'administrator' | 'nobody';
  readonly text: string;
}

const nothingMore: Awaited = { from: 'nobody', text: 'Nothing more: the move is finished.' };
const undone: Awaited = { from: 'nobody', text: 'Nothing more: the move was undone.' };

/** Of a move that was undone because what its source had frozen could not be taken in. */
export function awaitedRefused({ message }: { readonly message: string }): Awaited {
  return { ...undone, text: `${undone.text} What the source had frozen could not be taken in: ${message}` };
}

const awaitedOnline: Readonly<Record<MoveState, Awaited>> = {
  reserved: {
    from: 'source',
    text: 'The source is to freeze the CALs and send its receipt; it does so at its next contact.',
  },
  frozen: { from: 'clearinghouse', text: 'The clearinghouse is to grant the frozen CALs to the target.' },
  granted: { from: 'target', text: 'The target is to install the CALs and report it at its next contact.' },
  installed: {
    from: 'administrator',
    text: 'Try the target with a client, then finish the move on the source: repeat calyx server move without --hold.',
  },
  committed: {
    from: 'source',
    text: 'The source is to release the CALs and send its receipt; it does so at its next contact.',
  },
  closed: nothingMore,
  aborting: {
    from: 'target',
    text: 'The target is to give back what it installed, before the undo is complete.',
  },
  returning: {
    from: 'target',
    text: 'The source has given its CALs up; when the target gives back what it installed, they are in hand.',
  },
  aborted: undone,
  'dead-wait': {
    from: 'clearinghouse',
    text: 'The horizon of the source is to pass; then the clearinghouse grants its CALs to the target.',
  },
  fenced: {
    from: 'target',
    text: 'The source is fenced off. The target is to install the CALs and report it at its next contact.',
  },
};

const release =
  'Install and try the unissued CALs on the target, then deactivate the source (calyx server deactivate ' +
  '--code-out) or release this product there (calyx server move --release), and read its code: calyx desk confirm CODE.';

const awaitedByTelephone: Readonly<Record<MoveState, Awaited>> = {
  reserved: {
    from: 'source',
    text:
      'Freeze the CALs on the source (calyx server move --freeze) and read its code to the clearinghouse: ' +
      'calyx desk confirm CODE.',
  },
  frozen: {
    from: 'clearinghouse',
    text: 'The clearinghouse is to read out the key pack of the unissued CALs.',
  },
  granted: { from: 'source', text: release },
  installed: { from: 'source', text: release },
  committed: { from: 'source', text: release },
  closed: {
    from: 'nobody',
    text: 'Nothing more, once the codes that were read out are typed on the target (calyx desk repeat reads them again).',
  },
  aborting: awaitedOnline.aborting,
  returning: awaitedOnline.returning,
  aborted: undone,
  'dead-wait': awaitedOnline['dead-wait'],
  fenced: awaitedOnline.fenced,
};

/** What a move waits for, in words. */
export function awaited(state: MoveState, carrier: Carrier): Awaited {
  return (carrier === 'online' ? awaitedOnline : awaitedByTelephone)[state];
}

/** What a move by messages waits for whose target is deactivated; undefined: nothing of that target. */
export function awaitedDeactivated(state: MoveState): Awaited | undefined {
  const is = 'The target is deactivated, and the source goes on serving.';
  const again =
    'to be activated again (calyx server activate), or the move to be undone: calyx desk cancel MOVE.';
  switch (state) {
    case 'granted':
      return {
        from: 'target',
        text: `${is} It is to install the CALs at its next contact; then it is ${again}`,
      };
    case 'installed':
      return { from: 'target', text: `${is} It has installed the CALs, and is ${again}` };
    case 'aborting': {
      const only = 'It is deactivated: where it has passed some of it on, it is to be activated again first.';
      return { from: 'target', text: `${awaitedOnline.aborting.text} ${only}` };
    }
    default:
      return undefined;
  }
}

/** How far an undo that was asked for at one end has come: not asked, not heard of yet, or heard and not answered. */
export type UndoStanding = 'none' | 'asked' | 'heard';

/** A move as one of its ends knows it. The states are those that its list shows (docs/moves.md). */
export interface MoveAtServer {
  readonly role: 'source' | 'target';
  readonly state: string;
  readonly carrier: Carrier;
  readonly hold: boolean;
  readonly undo: UndoStanding;
  /** Whether this server is activated under the agreement of the move. */
  readonly active: boolean;
}

const askedFor: Awaited = {
  from: 'clearinghouse',
  text: 'The clearinghouse is to take the move in and have the CALs frozen; it does so at the next contact, or by file.',
};

const declared: Awaited = {
  from: 'clearinghouse',
  text: 'The clearinghouse is to take the declaration in; it does so at the next contact, or by file.',
};

const keyPackOfDead: Awaited = {
  from: 'clearinghouse',
  text:
    'When the horizon of the source has passed, or a second person has released its CALs earlier, the ' +
    'clearinghouse reads their key pack out. Type it here: calyx server install --code CODE --from ID (above 2,048 CALs ' +
    'with --quantity N; again with --from, if it was typed without).',
};

const held: Readonly<Record<MoveAtServer['role'], Awaited>> = {
  source: {
    from: 'administrator',
    text: 'The move is held: try the target with a client, then finish it here: repeat calyx server move without --hold.',
  },
  target: {
    from: 'administrator',
    text:
      'The move is held: try this license server with a client, then finish it on the source: repeat calyx server ' +
      'move without --hold there.',
  },
};

const installedHere: Awaited = {
  from: 'clearinghouse',
  text: 'The CALs are installed here. The clearinghouse is to hear of it, at the next contact or by file, and to commit the move.',
};

const deactivatedHere: Awaited = {
  from: 'administrator',
  text:
    'The CALs are installed here, but this license server is deactivated, and the source goes on serving. Activate it ' +
    'again (calyx server activate), or undo the move: calyx server move --undo.',
};

const undoAsked: Awaited = {
  from: 'clearinghouse',
  text: 'The clearinghouse is to hear that the move is to be undone; it does so at the next contact, or by file.',
};

const withdrawn: Awaited = {
  from: 'nobody',
  text: 'Nothing more: nothing was frozen. The clearinghouse hears of it at the next contact, or by file.',
};

/** What a move waits for, as one of its ends can tell; the clearinghouse knows the rest. */
export function awaitedAtServer({ role, state, carrier, hold, undo, active }: MoveAtServer): Awaited {
  const open = state === 'requested' || state === 'frozen' || state === 'provisional';
  // Of a source that was declared dead nothing has come, which could be given back.
  if (undo !== 'none' && state === 'dead-wait') return undoAsked;
  if (undo !== 'none' && open) return undo === 'asked' ? undoAsked : awaited('aborting', carrier);
  switch (state) {
    case 'requested':
      return role === 'target' ? declared : askedFor;
    case 'dead-wait':
      return carrier === 'telephone' ? keyPackOfDead : awaited('dead-wait', carrier);
    case 'frozen':
      return hold ? held.source : awaited('granted', carrier);
    case 'undone':
      return undo === 'none' ? undone : withdrawn;
    case 'refused':
    case 'relinquished':
      return undone;
    case 'provisional':
      if (!active) return deactivatedHere;
      return hold ? held.target : installedHere;
    case 'final':
      return awaited('committed', carrier);
    default:
      return awaited('closed', carrier);
  }
}
