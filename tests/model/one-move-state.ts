/** One move by message (one-move.ts): its rules, the state of everything in it, and how that is written down. */
import type { Holders, Mail, Split } from './holders.ts';
import { mailKey, nobody, post } from './holders.ts';

/** The rules that a design may be without. */
export type Rule =
  | 'the grant waits for the freeze receipt'
  | 'a grant is applied once'
  | 'an undo waits for the receipt of the target'
  | 'an undone move leaves a tombstone'
  | 'a frozen source gives nothing to anybody new'
  | 'a dead source has its horizon to pass'
  | 'a source keeps its horizon'
  | 'a rollback is detected at start'
  | 'a suspect server renews nobody who has lapsed'
  | 'the commit waits until the target has installed'
  | 'a stored message clears no suspicion'
  | 'what a suspect server counts is quarantined'
  | 'ends of leases are carried to the new owner'
  | 'a reserved unit waits until its source is closed'
  | 'an inherited unit waits until its source is closed'
  | 'no timer cuts the source off';

export interface Design {
  readonly cals: number;
  readonly devices: number;
  /** The disk of the source is put back once, at any point. */
  readonly rollback: boolean;
  /** Also promised: whoever has a CAL has a server that may serve it. */
  readonly availability: boolean;
  readonly without: Rule | null;
}

export type MoveState =
  | 'none'
  | 'reserved'
  | 'frozen'
  | 'granted'
  | 'installed'
  | 'committed'
  | 'closed'
  | 'aborting'
  | 'aborted'
  | 'dead-wait';

export type Kind =
  | 'freeze'
  | 'frozen'
  | 'grant'
  | 'installed'
  | 'release'
  | 'released'
  | 'final'
  | 'close'
  | 'cancel'
  | 'relinquished'
  | 'unfreeze';

interface Clearinghouse {
  move: MoveState;
  committedToSource: number;
  committedToTarget: number;
  inTransit: number;
  frozen: Split;
  /** Granted because the source was declared dead. */
  ofDead: boolean;
  /** The unfreeze that was sent, to be sent again. */
  unfreeze: { readonly split: Split | null } | null;
}

interface Source {
  state: 'ok' | 'frozen' | 'closed';
  free: number;
  issued: Holders;
  tombstone: boolean;
  /** What the database says of the freeze: never heard of, standing, or over. */
  freeze: 'none' | 'standing' | 'over';
  receipt: Split;
  /** Its disk as it was, if somebody kept a copy. */
  copy: Source | null;
  /** Put back, and knows it: nothing is given until it was validated again. */
  suspect: boolean;
}

interface Target {
  state: 'none' | 'provisional' | 'final' | 'relinquished';
  free: number;
  issued: Holders;
  /** Holders of the source who have not come yet. */
  reserved: Holders;
  /** Of the issued, those who came from the source. */
  inherited: Holders;
  grants: number;
  receipt: { readonly split: Split | null } | null;
}

export interface State {
  ch: Clearinghouse;
  source: Source;
  target: Target;
  /** Who has a live token of the source, and of the target. */
  liveAtSource: Holders;
  liveAtTarget: Holders;
  dead: boolean;
  horizonPassed: boolean;
  clockLies: boolean;
  cutOff: boolean;
  wasPutBack: boolean;
  mail: Mail<Kind>;
}

const noUnits: Split = { free: 0, holders: nobody };

export function startOf(design: Design): State {
  const { cals } = design;
  return {
    ch: {
      ...{ move: 'none', committedToSource: cals, committedToTarget: 0, inTransit: 0 },
      ...{ frozen: noUnits, ofDead: false, unfreeze: null },
    },
    source: {
      ...{ state: 'ok', free: cals, issued: nobody, tombstone: false },
      ...{ freeze: 'none', receipt: noUnits, copy: null, suspect: false },
    },
    target: {
      ...{ state: 'none', free: 0, issued: nobody, reserved: nobody, inherited: nobody },
      ...{ grants: 0, receipt: null },
    },
    ...{ liveAtSource: nobody, liveAtTarget: nobody, dead: false, horizonPassed: false },
    ...{ clockLies: false, cutOff: false, wasPutBack: false, mail: [] },
  };
}

const splitKey = ({ free, holders }: Split): string => `${free}+${holders}`;

function sourceKey(source: Source): string {
  const { state, free, issued, tombstone, freeze, receipt, suspect } = source;
  return `${state}${free}+${issued}${tombstone ? 't' : ''}${freeze}${splitKey(receipt)}${suspect ? '?' : ''}`;
}

const toldKey = (told: { readonly split: Split | null } | null): string => {
  if (told === null) return '';
  return told.split === null ? '-' : splitKey(told.split);
};

export function keyOf(state: State): string {
  const { ch, source, target } = state;
  const copy = source.copy === null ? '' : sourceKey(source.copy);
  const flags = [ch.ofDead, state.dead, state.horizonPassed, state.clockLies, state.cutOff, state.wasPutBack];
  return [
    ...[ch.move, ch.committedToSource, ch.committedToTarget, ch.inTransit, splitKey(ch.frozen)],
    ...[toldKey(ch.unfreeze), sourceKey(source), copy, target.state, target.free, target.issued],
    ...[target.reserved, target.inherited, target.grants, toldKey(target.receipt)],
    ...[state.liveAtSource, state.liveAtTarget, flags.map(Number).join(''), mailKey(state.mail)],
  ].join('|');
}

/** Adds a step that changes a copy of the state. */
export type Add = (event: string, change: (next: State) => void) => void;

export interface Scene {
  readonly state: State;
  readonly design: Design;
  /** Whether the design keeps a rule. */
  readonly keeps: (rule: Rule) => boolean;
  readonly add: Add;
}

export const serves = ({ target }: State): boolean =>
  target.state === 'provisional' || target.state === 'final';

export const send = (next: State, kind: Kind, split: Split | null = null): void => {
  next.mail = post(next.mail, kind, split);
};

/** Committed to the source → in transit. */
export function toTransit(ch: Clearinghouse): void {
  ch.inTransit += ch.committedToSource;
  ch.committedToSource = 0;
}

/** In transit → committed to the source: the move is over, and the source is told. */
export function backToSource(next: State, split: Split | null): void {
  const { ch } = next;
  ch.committedToSource += ch.inTransit;
  ch.inTransit = 0;
  ch.move = 'aborted';
  ch.unfreeze = { split };
  send(next, 'unfreeze', split);
}
