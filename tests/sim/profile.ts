/** What kind of run a seed is: who does what how often, and what goes wrong. */
import type { Chance } from '../kill/random.ts';

export interface Profile {
  /** How many devices and users there are; fewer come back more often. */
  readonly holders: number;
  /** How often each way of moving is taken. */
  readonly online: number;
  readonly files: number;
  readonly telephone: number;
  /** Of messages: lost, twice, or late. */
  readonly loss: number;
  /** Of steps, in which a program crashes. */
  readonly crashes: number;
  /** Whether clocks are put forward and back. */
  readonly clocks: boolean;
  /** How quickly time goes by. */
  readonly pace: number;
  /** How much is moved about. */
  readonly moves: number;
  /** How often license servers fail, and are declared to function no longer. */
  readonly deaths: number;
  /** How often moves take weeks. */
  readonly overlaps: number;
  /** How often a server reads its mail while its clock is out of time. */
  readonly untimely: number;
  /** How often a server that lives and is cut off is declared dead; most CALs are then of the line that has few. */
  readonly lostLines: number;
  /** How often CALs go on from a target whose source has not heard that they are there. */
  readonly onward: number;
  /** How often holders leave a server that was declared dead and lives at once, long before its horizon. */
  readonly leftEarly: number;
  /** How often a disk is put back to an earlier copy; holders show what they have then. */
  readonly putBacks: number;
  /** How often the past of a server comes into doubt: its disk is put back to any earlier copy, or its mark is lost. */
  readonly doubts: number;
}

type Kind =
  | 'put back'
  | 'in doubt'
  | 'plain'
  | 'deaths'
  | 'lost lines'
  | 'left early'
  | 'overlaps'
  | 'onward';

/**
 * Of every five thousand seeds those of the second thousand have servers that fail (of every other second thousand,
 * servers that only seem to), and those of the fifth have long moves (the second half of them also clocks that were
 * ahead; of every other fifth thousand, moves that go on before their source has heard of the end). Of every ten
 * thousand those of the ninth have servers whose holders leave them early, and those of the fourth disks that are put back
 * (of every fifth, seventh and ninth ten thousand, such that the past of a server is in doubt); the others have none of these.
 */
function kindOf(seed: number): Kind {
  const thousand = Math.floor(seed / 1000) % 10;
  if (thousand % 5 === 1) return thousand === 6 ? 'lost lines' : 'deaths';
  if (thousand % 5 === 4) return thousand === 9 ? 'onward' : 'overlaps';
  if (thousand === 3) return [4, 6, 8].includes(Math.floor(seed / 10_000) % 10) ? 'in doubt' : 'put back';
  return thousand === 8 ? 'left early' : 'plain';
}

/** After so many steps little is left to happen: the servers of such a run have failed, and its steps are long. */
export function mostSteps(seed: number): number {
  return {
    'put back': 1000,
    'in doubt': 400,
    plain: 1000,
    overlaps: 150,
    onward: 100,
    deaths: 120,
    'lost lines': 60,
    'left early': 60,
  }[kindOf(seed)];
}

export function profileOf(seed: number, chance: Chance): Profile {
  const [online, files, telephone] = chance.pick([
    [1, 0.05, 0.05],
    [0.1, 1, 0.1],
    [0.05, 0.05, 1],
    [1, 0.5, 1],
    [1, 0.2, 0.4],
  ]) as [number, number, number];
  const plain = {
    ...{ online, files, telephone },
    holders: chance.pick([4, 7, 12, 20]),
    loss: chance.pick([0, 0.05, 0.2]),
    crashes: chance.pick([0, 0.02, 0.1]),
    clocks: chance.happens(0.2),
    pace: chance.pick([0.3, 1, 3]),
    moves: chance.pick([0.5, 1, 3]),
    ...{ deaths: 0, overlaps: 0, untimely: 0, lostLines: 0, onward: 0, leftEarly: 0, putBacks: 0, doubts: 0 },
  };
  const kind = kindOf(seed);
  if (kind === 'plain') return plain;
  // Fewer come more often, and little is lost: what is twice in the world then shows soon.
  const { holders, loss, moves } = plain;
  const dense = { ...plain, holders: Math.min(holders, 8), loss: loss / 2 };
  if (kind === 'put back') return { ...dense, moves: moves / 5, putBacks: 2 };
  if (kind === 'in doubt') return { ...dense, moves: moves / 2, putBacks: 1, doubts: 1.5 };
  if (kind === 'lost lines') {
    return { ...dense, holders: 6, loss: 0, crashes: 0, moves: moves / 5, deaths: 0.5, lostLines: 12 };
  }
  if (kind === 'left early') {
    return { ...dense, holders: 6, loss: 0, crashes: 0, moves: moves / 5, deaths: 0.5, leftEarly: 12 };
  }
  if (kind === 'onward') {
    return { ...dense, online: 1, loss: 0, crashes: 0, moves: moves / 5, overlaps: 1, onward: 8 };
  }
  return kind === 'deaths'
    ? { ...dense, moves: moves / 5, deaths: chance.pick([2, 4]) }
    : { ...dense, overlaps: chance.pick([2, 4]), untimely: seed % 1000 < 500 ? 0 : 2 };
}
