/**
 * One run: so many steps, each of them an act of somebody at random and then every check, and at the end
 * all faults off and everything delivered. The same seed makes the same run, to the byte.
 */
import { createHash } from 'node:crypto';
import { dayMs, hourMs, minuteMs, secondMs } from '../../src/core/time.ts';
import { takeSnapshot } from '../world/snapshot.ts';
import { checkStep } from './books.ts';
import { carryOn, setUp } from './carry-on.ts';
import { chanceOf, pickWeighted } from './chances.ts';
import { deaths } from './dead.ts';
import { doubts } from './doubts.ts';
import { endQuietly } from './end.ts';
import { holders, revokeListed } from './holders.ts';
import { signIn } from './hosts.ts';
import { makeSim } from './make-sim.ts';
import { overlaps } from './overlap.ts';
import type { Act } from './people.ts';
import { people } from './people.ts';
import { contact, deliver, writeFile } from './post.ts';
import type { CrashPlan } from './program.ts';
import { Crashed } from './program.ts';
import { putBacks } from './put-back.ts';
import type { Sim } from './sim.ts';
import { anyServer, programsOf } from './sim.ts';
import { Violation } from './tokens.ts';
import { lookAtClocks, startAgain } from './upkeep.ts';

const wait: Act = async (sim) => {
  const { pace } = sim.profile;
  const days = sim.chance.pick([0.1, 1, 3, 8, 8, 30]) * pace;
  sim.nowMs += Math.floor(days * dayMs);
  return `${days} days go by`;
};

/** Nobody touches anything for a long time: leases, reserves and horizons end. */
const waitLong: Act = async (sim) => {
  const days = sim.chance.pick([60, 90, 120, 400]);
  sim.nowMs += days * dayMs;
  return `${days} days go by`;
};

/** A clock that is off: a little, or by up to 400 days, for a while. */
const clock: Act = async (sim) => {
  const server = anyServer(sim);
  const off = sim.chance.pick([0, 0, 0, hourMs * 12, -hourMs * 12, dayMs * 30, -dayMs * 30, dayMs * 400]);
  server.skewMs = sim.chance.happens(0.1) ? -dayMs * 400 : off;
  return `the clock of ${server.name} is ${Math.round(server.skewMs / hourMs)} hours off`;
};

const restart: Act = async (sim) => {
  const program = sim.chance.pick(programsOf(sim));
  await program.stop();
  await program.start();
  return `${program.name} is killed and started again`;
};

const goOn: Act = async (sim) => carryOn(sim, anyServer(sim));

const acts = {
  ...people,
  ...deaths,
  ...overlaps,
  goOn,
  ...holders,
  ...putBacks,
  ...doubts,
  contact,
  writeFile,
  deliver,
  wait,
  waitLong,
  clock,
  restart,
};

type ActName = keyof typeof acts;

function weightsOf({ profile }: Sim): Readonly<Record<ActName, number>> {
  const { online, files, telephone, moves, loss, pace } = profile;
  return {
    ...{ request: 45, giveUp: 1.2, sweep: 2, contact: 14 * online, writeFile: 5 * files },
    ...{ deliver: 10 * files + 30 * loss, wait: 7, waitLong: 0.15 * pace, clock: profile.clocks ? 1 : 0 },
    ...{ goOn: 2 * moves, restart: 0.3, twice: 1.5, activate: 1.5 * telephone, horizon: 0.6 * telephone },
    ...{ repeat: 0.8 * telephone, keyPack: 3 * telephone, sell: 0.3, deskMove: 2.5 * telephone * moves },
    ...{
      cancel: 0.6 * moves,
      undo: 0.6 * moves,
      confirm: 7 * telephone,
      misread: 0.3 * telephone,
      type: 9 * telephone,
    },
    ...{ typeOld: 1.5 * telephone, mistype: 0.4 * telephone, freeze: 4 * telephone * moves },
    ...{ release: 3 * telephone * moves, giveBack: 0.6, heartbeat: 0.6 * telephone, deactivate: 0.25 },
    ...{ askActivation: 1.5 * (online + files), askInstall: 2.5 * (online + files) },
    ...{ moveOnline: 2 * moves * (online + files), method: 0.15 },
    ...{ fail: profile.deaths, comeBack: 0.6 * profile.deaths, declare: 1.5 * profile.deaths },
    ...{ declareAtDesk: 1.5 * telephone * profile.deaths, approve: 0.6 * profile.deaths },
    ...{
      lostLine: 0.7 * profile.deaths + profile.lostLines,
      awaitDeath: 1.2 * profile.deaths,
      days: profile.deaths + profile.overlaps / 2,
      morning: 0.8 * (profile.deaths + profile.overlaps),
    },
    ...{ longMove: profile.overlaps * online, longCall: profile.overlaps * telephone },
    untimely: profile.untimely,
    onward: profile.onward,
    leaveEarly: profile.leftEarly,
    ...{ copyDisk: profile.putBacks, putBack: profile.putBacks },
    ...{ doubt: profile.doubts, looks: 4 * profile.doubts, startAnew: profile.doubts / 2 },
  };
}

function planCrash(sim: Sim): void {
  if (!sim.chance.happens(sim.profile.crashes)) return;
  const plan: CrashPlan = {
    writes: sim.chance.pick([0, 0, 0, 1, 1, 2, 3, 5]),
    where: sim.chance.pick(['before', 'within', 'after', 'after']),
  };
  const dies = sim.chance.happens(0.3) ? sim.clearinghouse : anyServer(sim).program;
  dies.planCrash(plan);
}

async function oneStep(sim: Sim, name: ActName): Promise<string> {
  sim.nowMs += sim.chance.between(1, 90) * (sim.chance.happens(0.2) ? minuteMs : secondMs);
  // Before the act too: a license that ended in these minutes may be somebody else's within it.
  lookAtClocks(sim);
  planCrash(sim);
  let words: string;
  try {
    words = await acts[name](sim);
  } catch (error) {
    if (!(error instanceof Crashed)) throw error;
    words = `${name}: no answer`;
  }
  words += await startAgain(sim);
  if (name === 'giveUp') {
    for (const server of sim.servers.filter(({ program }) => program.isUp)) await revokeListed(sim, server);
  }
  lookAtClocks(sim);
  await checkStep(sim);
  return words + signIn(sim);
}

/** Most servers are set up at once, so that most steps have something to do. */
async function setUpAll(sim: Sim): Promise<string> {
  const words: string[] = [];
  sim.faults = false;
  for (const server of sim.servers) {
    sim.step -= 1;
    if (!sim.chance.happens(0.9)) continue;
    const { online, telephone } = sim.profile;
    const by = sim.chance.happens(telephone / (telephone + online)) ? 'telephone' : 'wire';
    words.push(await setUp(sim, server, by));
  }
  sim.faults = true;
  await checkStep(sim);
  return words.join('; ');
}

export interface RunOptions {
  readonly seed: number;
  readonly steps: number;
  /** Steps that are left out. */
  readonly without?: ReadonlySet<number>;
  /** Whether it has an end, in which everything is delivered and nothing may be missing; it has one unless this is false. */
  readonly ending?: boolean;
}

export interface Run {
  readonly failure: Error | undefined;
  /** The checker that fired, or `exception`. */
  readonly checker: string | undefined;
  /** The step that failed; -1 where it was the end, or nothing did. */
  readonly failedAt: number;
  readonly history: readonly { readonly step: number; readonly words: string }[];
  /** Over all that was said and all that is stored. */
  readonly hash: string;
  readonly years: number;
  /** How long the slowest of its messages and files was on its way. */
  readonly slowestDays: number;
}

/** Runs a seed. Never throws for what the programs do: that is in the answer. */
export async function run({ seed, steps, without, ending = true }: RunOptions): Promise<Run> {
  const sim = await makeSim(seed);
  const beganMs = sim.nowMs;
  const history: { step: number; words: string }[] = [];
  let failure: Error | undefined;
  let at = 0;
  try {
    const weights = weightsOf(sim);
    history.push({ step: -1, words: await setUpAll(sim) });
    for (at = 0; at < steps; at += 1) {
      if (without?.has(at) === true) continue;
      sim.step = at;
      sim.chance = chanceOf(seed, at, 0);
      sim.random.useStep(seed, at);
      const name = pickWeighted(sim.chance, weights);
      history.push({ step: at, words: name });
      const words = await oneStep(sim, name);
      history[history.length - 1] = { step: at, words };
    }
    at = -1;
    sim.step = steps;
    sim.random.useStep(seed, steps);
    if (ending) {
      history.push({ step: -1, words: 'everything arrives, and everybody does what is awaited' });
      await endQuietly(sim, (words) => history.push({ step: -1, words }));
    }
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  const hash = failure === undefined ? await hashOf(sim, history) : '';
  const years = ((sim.nowMs - beganMs) / dayMs / 365) * sim.servers.length;
  const slowestDays = Math.floor(sim.latestArrivalMs / dayMs);
  await sim.close();
  const checker = failure instanceof Violation ? failure.checker : failure && 'exception';
  return { failure, checker, failedAt: failure === undefined ? -1 : at, history, hash, years, slowestDays };
}

async function hashOf(sim: Sim, history: Run['history']): Promise<string> {
  const hash = createHash('sha256');
  for (const { words } of history) hash.update(`${words}\n`);
  const snapshot = await takeSnapshot(programsOf(sim).map(({ name, store }) => ({ name, store })));
  for (const [table, rows] of snapshot) hash.update(`${table}\n${rows.join('\n')}\n`);
  return hash.digest('hex');
}
