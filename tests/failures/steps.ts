/** What an administrator and a representative do in the moves in which everything fails once, step by step. */
import assert from 'node:assert/strict';
import { confirmByTelephone } from '../../src/clearinghouse/usecases/desk-confirm.ts';
import { listMoves } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { answerFile } from '../../src/clearinghouse/usecases/exchange.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import type { CalType } from '../../src/core/product.ts';
import { ok } from '../../src/core/result.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { applyAnswerFile } from '../../src/server/usecases/apply-message.ts';
import { contactClearinghouse } from '../../src/server/usecases/contact.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { requestFile } from '../../src/server/usecases/outbox.ts';
import { startMove } from '../../src/server/usecases/start-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../../src/server/usecases/telephone-move.ts';
import * as acts from '../world/acts.ts';
import { agreement, product } from '../world/world.ts';
import type { Scene } from './scene.ts';
import type { End } from './summary.ts';
import type { Beginning, ServerName } from './template.ts';

export interface Scenario {
  readonly name: string;
  readonly beginning: Beginning;
  /** The old server is never heard of again: it takes no part in the end. */
  readonly silent?: boolean;
  /** It is refused whatever it says, and says it again where it has not heard that: that is counted by nobody. */
  readonly refusedOften?: boolean;
  /** Runs it, and answers which server has the CALs at the end. */
  readonly run: (scene: Scene) => Promise<End>;
}

export const line = { product, type: 'device' } as const;

/** More rounds than any move needs, a failure included. */
const mostRounds = 12;

interface Ordered {
  readonly from?: ServerName;
  readonly to?: ServerName;
  readonly type?: CalType;
  readonly hold?: boolean;
  readonly quantity?: number | 'all';
  /** Null: the command line has no key, and goes on with the move that is open. */
  readonly requestId?: string | null;
}

/** A move by message, as its source is told to; answers its id. */
export async function order(scene: Scene, ordered: Ordered): Promise<string> {
  const { from = 'old', to = 'next', type = line.type, hold = false, quantity = 'all' } = ordered;
  const key = ordered.requestId === undefined ? 'the-move' : (ordered.requestId ?? undefined);
  const what = { agreement, to: acts.idOf(scene.server(to)), product, type, quantity };
  const wanted = { ...what, reason: 'replaced', hold, requestId: key } as const;
  const asked = await scene.insist(`server move of ${from}`, () =>
    startMove(scene.server(from).context, wanted),
  );
  return asked?.id ?? '';
}

export async function contact(scene: Scene, name: ServerName): Promise<void> {
  await scene.insist(`contact of ${name}`, () =>
    contactClearinghouse(scene.server(name).context, { waitMs: 0 }),
  );
}

/** A stick goes from a server to the clearinghouse and back to both. */
export async function carry(scene: Scene, name: ServerName): Promise<void> {
  const file = await scene.insist(`request file of ${name}`, async () =>
    ok(await requestFile(scene.server(name).context)),
  );
  const answer = await scene.insist('answer file', () => answerFile(scene.desk(), file ?? ''));
  for (const reader of scene.servers) {
    await scene.insist(`answer file read by ${reader}`, async () => {
      const read = await applyAnswerFile(scene.server(reader).context, answer?.file ?? '');
      // The stick carries mail for both: that there is none for one of them, or nothing new, is no failure.
      return !read.ok && ['message-invalid', 'already-applied'].includes(read.error.code) ? ok(null) : read;
    });
  }
}

export type Round = (scene: Scene, name: ServerName) => Promise<void>;

/** Each server twice at a time: once it hears what is wanted of it, and then it tells that it has done so. */
export async function until(scene: Scene, state: string, round: Round): Promise<void> {
  for (let count = 0; count < mostRounds; count += 1) {
    for (const name of scene.servers) {
      await round(scene, name);
      await round(scene, name);
      if ((await scene.moveState()) === state) return;
    }
  }
  assert.fail(`${await scene.moveState()}, and not ${state}`);
}

/** These contacts, one after another, bring the moves to this state. */
export async function inTurn(scene: Scene, state: string, names: readonly ServerName[]): Promise<void> {
  for (const name of names) await contact(scene, name);
  assert.equal(await scene.moveState(), state);
}

/** The old server is not heard of: the new one alone contacts the clearinghouse. */
export async function alone(scene: Scene, name: ServerName): Promise<void> {
  if (name === 'next') await contact(scene, name);
}

/** Until everything that was said is known to have been heard. */
export async function quiet(scene: Scene, round: Round): Promise<void> {
  for (const name of scene.servers) await round(scene, name);
}

/** What the end is compared at: with no mail left on its way, the statements after a move included. */
export async function settle(scene: Scene, { beginning, silent }: Scenario): Promise<void> {
  if (beginning.carrier === 'telephone') return;
  let before = -1;
  for (let now = await scene.written(); now !== before; now = await scene.written()) {
    before = now;
    await quiet(scene, silent === true ? alone : contact);
  }
}

interface Typed {
  readonly from?: ServerName;
  readonly alsoFrom?: readonly string[];
}

/** Types a code where there is one; one that was typed before is refused in words. */
export async function read(
  scene: Scene,
  { on, code }: { readonly on: ServerName; readonly code: string | null | undefined },
  { from = 'old', alsoFrom = [] }: Typed = {},
): Promise<void> {
  const source = acts.idOf(scene.server(from));
  await scene.insist(`code typed on ${on}`, async () => {
    const text = code ?? '';
    const typed = await applyCode(scene.server(on).context, {
      text,
      from: source,
      alsoFrom,
      confirmed: true,
    });
    return !typed.ok && typed.error.code === 'already-applied' ? ok(null) : typed;
  });
}

/** Reads a code of a server to the desk, and types on another one what the desk says. */
export async function tell(
  scene: Scene,
  code: string,
  typed: Typed & { readonly on: ServerName },
): Promise<void> {
  const told = await scene.insist('told to the desk', () => confirmByTelephone(scene.desk(), { code }));
  for (const answer of told?.codes ?? []) await read(scene, { on: typed.on, code: answer.code }, typed);
}

interface Called {
  readonly from?: ServerName;
  readonly to?: ServerName;
  readonly type?: CalType;
  readonly quantity?: number | 'all';
}

/** A move by telephone up to its freeze: at the desk, on the source, and what is unissued on the target. */
export async function freeze(scene: Scene, called: Called = {}): Promise<void> {
  await tell(scene, await freezeOnly(scene, called), { on: called.to ?? 'next', from: called.from ?? 'old' });
}

/** The same, of which the desk has not heard yet; answers the code. */
export async function freezeOnly(scene: Scene, called: Called): Promise<string> {
  const { from = 'old', to = 'next', type = line.type, quantity = 'all' } = called;
  const ids = { from: acts.idOf(scene.server(from)), to: acts.idOf(scene.server(to)) };
  const wanted = { ...{ agreement, ...ids, product, type, quantity }, reason: 'replaced' } as const;
  const requestId = `from ${from} per ${type}`;
  await scene.insist('desk move', () => startDeskMove(scene.desk(), { ...wanted, requestId }));
  const asked = { product, type, to: ids.to, quantity } as const;
  const frozen = await scene.insist('freeze', () => freezeByTelephone(scene.server(from).context, asked));
  return frozen?.code ?? '';
}

/** What is frozen is given up, and the target has the CALs that have holders. */
export async function release(scene: Scene, { from = 'old', to = 'next' }: Called = {}): Promise<void> {
  const told = await scene.insist('release', () => releaseByTelephone(scene.server(from).context, line));
  await tell(scene, told?.code ?? '', { on: to, from, alsoFrom: told?.alsoFrom ?? [] });
}

/** The same for a server that is closed. Asked again, it tells all codes that it has made, and they are all read again. */
export async function deactivate(scene: Scene): Promise<void> {
  const command = { returnUnissued: false, by: 'telephone' } as const;
  const told = await scene.insist('deactivate', () => deactivateServer(scene.server('old').context, command));
  for (const { code } of told?.codes ?? []) await tell(scene, code, { on: 'next' });
}

export async function moveId(scene: Scene): Promise<string> {
  const [move] = (await listMoves(scene.desk(), { after: '', limit: 1 })).items;
  return move?.id ?? '';
}
