/** One move by message (one-move.ts): what each party makes of each letter, as a table. */
import type { Letter, Split } from './holders.ts';
import { countOf, nobody } from './holders.ts';
import type { Kind, Scene, State } from './one-move-state.ts';
import { backToSource, send, toTransit } from './one-move-state.ts';

/** What each party makes of a letter; nothing where it ignores it. */
type Handlers = Readonly<
  Record<Kind, (scene: Scene, letter: Letter<Kind>) => ((next: State) => void) | null>
>;

const sendReceipt = (next: State): void => send(next, 'frozen', next.source.receipt);

export const handlers: Handlers = {
  freeze: ({ state, keeps }) => {
    const { source } = state;
    if (state.dead || (source.suspect && source.state === 'ok')) return null;
    if (source.state === 'frozen') return sendReceipt;
    const refuses = source.tombstone && keeps('an undone move leaves a tombstone');
    if (source.state !== 'ok' || refuses) return null;
    return (next) => {
      next.source.state = 'frozen';
      next.source.freeze = 'standing';
      next.source.receipt = { free: source.free, holders: source.issued };
      sendReceipt(next);
    };
  },
  frozen: ({ state }, { split }) => {
    const { move, unfreeze } = state.ch;
    if (move === 'aborted') return (next) => send(next, 'unfreeze', unfreeze?.split ?? null);
    const inTime = move === 'dead-wait' && !state.horizonPassed;
    if (split === null || (move !== 'reserved' && !inTime)) return null;
    return (next) => {
      next.ch.move = 'frozen';
      next.ch.frozen = split;
      toTransit(next.ch);
    };
  },
  grant: ({ state, keeps }, { split }) => {
    const { target } = state;
    const twice = !keeps('a grant is applied once') && target.state === 'provisional' && target.grants < 2;
    if (split !== null && (target.state === 'none' || twice)) {
      return (next) => {
        next.target.state = 'provisional';
        next.target.free += split.free;
        next.target.reserved |= split.holders;
        next.target.grants += 1;
        send(next, 'installed');
      };
    }
    return target.state === 'provisional' ? (next) => send(next, 'installed') : null;
  },
  installed: ({ state }) => {
    if (state.ch.move !== 'granted') return null;
    return (next) => {
      next.ch.move = 'installed';
    };
  },
  release: ({ state }) => {
    if (state.dead) return null;
    return (next) => {
      closeSource(next);
      send(next, 'released');
    };
  },
  close: ({ state }) => (state.dead || state.source.state === 'closed' ? null : closeSource),
  released: ({ state }) => {
    if (state.ch.move !== 'committed') return null;
    return (next) => {
      next.ch.move = 'closed';
    };
  },
  final: ({ state }) => {
    if (state.target.state !== 'provisional') return null;
    return (next) => {
      next.target.state = 'final';
    };
  },
  cancel: ({ state }) => {
    const { target } = state;
    const repeat = (next: State): void => send(next, 'relinquished', next.target.receipt?.split ?? null);
    if (target.state === 'relinquished') return repeat;
    if (target.state === 'final') return null;
    return (next) => {
      const gone = { free: target.free, holders: target.issued | target.reserved };
      next.target.receipt = { split: target.state === 'none' ? null : gone };
      next.target.state = 'relinquished';
      next.target.free = 0;
      next.target.reserved = nobody;
      repeat(next);
    };
  },
  relinquished: ({ state }, { split }) => {
    if (state.ch.move !== 'aborting') return null;
    return (next) => backToSource(next, split ?? next.ch.frozen);
  },
  unfreeze: ({ state, keeps }, { split }) => {
    const { source } = state;
    if (state.dead || (source.suspect && keeps('a stored message clears no suspicion'))) return null;
    if (source.state === 'frozen' || source.suspect) return (next) => unfreeze(next, split);
    const stays = keeps('an undone move leaves a tombstone') && !source.tombstone;
    if (source.state !== 'ok' || !stays) return null;
    return (next) => {
      next.source.tombstone = true;
    };
  },
};

function closeSource(next: State): void {
  next.source.suspect = false;
  if (next.source.state === 'closed') return;
  next.source.state = 'closed';
  next.source.free = 0;
}

function unfreeze(next: State, split: Split | null): void {
  const { source } = next;
  const { receipt } = source;
  const known = receipt.free + countOf(receipt.holders) > 0 ? receipt : null;
  const now = split ?? known;
  source.state = 'ok';
  source.tombstone = true;
  source.freeze = 'over';
  source.suspect = false;
  if (now !== null) {
    source.free = now.free;
    source.issued = now.holders;
  }
  next.cutOff = false;
}

export const receivers: Readonly<Record<Kind, string>> = {
  ...{ freeze: 'source', unfreeze: 'source', release: 'source', close: 'source' },
  ...{ frozen: 'clearinghouse', installed: 'clearinghouse', released: 'clearinghouse' },
  ...{ relinquished: 'clearinghouse', grant: 'target', cancel: 'target', final: 'target' },
};
