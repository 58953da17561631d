/**
 * Moves that take long: both servers have the CALs of their holders for weeks, and holders go to the one and to
 * the other. What may be given to somebody else too early shows then (protocol §2.4).
 */
import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { answerFile } from '../../src/clearinghouse/usecases/exchange.ts';
import { dayMs } from '../../src/core/time.ts';
import { applyAnswerFile } from '../../src/server/usecases/apply-message.ts';
import { requestFile } from '../../src/server/usecases/outbox.ts';
import { sweepLapsed } from '../../src/server/usecases/reclaim.ts';
import { startMove } from '../../src/server/usecases/start-move.ts';
import { freezeByTelephone } from '../../src/server/usecases/telephone-move.ts';
import { agreement, product } from '../world/world.ts';
import { carryOn, typeAgain } from './carry-on.ts';
import { liveOn, morning } from './days.ts';
import type { Act } from './people.ts';
import { outcome, some } from './people.ts';
import { contact } from './post.ts';
import type { Sim, SimServer } from './sim.ts';
import { anyServer, anyType, otherServer } from './sim.ts';
import { lookAtClocks } from './upkeep.ts';

/** Weeks go by, everybody comes now and then, and the target looks for what has ended. */
async function overlap(sim: Sim, target: SimServer): Promise<string> {
  // Before anybody has come, now and then: what waits for holders must not be free for that.
  if (sim.chance.happens(0.4)) await sweepLapsed(target.program.context, 100);
  await morning(sim);
  const days = sim.chance.pick([10, 40, 70, 100]);
  await liveOn(sim, sim.nowMs + days * dayMs);
  const swept = await sweepLapsed(target.program.context, 100);
  return `${days} days go by, and ${target.name} sweeps: ${swept.ok ? swept.value.reclaimed : swept.error.code}`;
}

const longMove: Act = async (sim) => {
  const from = anyServer(sim);
  const to = otherServer(sim, from);
  const order = { agreement, to: to.id, product, type: anyType(sim), quantity: some(sim) };
  const hold = sim.chance.happens(0.6);
  const asked = { ...order, reason: 'replaced' as const, hold };
  const words = `${from.name} moves ${order.quantity} per ${order.type} to ${to.name}${hold ? ', and holds' : ''}`;
  const done = await startMove(from.program.context, asked);
  if (!done.ok) return `${words}: ${outcome(done)}`;
  for (const server of [from, from, to, to, from, from, to]) await contact(sim, server);
  return `${words}; ${await overlap(sim, to)}`;
};

/** Frozen, read to the desk, typed; and released, or not for a long time. */
const longCall: Act = async (sim) => {
  const from = anyServer(sim);
  const to = otherServer(sim, from);
  const order = { product, type: anyType(sim), to: to.id, quantity: some(sim) };
  const words = `${from.name} freezes ${order.quantity} per ${order.type} for ${to.name}`;
  const done = await freezeByTelephone(from.program.context, order);
  if (!done.ok) return `${words}: ${outcome(done)}`;
  const calls = sim.chance.between(1, 3);
  for (let call = 0; call < calls; call += 1) await carryOn(sim, from);
  await typeAgain(sim, to);
  return `${words}, and calls ${calls} times; ${await overlap(sim, to)}`;
};

/**
 * A clock was ahead and is set right: until it has caught up its server freezes nothing, and reads all other mail.
 * A freeze that is undone meanwhile comes again afterwards (protocol §2.6, M4).
 */
const untimely: Act = async (sim) => {
  const from = anyServer(sim);
  const to = otherServer(sim, from);
  if (from.skewMs !== 0) return `the clock of ${from.name} is off already`;
  const order = { agreement, to: to.id, product, type: anyType(sim), quantity: some(sim), hold: false };
  from.skewMs = 30 * dayMs;
  lookAtClocks(sim);
  const done = await startMove(from.program.context, { ...order, reason: 'replaced' });
  from.skewMs = 0;
  // What it has written is the newest time that it knows when it starts again.
  await from.program.stop();
  await from.program.start();
  const words = `${from.name}, its clock a month ahead, moves ${order.quantity} per ${order.type} to ${to.name}`;
  if (!done.ok) return `${words}: ${outcome(done)}`;
  // The answer to the first file is left lying: one with welcome sets right what the server takes for the time.
  const first = await answerFile(sim.clearinghouse.context, await requestFile(from.program.context));
  const undone = await cancelMove(sim.clearinghouse.context, done.value.id);
  const second = await carryFile(sim, from);
  await liveOn(sim, sim.nowMs + 40 * dayMs);
  return `${words}: ${outcome(first)}; it is undone: ${outcome(undone)}, ${second}; 40 days go by`;
};

/** A file goes to the clearinghouse and back. */
async function carryFile(sim: Sim, server: SimServer): Promise<string> {
  const file = await requestFile(server.program.context);
  const answered = await answerFile(sim.clearinghouse.context, file);
  if (!answered.ok) return outcome(answered);
  const read = await applyAnswerFile(server.program.context, answered.value.file);
  if (!read.ok) return outcome(read);
  const not = read.value.failed.map(({ type, refusal }) => `, not ${type} (${refusal.code})`);
  return `${read.value.applied.join(' ')}${not.join('')}`;
}

/**
 * The line of a source is cut before it hears that its CALs have arrived, and it renews its holders on; meanwhile
 * its target moves CALs of that line on to a third server (protocol §2.4, rule 7).
 */
const onward: Act = async (sim) => {
  const from = anyServer(sim);
  const to = otherServer(sim, from);
  const last = sim.chance.pick(sim.servers.filter((server) => server !== from && server !== to));
  const type = anyType(sim);
  const order = { agreement, product, type, reason: 'replaced' as const, hold: false };
  const words = `CALs per ${type} go from ${from.name} to ${to.name}, whose line is cut, and on to ${last.name}`;
  const first = await startMove(from.program.context, { ...order, to: to.id, quantity: some(sim) });
  if (!first.ok) return `${words}: ${outcome(first)}`;
  for (const server of [from, from, to]) await contact(sim, server);
  from.condition = 'cut';
  for (let call = 0; call < 2; call += 1) await contact(sim, to);
  await morning(sim);
  await liveOn(sim, sim.nowMs + sim.chance.pick([0, 20, 40]) * dayMs);
  const second = await startMove(to.program.context, { ...order, to: last.id, quantity: some(sim) });
  for (const server of [to, to, last, last, to, to, last]) await contact(sim, server);
  const then = await overlap(sim, last);
  from.condition = 'up';
  return `${words}: ${outcome(second)}; ${then}`;
};

export const overlaps = { longMove, longCall, untimely, onward };
