/** One run of the simulation: its programs, its people and devices, and everything that lies about. */
import type { ClearinghouseContext } from '../../src/clearinghouse/context.ts';
import type { CalType } from '../../src/core/product.ts';
import type { ServerContext } from '../../src/server/context.ts';
import type { Chance } from '../kill/random.ts';
import type { SeededRandom } from './chances.ts';
import type { SessionHost } from './hosts.ts';
import type { Profile } from './profile.ts';
import type { Program } from './program.ts';
import type { MemoryMark } from './put-back.ts';
import type { Books } from './replayed.ts';
import type { TokenBook } from './tokens.ts';

export type Clearinghouse = Program<ClearinghouseContext>;

/**
 * Whether its machine runs and its line is there. `cut`: it serves its holders, and reaches nobody. `off` may be
 * switched on again; `gone` is gone for good, with its database.
 */
export type Condition = 'up' | 'cut' | 'off' | 'gone';

/** A license server, and how far its clock is off. */
export interface SimServer {
  readonly program: Program<ServerContext>;
  readonly name: string;
  readonly id: string;
  skewMs: number;
  condition: Condition;
  /** Beside its instance secret; only where disks are put back. */
  readonly mark: MemoryMark | undefined;
}

/** Messages or a file under way, or in a drawer. */
export interface Parcel {
  readonly to: 'clearinghouse' | 'server';
  readonly by: 'wire' | 'file';
  /** The server that sent it, or that it answers. */
  readonly server: SimServer;
  readonly messages: readonly string[];
  readonly file: string;
  /** By the true time. */
  readonly sentMs: number;
}

/** A code that was read out, and what the caller knows of it. */
export interface ReadCode {
  readonly code: string;
  readonly kind: string;
  readonly for: string;
  /** Where a held key pack comes from, as far as is known. */
  readonly from: string | undefined;
}

/** An act that may be done a second time under the same id, and what it answered. */
export interface Done {
  readonly words: string;
  readonly again: () => Promise<unknown>;
  readonly answer: string;
}

export interface Sim {
  readonly seed: number;
  readonly profile: Profile;
  /** The true time. */
  nowMs: number;
  /** The latest time that any clock has shown: until then all that has ended by any of them has ended. */
  latestMs: number;
  step: number;
  chance: Chance;
  readonly random: SeededRandom;
  readonly clearinghouse: Clearinghouse;
  /** Those that are there, in whatever condition. */
  readonly servers: SimServer[];
  /** Those that are gone: people go on speaking of them. */
  readonly gone: SimServer[];
  readonly parcels: Parcel[];
  /** The longest that anything was on its way. */
  latestArrivalMs: number;
  readonly codes: ReadCode[];
  readonly told: { readonly code: string; readonly by: SimServer }[];
  /** Codes of servers that the desk has taken in: reading one again costs it a search. */
  readonly heard: Set<string>;
  readonly done: Done[];
  readonly tokens: TokenBook;
  readonly hosts: readonly SessionHost[];
  readonly books: Books;
  /** Off for the end, where everything arrives. */
  faults: boolean;
  /** Another license server, that has never been used; undefined: there are enough. */
  readonly replace: () => Promise<SimServer | undefined>;
  readonly close: () => Promise<void>;
}

/** Most often one of the newest few, as with people. */
export function recent<T>(sim: Sim, items: readonly T[]): T | undefined {
  if (items.length === 0) return undefined;
  return sim.chance.pick(sim.chance.happens(0.7) ? items.slice(-3) : items);
}

export const anyServer = (sim: Sim): SimServer => sim.chance.pick(sim.servers);

export function otherServer(sim: Sim, than: SimServer): SimServer {
  return sim.chance.pick(sim.servers.filter((server) => server !== than));
}

export const serverOf = (sim: Sim, id: string): SimServer | undefined =>
  sim.servers.find((server) => server.id === id);

export const nameOf = (sim: Sim, id: string): string =>
  [...sim.servers, ...sim.gone].find((server) => server.id === id)?.name ?? id;

/** Whether everybody comes often and has something to come for. */
export const isDense = ({ profile }: Sim): boolean => profile.deaths + profile.overlaps > 0;

/** Everything that is to run. */
export const programsOf = (sim: Sim): readonly Program<unknown>[] => [
  sim.clearinghouse,
  ...sim.servers.filter(({ condition }) => condition !== 'off').map(({ program }) => program),
];

export type LineType = Exclude<CalType, 'concurrent'>;

export const anyType = (sim: Sim): LineType =>
  sim.chance.happens(sim.profile.lostLines > 0 ? 0.2 : 0.75) ? 'device' : 'user';

/** An idempotency key of this step. */
export const requestId = (sim: Sim): string => `step-${sim.step}`;
