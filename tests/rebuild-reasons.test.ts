/**
 * `calyx server rebuild` for each of the five reasons of the model system (protocol §5.5), on real processes and files, by
 * connection and by file; and a license server that was recovered is deactivated as any other.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { reasonText, recoveryReasons } from '../src/core/recovery.ts';
import { until } from './in-time.ts';
import type { Agreement, Status } from './ten-steps/answers.ts';
import { arrive, ask, askPermanent } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { cals, openSite } from './ten-steps/site.ts';

let site: Site;
let url = '';
/** By the number of their agreement. */
const servers = new Map<string, Machine>();

before(async () => {
  site = await openSite(10);
  url = await site.clearinghouse.serve();
});
after(() => site.close());

interface Recovery {
  readonly reason: string;
  readonly moves: readonly { readonly state: string; readonly agreement: string }[];
}

type Succeeded = Status & {
  readonly successions: readonly { readonly reason: string; readonly recovered: boolean }[];
};

const reasonsOf = async (server: Machine) =>
  (await server.done<Succeeded>('server', 'status')).successions.map(({ reason, recovered }) => [
    reason,
    recovered,
  ]);

/** A license server with three CALs of an agreement of its own: what is recovered at once is counted by agreement. */
async function addSupplied(number: string): Promise<Machine> {
  const bought = ['--number', number, '--program', 'select', '--customer', 'Contoso', ...cals];
  await site.clearinghouse.done('clearinghouse', 'agreement', 'add', ...bought, '--quantity', '5');
  const server = await site.addServer(`LS-${number}`, '--clearinghouse', url);
  servers.set(number, server);
  await server.done('server', 'activate', '--agreement', number);
  await server.done('server', 'install', '--agreement', number, ...cals, '--quantity', '3');
  return server;
}

async function rebuild(server: Machine, reason: string): Promise<void> {
  const { licenseServerId } = await server.status();
  const words = ['server', 'rebuild', '--reason', reason, '--yes'];
  const rebuilt = await server.done<{ from: string; signed: boolean; reason: string }>(...words);
  assert.deepEqual([rebuilt.from, rebuilt.signed, rebuilt.reason], [licenseServerId, true, reason]);
}

/** In hand, and with its server or on the way there, of the agreement. */
async function booksOf(number: string): Promise<readonly unknown[]> {
  const words = ['clearinghouse', 'agreement', 'show', number];
  const { lines } = await site.clearinghouse.done<Agreement>(...words);
  const { inHand = 0, committed = 0, inTransit = 0 } = lines[0] ?? {};
  return [inHand, committed + inTransit];
}

/** A request file is carried to the clearinghouse, and its answer comes back. */
async function carry(request: string): Promise<string> {
  const answer = `${request}.answer`;
  await site.clearinghouse.done('clearinghouse', 'answer', request, '--out', answer);
  return answer;
}

describe('calyx server rebuild', () => {
  for (const [index, reason] of recoveryReasons.entries()) {
    it(`--reason ${reason}: says so in its System log, and at the clearinghouse, and has its CALs again`, async () => {
      const number = `100000${index}`;
      const server = await addSupplied(number);
      await rebuild(server, reason);
      const { items } = await server.done<{
        items: readonly { id: number; data: Record<string, unknown> }[];
      }>(...['server', 'events']);
      assert.deepEqual(
        items.filter(({ id }) => id === 88 || id === 26).map(({ id, data }) => [id, data['reason']]),
        [[88, reason]],
      );
      await server.done('server', 'activate', '--agreement', number);
      const recovery = await server.done<Recovery>('server', 'recover');
      assert.deepEqual([recovery.reason, recovery.moves.map((move) => move.agreement)], [reason, [number]]);
      assert.deepEqual(await reasonsOf(server), [[reason, true]]);
      assert.partialDeepStrictEqual((await server.status()).packs, [
        { installed: 3, unissued: 3, issued: 0 },
      ]);
      assert.deepEqual(await booksOf(number), [2, 3]);
      const moves = (await site.clearinghouse.page('desk', 'moves')).replaceAll(/\s+/g, ' ');
      assert.ok(moves.includes(`${reasonText(reason)}; at once`), `${reasonText(reason)}\n${moves}`);
    });
  }
});

describe('a license server that was rebuilt', () => {
  let server: Machine;
  const number = '2000000';

  it('recovers by file: --request-out there, --response here', async () => {
    server = await addSupplied(number);
    await server.serve();
    const held = await arrive(server.address, 'pc-1');
    await server.stop();
    await rebuild(server, 'redeployed');
    await server.done('server', 'method', 'web');
    const [activation, recovery] = [site.file('activation'), site.file('recovery')];
    await server.done('server', 'activate', '--agreement', number, '--request-out', activation);
    await server.done('server', 'activate', '--response', await carry(activation));
    const asked = await server.done<Recovery & { requestFile: string }>(
      ...['server', 'recover', '--request-out', recovery],
    );
    assert.deepEqual([asked.reason, asked.moves.length, asked.requestFile], ['redeployed', 1, recovery]);
    assert.deepEqual(await reasonsOf(server), [['redeployed', false]]);
    await server.serve();
    assert.equal((await ask(server.address, 'pc-1', held)).body.kind, 'temporary');
    await server.stop();
    await server.done('server', 'move', '--response', await carry(recovery));
    assert.deepEqual(await reasonsOf(server), [['redeployed', true]]);
    assert.deepEqual(await booksOf(number), [2, 3]);
    await server.serve();
    assert.equal((await askPermanent(server.address, 'pc-1', held)).origin, held.origin);
    await server.stop();
    assert.partialDeepStrictEqual((await server.status()).packs, [{ installed: 3, issued: 1, unissued: 2 }]);
  });

  it('is deactivated as any other, once its recovery is over', async () => {
    const report = ['--request-out', site.file('report')];
    // By file the receipt was not carried yet.
    const early = await server.refused('server', 'deactivate', '--return', ...report);
    assert.equal(early.refused.code, 'move-open');
    // The first of those above has no holder; its contacts end the recovery.
    const other = servers.get('1000000');
    assert.ok(other);
    await other.serve();
    await until('the recovery is over', async () => {
      const { openMoves } = await other.get<Status & { openMoves: readonly unknown[] }>('/v1/admin/status');
      return openMoves.length === 0 ? true : undefined;
    });
    await other.done('server', 'deactivate', '--return', '--yes');
    await other.stop();
    const { activation, packs } = await other.status();
    assert.deepEqual([activation, packs.map(({ installed }) => installed)], ['deactivated', [0]]);
    assert.deepEqual(await booksOf('1000000'), [5, 0]);
    assert.deepEqual(await reasonsOf(other), [['redeployed', true]]);
    assert.equal((await other.refused('server', 'recover')).refused.code, 'not-activated');
  });
});
