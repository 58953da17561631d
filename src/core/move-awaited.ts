/** What a move waits for, and from whom, as a sentence for people. */
import type { Carrier, MoveState } from './move.ts';

/** From whom something is awaited, and what, as a sentence for people. */
export interface Awaited {
  readonly from: 'source' | 'target' | 'clearinghouse' | 'administrator' | 'nobody';
  readonly text: string;
}

const nothingMore: Awaited = { from: 'nobody', text: 'Nothing more: the move is finished.' };
const undone: Awaited = { from: 'nobody', text: 'Nothing more: the move was undone.' };

const awaitedOnline: Readonly<Record<MoveState, Awaited>> = {
  reserved: {
    from: 'source',
    text: 'The source is to freeze the CALs and send its receipt; it does so at its next contact.',
  },
  frozen: { from: 'clearinghouse', text: 'The clearinghouse is to grant the frozen CALs to the target.' },
  granted: { from: 'target', text: 'The target is to install the CALs and report it at its next contact.' },
  installed: {
    from: 'administrator',
    text: 'Try the target, then confirm that it works: repeat calyx server move without --hold.',
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
