/** What people and devices may do next in a random walk: each step is one of these, with whatever is at hand. */
import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { activateByTelephone } from '../../src/clearinghouse/usecases/desk-activate.ts';
import type { DeskAnswer } from '../../src/clearinghouse/usecases/desk-answer.ts';
import { confirmByTelephone } from '../../src/clearinghouse/usecases/desk-confirm.ts';
import { giveHorizonCode } from '../../src/clearinghouse/usecases/desk-horizon.ts';
import { grantKeyPack } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { listMoves, repeatCodes } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { exchangeMessages } from '../../src/clearinghouse/usecases/exchange.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { applyMessages } from '../../src/server/usecases/apply-message.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { returnByTelephone } from '../../src/server/usecases/give-back.ts';
import { sealOutbox } from '../../src/server/usecases/outbox.ts';
import { sweepLapsed } from '../../src/server/usecases/reclaim.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import { requestActivation, requestInstall } from '../../src/server/usecases/requests.ts';
import { returnLicense, validateLicense } from '../../src/server/usecases/return-license.ts';
import { listMoves as listServerMoves, startMove } from '../../src/server/usecases/start-move.ts';
import {
  freezeByTelephone,
  heartbeatByTelephone,
  releaseByTelephone,
} from '../../src/server/usecases/telephone-move.ts';
import { undoMove } from '../../src/server/usecases/undo-move.ts';
import type { Chance } from '../kill/random.ts';
import { idOf, newRequest } from '../world/acts.ts';
import type { World } from '../world/world.ts';
import { agreement, product } from '../world/world.ts';

export interface Token {
  readonly server: string;
  readonly unit: number;
  readonly token: string;
  readonly bundle: unknown;
  readonly expiresAt: number;
}

/** A walk: the world, and what lies about in it. */
export interface Walk {
  readonly world: World;
  readonly servers: readonly OpenServer[];
  readonly chance: Chance;
  /** Codes that were read out, and the License Server ID each is for. */
  readonly codes: { readonly code: string; readonly for: string }[];
  /** Codes that servers have made for the desk. */
  readonly told: string[];
  /** Answers that were carried, to be carried again. */
  readonly answers: { readonly server: OpenServer; readonly messages: readonly string[] }[];
  /** Permanent tokens by holder. */
  readonly tokens: Map<string, readonly Token[]>;
}

export type Step = (walk: Walk) => Promise<string>;

const line = { product, type: 'device' } as const;

/** The newest few are the likeliest, as with people. */
function recent<T>(walk: Walk, items: readonly T[]): T | undefined {
  if (items.length === 0) return undefined;
  return walk.chance.pick(walk.chance.happens(0.8) ? items.slice(-4) : items);
}

const outcome = (result: Result<unknown, Refusal>): string => (result.ok ? 'done' : result.error.code);
const few = (walk: Walk): number => walk.chance.pick([1, 2, 3]);
const some = (walk: Walk): number | 'all' => walk.chance.pick(['all' as const, 1, 2, 5]);
const any = (walk: Walk): OpenServer => walk.chance.pick(walk.servers);
const desk = (walk: Walk) => walk.world.clearinghouse.context;

function reads(walk: Walk, answer: Result<DeskAnswer, Refusal>): string {
  if (answer.ok) walk.codes.push(...answer.value.codes);
  return outcome(answer);
}

function tells(walk: Walk, told: Result<{ readonly code: string }, Refusal>): string {
  if (told.ok) walk.told.push(told.value.code);
  return outcome(told);
}

const atTheDesk: Readonly<Record<string, Step>> = {
  activate: async (walk) =>
    reads(walk, await activateByTelephone(desk(walk), { agreement, serverId: idOf(any(walk)) })),
  horizon: async (walk) =>
    reads(walk, await giveHorizonCode(desk(walk), { agreement, serverId: idOf(any(walk)) })),
  repeat: async (walk) =>
    reads(walk, await repeatCodes(desk(walk), { agreement, serverId: idOf(any(walk)) })),
  keyPack: async (walk) => {
    const call = { agreement, serverId: idOf(any(walk)), ...line, quantity: few(walk) };
    return reads(walk, await grantKeyPack(desk(walk), { ...call, requestId: newRequest() }));
  },
  move: async (walk) => {
    const ends = { from: idOf(any(walk)), to: idOf(any(walk)) };
    const order = { agreement, ...ends, ...line, quantity: some(walk), reason: 'replaced' } as const;
    return reads(walk, await startDeskMove(desk(walk), { ...order, requestId: newRequest() }));
  },
  cancel: async (walk) => {
    const move = recent(walk, (await listMoves(desk(walk), { after: '', limit: 1000 })).items);
    return move === undefined ? 'nothing' : outcome(await cancelMove(desk(walk), move.id));
  },
  undo: async (walk) => {
    const server = any(walk);
    const move = recent(walk, await listServerMoves(server.context));
    return move === undefined ? 'nothing' : outcome(await undoMove(server.context, move.id));
  },
  confirm: async (walk) => {
    const code = recent(walk, walk.told);
    return code === undefined ? 'nothing' : reads(walk, await confirmByTelephone(desk(walk), { code }));
  },
};

const byTelephone: Readonly<Record<string, Step>> = {
  type: async (walk) => {
    const read = recent(walk, walk.codes);
    if (read === undefined) return 'nothing';
    const right = walk.servers.find((server) => idOf(server) === read.for);
    const server = right === undefined || walk.chance.happens(0.1) ? any(walk) : right;
    const from = idOf(any(walk));
    return outcome(await applyCode(server.context, { text: read.code, confirmed: true, from }));
  },
  freezeForMove: async (walk) => {
    const moves = (await listMoves(desk(walk), { after: '', limit: 1000 })).items;
    const move = recent(
      walk,
      moves.filter(({ carrier, state }) => carrier === 'telephone' && state === 'reserved'),
    );
    const source = walk.servers.find((server) => idOf(server) === move?.source);
    if (move === undefined || source === undefined) return 'nothing';
    const order = { ...line, to: move.target, quantity: move.quantity };
    return tells(walk, await freezeByTelephone(source.context, order));
  },
  freeze: async (walk) => {
    const order = { ...line, to: idOf(any(walk)), quantity: some(walk) };
    return tells(walk, await freezeByTelephone(any(walk).context, order));
  },
  release: async (walk) => tells(walk, await releaseByTelephone(any(walk).context, line)),
  giveBack: async (walk) =>
    tells(walk, await returnByTelephone(any(walk).context, { ...line, quantity: few(walk) })),
  heartbeat: async (walk) => tells(walk, await heartbeatByTelephone(any(walk).context, undefined)),
  deactivate: async (walk) => {
    if (walk.chance.happens(0.6)) return 'nothing';
    const order = {
      returnUnissued: walk.chance.happens(0.7),
      by: walk.chance.pick(['telephone', 'message'] as const),
    };
    const closed = await deactivateServer(any(walk).context, order);
    if (closed.ok) walk.told.push(...closed.value.codes.map((told) => told.code));
    return outcome(closed);
  },
};

/** One exchange, of which the request or the answer may be lost on the way. */
const contact: Step = async (walk) => {
  const server = any(walk);
  const sent = await sealOutbox(server.context);
  if (walk.chance.happens(0.1)) return 'request lost';
  const answered = await exchangeMessages(desk(walk), { messages: sent, waitMs: 0 });
  if (!answered.ok) return answered.error.code;
  const { messages } = answered.value;
  walk.answers.push({ server, messages });
  if (walk.chance.happens(0.1)) return 'answer lost';
  return outcome(await applyMessages(server.context, { messages, ofOthers: 'refuse' }));
};

const byMessage: Readonly<Record<string, Step>> = {
  ask: async (walk) => outcome(await requestActivation(any(walk).context, { agreement })),
  install: async (walk) =>
    outcome(await requestInstall(any(walk).context, { agreement, ...line, quantity: few(walk) })),
  startMove: async (walk) => {
    const order = {
      agreement,
      to: idOf(any(walk)),
      ...line,
      quantity: some(walk),
      reason: 'replaced',
    } as const;
    return outcome(await startMove(any(walk).context, { ...order, hold: walk.chance.happens(0.3) }));
  },
  ...{ contact, contactAgain: contact, contactOnceMore: contact },
  oldAnswer: async (walk) => {
    const old = recent(walk, walk.answers);
    if (old === undefined) return 'nothing';
    return outcome(await applyMessages(old.server.context, { messages: old.messages, ofOthers: 'refuse' }));
  },
};

/** A device asks, shows what it has from elsewhere, and signs in. */
const request: Step = async (walk) => {
  const server = any(walk);
  const holder = `ws-${walk.chance.between(0, 9)}`;
  const before = walk.tokens.get(holder) ?? [];
  const shown = walk.chance.happens(0.7) ? recent(walk, before) : undefined;
  const source = shown === undefined ? {} : { source: { token: shown.token, bundle: shown.bundle } };
  const answer = await requestLicense(server.context, { ...line, holder, ...source });
  if (!answer.ok) return answer.error.code;
  const { kind, token, unit } = answer.value;
  if (kind === 'temporary') await validateLicense(server.context, { ...line, holder });
  if (unit === null) return kind;
  const bundle = JSON.parse(answer.value.bundleText) as unknown;
  const expiresAt = Date.parse(answer.value.expiresAt);
  const kept = before.filter((each) => each.token !== token);
  walk.tokens.set(holder, [...kept, { server: idOf(server), unit, token, bundle, expiresAt }]);
  return kind;
};

const devices: Readonly<Record<string, Step>> = {
  ...{ request, requestAgain: request, requestOnceMore: request, requestAndAgain: request },
  giveUp: async (walk) => {
    const server = any(walk);
    const holder = `ws-${walk.chance.between(0, 9)}`;
    const given = await returnLicense(server.context, { ...line, holder });
    const before = walk.tokens.get(holder) ?? [];
    if (given.ok)
      walk.tokens.set(
        holder,
        before.filter((each) => each.server !== idOf(server)),
      );
    return outcome(given);
  },
  sweep: async (walk) => outcome(await sweepLapsed(any(walk).context, 100)),
  wait: async (walk) => {
    if (walk.chance.happens(0.5)) return 'nothing';
    walk.world.clock.advanceDays(walk.chance.pick([1, 9, 30, 60]));
    return 'done';
  },
};

export const steps: Readonly<Record<string, Step>> = {
  ...atTheDesk,
  ...byTelephone,
  ...byMessage,
  ...devices,
};
