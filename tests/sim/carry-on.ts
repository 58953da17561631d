/**
 * People who know what they are doing: they set servers up, and do what a move is waiting for next. In a
 * run they are one act among many; at its end they bring everything to an end.
 */

import { cancelMove } from '../../src/clearinghouse/usecases/cancel-move.ts';
import { activateByTelephone } from '../../src/clearinghouse/usecases/desk-activate.ts';
import { confirmByTelephone } from '../../src/clearinghouse/usecases/desk-confirm.ts';
import { grantKeyPack } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { listMoves, repeatCodes } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import type { MoveView } from '../../src/server/usecases/move-view.ts';
import { requestActivation, requestInstall } from '../../src/server/usecases/requests.ts';
import { listMoves as listOwnMoves, startMove } from '../../src/server/usecases/start-move.ts';
import { readIdentity } from '../../src/server/usecases/status.ts';
import { freezeByTelephone, releaseByTelephone } from '../../src/server/usecases/telephone-move.ts';
import { findServer } from '../../src/store/committed-server-rows.ts';
import { agreement, product } from '../world/world.ts';
import { contact } from './post.ts';
import type { Sim, SimServer } from './sim.ts';
import { isDense, requestId, serverOf } from './sim.ts';

const outcome = (result: Result<unknown, Refusal>): string => (result.ok ? 'done' : result.error.code);

/** Everything that was ever read out for a server, read out again and typed. */
export async function typeAgain(sim: Sim, server: SimServer): Promise<string> {
  const read = await repeatCodes(sim.clearinghouse.context, { agreement, serverId: server.id });
  if (!read.ok) return `${server.name} is read nothing again: ${read.error.code}`;
  const { items } = await listMoves(sim.clearinghouse.context, { after: '', limit: 1000 });
  const sources = new Set(items.filter((move) => move.target === server.id).map((move) => move.source));
  const words: string[] = [];
  for (const { code, kind } of read.value.codes) {
    const froms = kind === 'held-key-pack' ? [...sources] : [undefined];
    for (const from of froms) {
      const typed = await applyCode(server.program.context, { text: code, confirmed: true, from });
      words.push(`${kind}: ${outcome(typed)}`);
    }
  }
  return `${server.name} is typed again ${words.join(', ') || 'nothing'}`;
}

/** Reads a code to the desk; what it answers may be typed later, or is read out again. */
async function tell(
  sim: Sim,
  by: SimServer,
  told: Result<{ readonly code: string }, Refusal>,
): Promise<string> {
  if (!told.ok) return told.error.code;
  sim.told.push({ code: told.value.code, by });
  const heard = await confirmByTelephone(sim.clearinghouse.context, { code: told.value.code });
  if (!heard.ok) return heard.error.code;
  for (const { code, kind, for: whose } of heard.value.codes) {
    sim.codes.push({ code, kind, for: whose, from: by.id });
  }
  return 'done';
}

/**
 * Opens a move for what a server has frozen: where it froze it for, or to another server where that one can be
 * given nothing any more. The code of the freeze does not say where to.
 */
async function openAtDesk(
  sim: Sim,
  of: Pick<MoveView, 'type' | 'quantity'> & {
    readonly from: SimServer;
    readonly to: string;
    readonly key: string;
  },
): Promise<string> {
  const { from, type, quantity, key } = of;
  const others = sim.servers.filter(({ id }) => id !== from.id && id !== of.to).map(({ id }) => id);
  const tried: string[] = [];
  for (const to of [of.to, ...others]) {
    const ends = { agreement, from: from.id, to, product, type, quantity, reason: 'replaced' } as const;
    const asked = { ...ends, requestId: `${requestId(sim)}-${from.name}-${key}-${tried.length}` };
    const opened = await startDeskMove(sim.clearinghouse.context, asked);
    tried.push(outcome(opened));
    if (opened.ok || !['server-declared-dead', 'server-unknown'].includes(opened.error.code)) break;
  }
  return tried.join(', ');
}

/** The next thing that a move by telephone waits for, seen from its source. */
async function nextByTelephone(sim: Sim, source: SimServer, frozen: MoveView): Promise<string> {
  const { type, target, quantity } = frozen;
  const { context } = source.program;
  const code = await freezeByTelephone(context, { product, type, to: target, quantity });
  const heard = await tell(sim, source, code);
  if (heard !== 'done') {
    const opened = await openAtDesk(sim, { from: source, to: target, type, quantity, key: type });
    return `${heard}, opened at the desk: ${opened}`;
  }
  const to = serverOf(sim, target);
  if (to !== undefined) await typeAgain(sim, to);
  return `released: ${await tell(sim, source, await releaseByTelephone(context, { product, type }))}`;
}

/** A move by messages that waits for its administrator, or for a contact. */
async function nextByMessage(sim: Sim, source: SimServer, move: MoveView): Promise<string> {
  const { type, target: to, quantity } = move;
  const order = { agreement, to, product, type, quantity, reason: 'replaced', hold: false } as const;
  const done = await startMove(source.program.context, order);
  const target = serverOf(sim, to);
  await contact(sim, source);
  if (target !== undefined) await contact(sim, target);
  return outcome(done);
}

/** Does what the open moves of a server wait for. */
export async function carryOn(sim: Sim, server: SimServer): Promise<string> {
  const moves = await listOwnMoves(server.program.context);
  const open = moves.filter(
    ({ role, state }) => role === 'source' && ['requested', 'frozen'].includes(state),
  );
  const words: string[] = [];
  for (const move of open) {
    const done =
      move.carrier === 'telephone'
        ? await nextByTelephone(sim, server, move)
        : await nextByMessage(sim, server, move);
    words.push(`${move.carrier} ${move.type}: ${done}`);
  }
  return `${server.name} goes on with its moves: ${words.join(', ') || 'none'}`;
}

/** Activates a server and installs CALs on it, over the network or by telephone. */
export async function setUp(sim: Sim, server: SimServer, by: 'wire' | 'telephone'): Promise<string> {
  const { context } = server.program;
  const packs = (['device', 'user'] as const).map((type) => ({
    type,
    quantity: isDense(sim) ? sim.chance.between(1, 2) : sim.chance.between(0, 3),
  }));
  const wanted = packs
    .filter(({ quantity }) => quantity > 0)
    .map((pack) => ({ agreement, product, ...pack }));
  if (by === 'wire') {
    await requestActivation(context, { agreement });
    await contact(sim, server);
    for (const order of wanted) await requestInstall(context, order);
    await contact(sim, server);
    await contact(sim, server);
  } else {
    const ch = sim.clearinghouse.context;
    await activateByTelephone(ch, { agreement, serverId: server.id });
    for (const order of wanted) {
      const call = { ...order, serverId: server.id, requestId: `${requestId(sim)}-${order.type}` };
      await grantKeyPack(ch, call);
    }
    // What is read out last is installed last: the activation code stands at the end of the list.
    await typeAgain(sim, server);
    await typeAgain(sim, server);
  }
  const told = wanted.map(({ type, quantity }) => `${quantity} per ${type}`);
  return `${server.name} is set up by ${by} with ${told.join(' and ') || 'nothing'}`;
}

/** Reads a code; where the clearinghouse has closed the server, the desk activates it first, as it is told to. */
async function readOpening(
  sim: Sim,
  server: SimServer,
  code: string,
): Promise<Awaited<ReturnType<typeof confirmByTelephone>>> {
  const ch = sim.clearinghouse.context;
  const heard = await confirmByTelephone(ch, { code });
  if (heard.ok || heard.error.code !== 'server-closed') return heard;
  const opened = await activateByTelephone(ch, { agreement, serverId: server.id });
  return opened.ok ? confirmByTelephone(ch, { code }) : heard;
}

/**
 * Every code that a server ever made is read to the desk, in the order in which they were made. Where the
 * desk has no move for a freeze it is opened now, as the representative says on the telephone.
 */
export async function readEverything(sim: Sim, server: SimServer): Promise<string> {
  const { context } = server.program;
  const ch = sim.clearinghouse.context;
  const rows = await context.store.read((tx) =>
    tx.all<{ code: string; kind: string; move: string | null }>(
      'select code, kind, move from confirmations order by id',
    ),
  );
  const words: string[] = [];
  for (const { code, kind, move } of rows) {
    if (sim.heard.has(code)) continue;
    const heard = await readOpening(sim, server, code);
    words.push(`${kind}: ${outcome(heard)}`);
    if (heard.ok) sim.heard.add(code);
    if (heard.ok || heard.error.code !== 'move-needed' || move === null) continue;
    const own = (await listOwnMoves(context)).find(({ id }) => id === move);
    if (own === undefined) continue;
    const { type, target: to, quantity } = own;
    await openAtDesk(sim, { from: server, to, type, quantity, key: move });
    words.push(`${kind} again: ${outcome(await confirmByTelephone(ch, { code }))}`);
  }
  return `the desk is read of ${server.name} ${words.join(', ') || 'nothing new'}`;
}

/**
 * A server that was closed, or never open, is opened: what it was granted and never applied goes on to it (protocol §1.4).
 * So is one that an old activation code has opened again by itself, and that the clearinghouse has closed.
 */
export async function openAgain(sim: Sim, server: SimServer): Promise<string> {
  const { context } = server.program;
  const { activation } = await readIdentity(context);
  const known = await sim.clearinghouse.store.read((tx) => findServer(tx, server.id));
  if (activation === 'activated' && known?.state !== 'closed') return `${server.name} is open`;
  if (activation === 'deactivated' && known?.state === 'ok') {
    // Its end was refused while codes were unread or a move was open: it is told once more.
    await deactivateServer(context, { returnUnissued: true, by: 'message' });
    await contact(sim, server);
  }
  const asked = await requestActivation(context, { agreement });
  return `${server.name} asks to be activated: ${outcome(asked)}; ${await contact(sim, server)}`;
}

/** Moves that the desk has open, and no source has frozen anything for. */
export async function cancelIdle(sim: Sim): Promise<string> {
  const { items } = await listMoves(sim.clearinghouse.context, { after: '', limit: 1000 });
  const idle = items.filter(({ state, carrier }) => carrier === 'telephone' && state === 'reserved');
  const words: string[] = [];
  for (const { id } of idle) words.push(outcome(await cancelMove(sim.clearinghouse.context, id)));
  return `the desk cancels what nobody froze for: ${words.join(', ') || 'nothing'}`;
}
