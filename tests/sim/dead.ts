/**
 * Sources that no longer function, or seem not to: machines fail, lines are cut, people declare what they
 * believe, rightly or not, and some of what was declared dead comes back (protocol §2.5).
 */
import { approveMove } from '../../src/clearinghouse/usecases/approve-release.ts';
import { giveHorizonCode } from '../../src/clearinghouse/usecases/desk-horizon.ts';
import { listMoves } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import { ok } from '../../src/core/result.ts';
import { dayMs, hourMs, minuteMs, msOfIso } from '../../src/core/time.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { fencedBy } from '../../src/server/usecases/close-dead.ts';
import { declareDead } from '../../src/server/usecases/declare-dead.ts';
import { agreement, product } from '../world/world.ts';
import { setUp } from './carry-on.ts';
import { comeTo, days, liveOn, morning, turnTo } from './days.ts';
import type { Act } from './people.ts';
import { hears, once, outcome } from './people.ts';
import { contact } from './post.ts';
import type { LineType, Sim, SimServer } from './sim.ts';
import { anyServer, anyType, nameOf, otherServer, recent, requestId } from './sim.ts';

/** Nobody looks for longer than this into the future at once. */
const longestWaitMs = 500 * dayMs;

/** A machine breaks, for a while or for good, or its line does. */
const fail: Act = async (sim) => {
  const server = sim.chance.pick(
    sim.servers.filter(({ condition }) => condition === 'up').concat(anyServer(sim)),
  );
  if (server.condition !== 'up') return `${server.name} has failed before`;
  const condition = sim.chance.pick(['cut', 'cut', 'cut', 'off', 'off', 'gone'] as const);
  if (condition === 'gone') return takePlace(sim, server);
  server.condition = condition;
  if (condition === 'cut') return `the line of ${server.name} is cut`;
  await server.program.stop();
  return `the machine of ${server.name} stands still`;
};

/** A new license server in the place of one that is gone for good. */
export async function takePlace(sim: Sim, server: SimServer): Promise<string> {
  const place = await sim.replace();
  if (place === undefined) return `${server.name} is repaired`;
  server.condition = 'gone';
  await server.program.stop();
  sim.servers.splice(sim.servers.indexOf(server), 1);
  sim.gone.push(server);
  const by = sim.chance.happens(sim.profile.telephone / 2) ? 'telephone' : 'wire';
  return `${server.name} is gone for good; ${await setUp(sim, place, by)}`;
}

/** A server is there again, with all that it had. */
export async function bringBack(server: SimServer): Promise<void> {
  if (server.condition === 'off') await server.program.start();
  server.condition = 'up';
}

const comeBack: Act = async (sim) => {
  const failed = sim.servers.filter(({ condition }) => condition !== 'up');
  if (failed.length === 0) return makeAnew(sim);
  const server = sim.chance.pick(failed);
  await bringBack(server);
  return `${server.name} is back`;
};

interface Suspected {
  readonly source: SimServer;
  readonly type: LineType;
}

/** On a machine whose license server was closed for good, a new one is made. */
async function makeAnew(sim: Sim): Promise<string> {
  for (const server of sim.servers) {
    const fenced = await server.program.store.read(fencedBy);
    if (fenced === undefined || sim.chance.happens(0.3)) continue;
    return takePlace(sim, server);
  }
  return 'no server is missed';
}

/** One that does not answer and has CALs, most often; now and then one that works, or has none. */
function suspected(sim: Sim): Suspected {
  const failed = [...sim.servers.filter(({ condition }) => condition !== 'up'), ...sim.gone];
  const worth = [...sim.books.clearinghouse.seen.balances].flatMap(
    ([account, amount]): readonly Suspected[] => {
      const [, line, kind, id] = account.split('/');
      const source = failed.find((server) => server.id === id);
      if (source === undefined || kind !== 'committed' || amount === 0) return [];
      return [{ source, type: line === '0' ? 'device' : 'user' }];
    },
  );
  if (worth.length > 0 && sim.chance.happens(0.9)) return sim.chance.pick(worth);
  return { source: anyServer(sim), type: anyType(sim) };
}

const names = ['Ann Lee', 'Ben Roe', 'Cat Ode'] as const;

const statementOf = (sim: Sim): string => `${sim.chance.pick(names)}: the disk failed`;

/** On the server that is to take the place; by telephone the same is to be read to the desk. */
const declare: Act = async (sim) => {
  const { source, type } = suspected(sim);
  const target = otherServer(sim, source);
  const by = sim.chance.happens(sim.profile.telephone / 2) ? ('telephone' as const) : ('message' as const);
  const order = {
    ...{ agreement, from: source.id, product, type, statement: statementOf(sim), by },
    requestId: requestId(sim),
  };
  const words = `${target.name} declares ${source.name} dead per ${order.type} by ${by}`;
  // The same key finds the same declaration, as it stands by then.
  const done = await once(sim, words, async () => {
    const declared = await declareDead(target.program.context, order);
    return declared.ok ? ok(declared.value.id) : declared;
  });
  const calls = by === 'message' && target.program.isUp && sim.chance.happens(0.7);
  return `${words}: ${outcome(done)}${calls ? `; ${await contact(sim, target)}` : ''}`;
};

const declareAtDesk: Act = async (sim) => {
  const { source, type } = suspected(sim);
  const target = otherServer(sim, source);
  const ends = { agreement, from: source.id, to: target.id, product, type, quantity: 'all' } as const;
  const said = { reason: 'dead', statement: statementOf(sim), by: sim.chance.pick(names) } as const;
  const call = { ...ends, ...said, requestId: requestId(sim) };
  const words = `the desk enters that ${source.name} is dead, per ${type}, for ${target.name}`;
  return `${words}: ${outcome(await once(sim, words, () => startDeskMove(sim.clearinghouse.context, call)))}`;
};

const declared = async (sim: Sim) =>
  (await listMoves(sim.clearinghouse.context, { after: '', limit: 1000 })).items.filter(
    ({ deadSource }) => deadSource !== null,
  );

/** A second person does not wait; not always somebody else than the first. */
const approve: Act = async (sim) => {
  const open = (await declared(sim)).filter(({ state }) => state === 'dead-wait');
  const move = recent(sim, open);
  if (move === undefined) return 'nothing to approve';
  const by = sim.chance.pick(names);
  const words = `${by} releases the CALs of ${nameOf(sim, move.source)} early`;
  const call = { move: move.id, by };
  const done = await once(sim, words, () => approveMove(sim.clearinghouse.context, call));
  return `${words}: ${hears(sim, done, move.source)}`;
};

/** Time goes by to just before or after a day that a declaration waits for. */
const awaitDeath: Act = async (sim) => {
  const move = recent(sim, await declared(sim));
  if (move === undefined || move.deadSource === null) return 'nobody was declared dead';
  const day = sim.chance.pick(['horizon', 'horizon', 'opensAt'] as const);
  const atMs = msOfIso(move.deadSource[day]) ?? 0;
  const untilMs = atMs + sim.chance.pick([-9 * dayMs, -dayMs, -hourMs, minuteMs, hourMs, dayMs]);
  if (untilMs <= sim.nowMs || untilMs - sim.nowMs > longestWaitMs) return `the ${day} is not waited for`;
  if (sim.chance.happens(0.7)) await liveOn(sim, untilMs);
  else sim.nowMs = untilMs;
  return `${Math.round((untilMs - atMs) / hourMs)} hours from the ${day} of ${nameOf(sim, move.source)}`;
};

interface Lost {
  readonly source: SimServer;
  readonly target: SimServer;
  readonly type: LineType;
  /** Of the move that the declaration has begun. */
  readonly id: string;
  readonly horizonMs: number;
  readonly opensAtMs: number;
  readonly words: string;
}

/** Its line is cut, and another server declares it dead at once; in words alone where nobody hears of it, or its horizon is too far away. */
async function loseLine(sim: Sim): Promise<Lost | string> {
  const source = sim.chance.pick(sim.servers);
  if (source.condition !== 'up') return `${source.name} has failed before`;
  source.condition = 'cut';
  const target = otherServer(sim, source);
  const type = anyType(sim);
  const order = { agreement, from: source.id, product, type, statement: 'Ann Lee: its line is cut' };
  const done = await declareDead(target.program.context, { ...order, by: 'message' });
  if (!done.ok) return `${target.name} declares ${source.name}, whose line is cut, dead: ${outcome(done)}`;
  await contact(sim, target);
  const { id } = done.value;
  const words = `the line of ${source.name} is cut, and ${target.name} declares it dead per ${type}`;
  const deadSource = (await declared(sim)).find((move) => move.id === id)?.deadSource;
  if (deadSource == null) return `${words}, and is not heard`;
  const horizonMs = msOfIso(deadSource.horizon) ?? 0;
  if (horizonMs - sim.nowMs > longestWaitMs) return words;
  return { source, target, type, id, horizonMs, opensAtMs: msOfIso(deadSource.opensAt) ?? 0, words };
}

/** Somebody does not wait, or the administrator of the source gets through by telephone; often neither. */
async function interfere(
  sim: Sim,
  { source, target, id }: Lost,
  what: 'early' | 'horizon' | 'nothing',
): Promise<string> {
  const { context } = sim.clearinghouse;
  if (what === 'nothing') return 'nobody interferes';
  if (what === 'early') {
    const done = await approveMove(context, { move: id, by: 'Ben Roe' });
    return `it is released early: ${outcome(done)}, ${await contact(sim, target)}`;
  }
  const call = { agreement, serverId: source.id };
  const given = await giveHorizonCode(context, call);
  if (!given.ok || given.value.code === null) return `it is given no horizon: ${outcome(given)}`;
  const typed = await applyCode(source.program.context, { text: given.value.code, confirmed: true });
  return `it is given a horizon: ${outcome(typed)}`;
}

/**
 * The worst case: only its line is cut, and it goes on giving CALs until its horizon, and renewing them after
 * that. Those whose license ends turn to the target, before and after; where its CALs were released early,
 * others do.
 */
const lostLine: Act = async (sim) => {
  const lost = await loseLine(sim);
  if (typeof lost === 'string') return lost;
  const { source, target, type, horizonMs, opensAtMs, words } = lost;
  const ends = { from: source, to: target, type };
  await liveOn(sim, horizonMs - 9 * dayMs);
  const what = sim.chance.pick(['early', 'horizon', 'nothing', 'nothing'] as const);
  const come = what === 'early' ? comeTo : turnTo;
  await come(sim, ends);
  const meanwhile = await interfere(sim, lost, what);
  const heard: string[] = [];
  for (const [day, atMs] of [
    ['horizon', horizonMs],
    ['opensAt', opensAtMs],
  ] as const) {
    await liveOn(sim, atMs + sim.chance.pick([minuteMs, hourMs, 20 * dayMs]));
    heard.push(`after the ${day} ${await contact(sim, target)}`);
    await come(sim, ends);
    if (what !== 'early' && sim.chance.happens(0.5)) break;
  }
  return `${words}; ${meanwhile}; ${heard.join(', ')}`;
};

/**
 * Its line is cut, and who has a license of it goes to the server that is to take its place, which has CALs of its
 * own. It gives what they leave to others when their licenses have ended, until its horizon.
 */
const leaveEarly: Act = async (sim) => {
  const lost = await loseLine(sim);
  if (typeof lost === 'string') return lost;
  const { source: from, target: to, type, horizonMs, words } = lost;
  await turnTo(sim, { from, to, type });
  await liveOn(sim, horizonMs + hourMs);
  const heard = await contact(sim, to);
  await comeTo(sim, { to, type });
  return `${words}; its holders go there, and after the horizon ${heard}`;
};

export const deaths = {
  leaveEarly,
  lostLine,
  fail,
  comeBack,
  declare,
  declareAtDesk,
  approve,
  awaitDeath,
  days,
  morning,
};
