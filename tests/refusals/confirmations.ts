/** What the desk refuses of the confirmations that callers read: forged, altered, early, late, or too many. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { confirmByTelephone } from '../../src/clearinghouse/usecases/desk-confirm.ts';
import { formatCode, parseCode } from '../../src/core/code.ts';
import { formatDigits } from '../../src/core/code-digits.ts';
import type { ConfirmationKind } from '../../src/core/confirmation.ts';
import { err, ok } from '../../src/core/result.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { confirmAct } from '../../src/server/usecases/confirm.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import {
  freezeByTelephone,
  heartbeatByTelephone,
  releaseByTelephone,
} from '../../src/server/usecases/telephone-move.ts';
import { findServer, saveServer } from '../../src/store/committed-server-rows.ts';
import { listAuthorities } from '../../src/store/server-authority-rows.ts';
import * as acts from '../world/acts.ts';
import { differences, takeSnapshot } from '../world/snapshot.ts';
import type { World } from '../world/world.ts';
import { makeWorld, product, value } from '../world/world.ts';
import type { Attempt, Row } from './table.ts';
import { refuses } from './table.ts';

interface Stage {
  readonly world: World;
  /** Has 40, 3 of them issued. */
  readonly old: OpenServer;
  readonly next: OpenServer;
  /** Froze 12 and released them, and the desk has heard of neither. */
  readonly mover: OpenServer;
  readonly early: { readonly frozen: string; readonly released: string };
  /** Closed at the desk, and activated again on its own with the code that it had. */
  readonly back: OpenServer;
}

const line = { product, type: 'device' } as const;

async function makeStage(): Promise<Stage> {
  const world = await makeWorld(500);
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  const mover = await world.addServer('LS-MOVER', { kit: true });
  const back = await world.addServer('LS-BACK', { kit: true });
  await acts.setUp(world, old, 40);
  await acts.permanents(old, ['ws-1', 'ws-2', 'ws-3']);
  await acts.setUp(world, next, 0);
  await acts.setUp(world, mover, 20);
  await acts.deskMove(world, { from: mover, to: next }, 12);
  const order = { ...line, to: acts.idOf(next), quantity: 12 };
  const frozen = value(await freezeByTelephone(mover.context, order)).code;
  const released = value(await releaseByTelephone(mover.context, line)).code;
  const activation = await acts.activationCode(world, back);
  await acts.typeCode(back, activation);
  const closed = value(await deactivateServer(back.context, { returnUnissued: false, by: 'telephone' }));
  await acts.confirm(world, closed.codes[0]?.code ?? '');
  await acts.typeCode(back, activation);
  return { world, old, next, mover, early: { frozen, released }, back };
}

function read(stage: Pick<Stage, 'world'>, code: string, serverId?: string): Attempt {
  return () => confirmByTelephone(stage.world.clearinghouse.context, { code, serverId });
}

interface Claim {
  readonly kind: ConfirmationKind;
  readonly line?: number;
  readonly unissued: number;
  readonly held?: number;
  readonly counts?: object;
}

/** What a server with its own key and other books would read: made, and undone on the server. */
async function claim(
  server: OpenServer,
  { kind, line: number = 0, unissued, held = 0, counts = {} }: Claim,
): Promise<string> {
  const { context } = server;
  let code = '';
  await context.store.write(async (tx) => {
    const [authority] = await listAuthorities(tx);
    if (authority === undefined) throw new Error('not activated');
    const act = {
      authority,
      kind,
      line: number,
      unissued,
      held,
      counts,
      move: null,
      nowMs: context.clock.nowMs(),
    };
    code = (await confirmAct(context, tx, act)).code;
    return err({ code: 'deactivated' });
  });
  return code;
}

/** A confirmation in the right form that no key has made. */
function invented(seed: number): string {
  const value16 = Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? 0x10 : (seed * 31 + at * 7) % 256));
  return formatCode({ kind: 'confirmation', ctx: 1, value: value16 });
}

const failure = ['clearinghouse.confirmation_failures+'];

const forged: readonly Row<Stage>[] = [
  {
    name: 'a confirmation of a server that nobody knows',
    attempt: async (stage) => {
      const elsewhere = await makeWorld(10, { publisher: 'Elsewhere', kit: false });
      const server = await elsewhere.addServer('LS', { connected: true });
      await acts.connect(server, 0);
      const { code } = value(await heartbeatByTelephone(server.context, undefined));
      await elsewhere.close();
      return read(stage, code);
    },
    refused: { code: 'confirmation-unmatched', licenseServerId: null },
    recorded: failure,
  },
  {
    name: 'a confirmation whose amount was altered, with group checks that are right',
    attempt: async (stage) => {
      const code = value(
        parseCode(
          nodeDigest,
          await claim(stage.old, { kind: 'returned', unissued: 1, counts: { returns: 1 } }),
        ),
      );
      const bytes = Uint8Array.from(code.value);
      bytes[2] = 30;
      return read(stage, formatCode({ ...code, value: bytes }), acts.idOf(stage.old));
    },
    refused: (stage) => ({ code: 'confirmation-unmatched', licenseServerId: acts.idOf(stage.old) }),
    recorded: failure,
  },
  {
    name: 'a confirmation read for another server than the one that made it',
    attempt: async (stage) => {
      const code = await claim(stage.old, { kind: 'heartbeat', line: 15, unissued: 0 });
      return read(stage, code, acts.idOf(stage.next));
    },
    refused: (stage) => ({ code: 'code-other-server', licenseServerId: acts.idOf(stage.old) }),
  },
  {
    name: 'a confirmation read with a mistyped License Server ID',
    attempt: (stage) => read(stage, stage.early.frozen, acts.idOf(stage.mover).replace(/.$/, '?')),
    refused: { code: 'code-unreadable', problem: 'character' },
  },
];

const untimely: readonly Row<Stage>[] = [
  {
    name: 'a release before the freeze that it ends',
    attempt: (stage) => read(stage, stage.early.released),
    refused: { code: 'earlier-code-missing', kind: 'frozen' },
  },
  {
    name: 'a freeze that no move was opened for',
    attempt: async (stage) => {
      const code = await claim(stage.old, { kind: 'frozen', unissued: 5, counts: { freezes: 1 } });
      return read(stage, code);
    },
    refused: (stage) => ({ code: 'move-needed', licenseServerId: acts.idOf(stage.old) }),
  },
  {
    name: 'a release of what was never frozen',
    attempt: async (stage) => {
      const code = await claim(stage.old, { kind: 'released', unissued: 5, counts: { releases: 1 } });
      return read(stage, code);
    },
    refused: (stage) => ({ code: 'move-needed', licenseServerId: acts.idOf(stage.old) }),
  },
  {
    name: 'a freeze of another quantity than the move was opened for',
    attempt: async (stage) => {
      // The server has released since, which a freeze of before cannot have counted.
      const code = await claim(stage.mover, { kind: 'frozen', unissued: 13, counts: { releases: -1 } });
      return read(stage, code, acts.idOf(stage.mover));
    },
    refused: { code: 'quantity-differs', expected: 12, found: 13 },
  },
  {
    name: 'a heartbeat of a server that was closed and went on by itself',
    attempt: async (stage) =>
      read(stage, value(await heartbeatByTelephone(stage.back.context, undefined)).code),
    refused: (stage) => ({ code: 'server-closed', licenseServerId: acts.idOf(stage.back), generation: 2 }),
  },
];

const impossible: readonly Row<Stage>[] = [
  ...[
    { name: 'a return of more than the books have committed', unissued: 41 },
    { name: 'a return of a line that the agreement does not have', unissued: 1, line: 9 },
    { name: 'a return of all lines at once', unissued: 1, line: 15 },
  ].map(
    ({ name, ...amounts }): Row<Stage> => ({
      name,
      attempt: async (stage) => {
        const code = await claim(stage.old, { kind: 'returned', ...amounts, counts: { returns: 1 } });
        return read(stage, code);
      },
      refused: { code: 'move-more-than-there-is', asked: amounts.unissued },
    }),
  ),
  {
    name: 'a return of nothing',
    attempt: async (stage) =>
      read(stage, await claim(stage.old, { kind: 'returned', unissued: 0, counts: { returns: 1 } })),
    refused: { code: 'quantity-invalid', quantity: 0 },
  },
  {
    name: 'a deactivation that releases what the books know nothing of',
    attempt: async (stage) =>
      read(stage, await claim(stage.old, { kind: 'deactivated', line: 15, unissued: 7 })),
    refused: { code: 'quantity-differs', expected: 0, found: 7 },
  },
  {
    name: 'a freeze of more than the books have committed',
    attempt: async (stage) => {
      await acts.deskMove(stage.world, { from: stage.old, to: stage.next });
      return read(
        stage,
        await claim(stage.old, { kind: 'frozen', unissued: 30, held: 11, counts: { freezes: 1 } }),
      );
    },
    refused: { code: 'move-more-than-there-is', asked: 41, available: 40 },
  },
  {
    name: 'a freeze of nothing',
    attempt: async (stage) =>
      read(stage, await claim(stage.old, { kind: 'frozen', unissued: 0, counts: { freezes: 1 } })),
    refused: { code: 'move-more-than-there-is', asked: 0 },
  },
];

const limits: readonly Row<Stage>[] = [
  {
    name: 'the eleventh confirmation of a day that fits nothing, in whatever form its server is named',
    attempt: async (stage) => {
      const id = acts.idOf(stage.next);
      const digits = formatDigits(nodeDigest, value(parseCode(nodeDigest, id)));
      const forms = [id, id.toLowerCase(), id.replaceAll('-', ' '), ` ${id.replaceAll('-', '')} `, digits];
      for (let seed = 1; seed <= 10; seed += 1)
        await read(stage, invented(seed), forms[seed % forms.length])();
      return read(stage, invented(11), digits);
    },
    refused: { code: 'confirmation-locked', failures: 10 },
  },
  {
    name: 'then also a right one, until a supervisor or a day has passed',
    attempt: async (stage) =>
      read(
        stage,
        await claim(stage.next, { kind: 'heartbeat', line: 15, unissued: 0 }),
        acts.idOf(stage.next),
      ),
    refused: { code: 'confirmation-locked', failures: 10 },
  },
  {
    name: 'a confirmation of a server that the clearinghouse suspects',
    attempt: async (stage) => {
      await stage.world.clearinghouse.store.write(async (tx) => {
        const server = await findServer(tx, acts.idOf(stage.next));
        if (server !== undefined) await saveServer(tx, { ...server, state: 'suspect' });
        return ok(null);
      });
      return read(stage, await claim(stage.next, { kind: 'heartbeat', line: 15, unissued: 0 }));
    },
    refused: (stage) => ({ code: 'server-suspect', licenseServerId: acts.idOf(stage.next) }),
  },
];

/** No refusal, and no second effect: whoever reads a code twice is told the same twice. */
function confirmationsAreTakenOnce(): void {
  it('a confirmation read twice, in either form, gets the first answer, and nothing moves', async () => {
    const stage = await makeStage();
    const { context } = stage.world.clearinghouse;
    const first = value(await confirmByTelephone(context, { code: stage.early.frozen }));
    const start = await takeSnapshot(stage.world.programs());
    const digits = formatDigits(nodeDigest, value(parseCode(nodeDigest, stage.early.frozen)));
    for (const code of [stage.early.frozen, digits, stage.early.frozen.toLowerCase()]) {
      assert.deepEqual(value(await confirmByTelephone(context, { code })), first);
    }
    assert.deepEqual(differences(start, await takeSnapshot(stage.world.programs())), []);
    await stage.world.close();
  });
}

export function deskRefusesConfirmations(): void {
  refuses('the desk refuses, of confirmations read to it,', makeStage, [
    ...[...forged, ...untimely, ...impossible, ...limits],
  ]);
  confirmationsAreTakenOnce();
}
