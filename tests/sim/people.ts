/** What the representative at the desk and the administrators of license servers do, by telephone and by message. */
import { addAgreement } from '../../src/clearinghouse/usecases/agreements.ts';
import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { activateByTelephone } from '../../src/clearinghouse/usecases/desk-activate.ts';
import type { DeskAnswer } from '../../src/clearinghouse/usecases/desk-answer.ts';
import { confirmByTelephone } from '../../src/clearinghouse/usecases/desk-confirm.ts';
import { giveHorizonCode } from '../../src/clearinghouse/usecases/desk-horizon.ts';
import { grantKeyPack } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { listMoves, repeatCodes } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { returnByTelephone } from '../../src/server/usecases/give-back.ts';
import { requestActivation, requestInstall } from '../../src/server/usecases/requests.ts';
import { setMethod } from '../../src/server/usecases/settings.ts';
import { listMoves as listOwnMoves, startMove } from '../../src/server/usecases/start-move.ts';
import { readIdentity } from '../../src/server/usecases/status.ts';
import {
  freezeByTelephone,
  heartbeatByTelephone,
  releaseByTelephone,
} from '../../src/server/usecases/telephone-move.ts';
import { undoMove } from '../../src/server/usecases/undo-move.ts';
import { findServer } from '../../src/store/committed-server-rows.ts';
import { agreement, product } from '../world/world.ts';
import type { ReadCode, Sim, SimServer } from './sim.ts';
import { anyServer, anyType, nameOf, otherServer, recent, requestId, serverOf } from './sim.ts';
import { Violation } from './tokens.ts';

export type Act = (sim: Sim) => Promise<string>;

type Answer = Result<unknown, Refusal>;
export const outcome = (result: Answer): string => (result.ok ? 'done' : result.error.code);
const few = (sim: Sim): number => sim.chance.pick([1, 1, 2, 3]);
export const some = (sim: Sim): number | 'all' => sim.chance.pick(['all' as const, 'all' as const, 1, 2, 4]);
const allMoves = async (sim: Sim) =>
  (await listMoves(sim.clearinghouse.context, { after: '', limit: 1000 })).items;

/** So many acts may be done once more. */
const mostDone = 12;

/** Does an act and remembers what it answered: done again under the same id it has to say the same. */
export async function once<T extends Answer>(sim: Sim, words: string, act: () => Promise<T>): Promise<T> {
  const first = await act();
  if (first.ok) sim.done.push({ words, again: act, answer: JSON.stringify(first) });
  if (sim.done.length > mostDone) sim.done.shift();
  return first;
}

/** A second click, a second call, a program that was not sure: the same request under the same id. */
const twice: Act = async (sim) => {
  const done = recent(sim, sim.done);
  if (done === undefined) return 'nothing to do again';
  const again = JSON.stringify(await done.again());
  if (again !== done.answer) {
    throw new Violation('once', `${done.words} answered ${done.answer}, and again ${again}`);
  }
  return `again: ${done.words}`;
};

export function hears(sim: Sim, answer: Result<DeskAnswer, Refusal>, from?: string): string {
  if (answer.ok) {
    const { codes } = answer.value;
    sim.codes.push(...codes.map(({ code, kind, for: whose }) => ({ code, kind, for: whose, from })));
  }
  return outcome(answer);
}

const desk: Readonly<Record<string, Act>> = {
  activate: async (sim) => {
    const server = anyServer(sim);
    const call = { agreement, serverId: server.id };
    return `the desk activates ${server.name}: ${hears(sim, await activateByTelephone(sim.clearinghouse.context, call))}`;
  },
  horizon: async (sim) => {
    const server = anyServer(sim);
    const call = { agreement, serverId: server.id };
    return `the desk gives ${server.name} a horizon: ${hears(sim, await giveHorizonCode(sim.clearinghouse.context, call))}`;
  },
  repeat: async (sim) => {
    const server = anyServer(sim);
    const call = { agreement, serverId: server.id };
    const from = (await allMoves(sim)).findLast(({ target }) => target === server.id)?.source;
    return `the desk repeats for ${server.name}: ${hears(sim, await repeatCodes(sim.clearinghouse.context, call), from)}`;
  },
  keyPack: async (sim) => {
    const server = anyServer(sim);
    const order = { agreement, serverId: server.id, product, type: anyType(sim), quantity: few(sim) };
    const words = `the desk grants ${server.name} ${order.quantity} per ${order.type}`;
    const call = { ...order, requestId: requestId(sim) };
    const done = await once(sim, words, () => grantKeyPack(sim.clearinghouse.context, call));
    return `${words}: ${hears(sim, done)}`;
  },
  sell: async (sim) => {
    const paper = { number: agreement, program: 'select', customer: 'Contoso', product, type: anyType(sim) };
    const sold = { ...paper, quantity: few(sim), requestId: requestId(sim) };
    const done = await addAgreement(sim.clearinghouse.context, sold);
    return `${sold.quantity} more per ${sold.type} are sold: ${outcome(done)}`;
  },
};

const deskMoves: Readonly<Record<string, Act>> = {
  deskMove: async (sim) => {
    const from = anyServer(sim);
    const to = otherServer(sim, from);
    const ends = { agreement, from: from.id, to: to.id, product, type: anyType(sim), quantity: some(sim) };
    const words = `the desk opens a move of ${ends.quantity} per ${ends.type} from ${from.name} to ${to.name}`;
    const call = { ...ends, reason: 'replaced' as const, requestId: requestId(sim) };
    return `${words}: ${outcome(await once(sim, words, () => startDeskMove(sim.clearinghouse.context, call)))}`;
  },
  cancel: async (sim) => {
    const move = recent(sim, await allMoves(sim));
    if (move === undefined) return 'no move to cancel';
    const ends = `${nameOf(sim, move.source)} to ${nameOf(sim, move.target)}, ${move.state}`;
    return `the desk cancels a move (${ends}): ${outcome(await cancelMove(sim.clearinghouse.context, move.id))}`;
  },
  confirm: async (sim) => {
    const told = recent(sim, sim.told);
    if (told === undefined) return 'no code to confirm';
    const done = await confirmByTelephone(sim.clearinghouse.context, { code: told.code });
    return `a code of ${told.by.name} is read to the desk: ${hears(sim, done, told.by.id)}`;
  },
  misread: async (sim) => {
    const told = recent(sim, sim.told);
    if (told === undefined) return 'no code to misread';
    const code = oneWrong(sim, told.code);
    const done = await confirmByTelephone(sim.clearinghouse.context, { code });
    if (done.ok) throw new Violation('mistyped', `${told.code} was taken in as ${code}`);
    return `a code of ${told.by.name} is misread to the desk: ${outcome(done)}`;
  },
};

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** One character of a code is another one. */
function oneWrong(sim: Sim, code: string): string {
  const places = [...code].flatMap((char, at) => (alphabet.includes(char) ? [at] : []));
  const at = sim.chance.pick(places);
  const other = sim.chance.pick([...alphabet].filter((char) => char !== code[at]));
  return `${code.slice(0, at)}${other}${code.slice(at + 1)}`;
}

/** Types a code that was read out; on another server now and then, and not always with the right source. */
async function typeCode(sim: Sim, read: ReadCode): Promise<string> {
  const right = serverOf(sim, read.for);
  const server = right === undefined || sim.chance.happens(0.08) ? anyServer(sim) : right;
  const known = sim.chance.happens(0.9) ? read.from : undefined;
  const from = known ?? otherServer(sim, server).id;
  const done = await applyCode(server.program.context, { text: read.code, confirmed: true, from });
  return `${server.name} is typed a ${read.kind} code for ${right?.name}: ${outcome(done)}`;
}

function tells(sim: Sim, by: SimServer, told: Result<{ readonly code: string }, Refusal>): string {
  if (told.ok) sim.told.push({ code: told.value.code, by });
  return outcome(told);
}

const typing: Readonly<Record<string, Act>> = {
  type: async (sim) => {
    const read = recent(sim, sim.codes);
    return read === undefined ? 'no code to type' : typeCode(sim, read);
  },
  typeOld: async (sim) => {
    if (sim.codes.length === 0) return 'no code to type';
    return typeCode(sim, sim.chance.pick(sim.codes));
  },
  mistype: async (sim) => {
    const read = recent(sim, sim.codes);
    const server = read && serverOf(sim, read.for);
    if (read === undefined || server === undefined) return 'no code to mistype';
    const text = oneWrong(sim, read.code);
    const done = await applyCode(server.program.context, { text, confirmed: true, from: read.from });
    if (done.ok) throw new Violation('mistyped', `${read.code} was applied as ${text}`);
    return `${server.name} is mistyped a ${read.kind} code: ${outcome(done)}`;
  },
};

const telephone: Readonly<Record<string, Act>> = {
  freeze: async (sim) => {
    const open = (await allMoves(sim)).filter(
      ({ carrier, state }) => carrier === 'telephone' && state === 'reserved',
    );
    const move = sim.chance.happens(0.85) ? recent(sim, open) : undefined;
    const server = (move && serverOf(sim, move.source)) ?? anyServer(sim);
    const order =
      move === undefined
        ? { product, type: anyType(sim), to: otherServer(sim, server).id, quantity: some(sim) }
        : { product, type: move.type, to: move.target, quantity: move.quantity };
    const words = `${server.name} freezes ${order.quantity} per ${order.type} for ${nameOf(sim, order.to)}`;
    const keyed = { ...order, requestId: requestId(sim) };
    const told = await once(sim, words, () => freezeByTelephone(server.program.context, keyed));
    return `${words}: ${tells(sim, server, told)}`;
  },
  release: async (sim) => {
    const server = anyServer(sim);
    const name = { product, type: anyType(sim), requestId: requestId(sim) };
    const words = `${server.name} releases what is frozen per ${name.type}`;
    const told = await once(sim, words, () => releaseByTelephone(server.program.context, name));
    return `${words}: ${tells(sim, server, told)}`;
  },
  giveBack: async (sim) => {
    const server = anyServer(sim);
    const order = { product, type: anyType(sim), quantity: few(sim), requestId: requestId(sim) };
    const words = `${server.name} returns ${order.quantity} per ${order.type}`;
    const told = await once(sim, words, () => returnByTelephone(server.program.context, order));
    return `${words}: ${tells(sim, server, told)}`;
  },
  heartbeat: async (sim) => {
    const server = anyServer(sim);
    const told = await heartbeatByTelephone(server.program.context, undefined);
    return `${server.name} makes a heartbeat: ${tells(sim, server, told)}`;
  },
};

const deactivate: Act = async (sim) => {
  const server = anyServer(sim);
  const by = sim.chance.happens(sim.profile.telephone / 2) ? 'telephone' : 'message';
  const order = { returnUnissued: sim.chance.happens(0.7), by } as const;
  const closed = await deactivateServer(server.program.context, order);
  if (closed.ok) sim.told.push(...closed.value.codes.map(({ code }) => ({ code, by: server })));
  return `${server.name} is deactivated by ${by}: ${outcome(closed)}`;
};

/** Whether a server has closed itself, and the clearinghouse does not know. */
async function isUnheard(sim: Sim, server: SimServer): Promise<boolean> {
  if ((await readIdentity(server.program.context)).activation !== 'deactivated') return false;
  const known = await sim.clearinghouse.store.read((tx) => findServer(tx, server.id));
  return known?.state === 'ok';
}

const messages: Readonly<Record<string, Act>> = {
  askActivation: async (sim) => {
    const server = anyServer(sim);
    // Not while the code of its deactivation is still to be read: under a new certificate nobody could.
    if (await isUnheard(sim, server)) return `${server.name} is to be closed at the desk first`;
    return `${server.name} asks to be activated: ${outcome(await requestActivation(server.program.context, { agreement }))}`;
  },
  askInstall: async (sim) => {
    const server = anyServer(sim);
    const order = { agreement, product, type: anyType(sim), quantity: few(sim) };
    const done = await requestInstall(server.program.context, order);
    return `${server.name} asks for ${order.quantity} per ${order.type}: ${outcome(done)}`;
  },
  moveOnline: async (sim) => {
    const from = anyServer(sim);
    const to = otherServer(sim, from);
    const hold = sim.chance.happens(0.3);
    const order = { agreement, to: to.id, product, type: anyType(sim), quantity: some(sim), hold };
    const done = await startMove(from.program.context, { ...order, reason: 'replaced' });
    const held = hold ? ' (on hold)' : '';
    return `${from.name} moves ${order.quantity} per ${order.type} to ${to.name}${held}: ${outcome(done)}`;
  },
  undo: async (sim) => {
    const server = anyServer(sim);
    const move = recent(sim, await listOwnMoves(server.program.context));
    if (move === undefined) return `${server.name} has no move to undo`;
    const done = await undoMove(server.program.context, move.id);
    return `${server.name} undoes a move (${move.role}, ${move.state}): ${outcome(done)}`;
  },
  method: async (sim) => {
    const server = anyServer(sim);
    const method = sim.chance.pick(['automatic', 'web', 'telephone'] as const);
    return `${server.name} uses ${method}: ${outcome(await setMethod(server.program.context, { method }))}`;
  },
};

export const people = { ...desk, ...deskMoves, ...typing, ...telephone, ...messages, deactivate, twice };
