/** `calyx clearinghouse serve` as a real process, and how the clearinghouse stops while somebody waits for mail. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import { sealOutbox } from '../src/server/usecases/outbox.ts';
import { Calyx } from './ten-steps/program.ts';
import { Machine } from './ten-steps/site.ts';
import { makeWorld } from './world/world.ts';

const scratch = mkdtempSync(join(tmpdir(), 'calyx-serve-'));
const calyx = new Calyx();
const data = join(scratch, 'clearinghouse');
const clearinghouse = new Machine(calyx, { name: 'clearinghouse', kind: 'clearinghouse', data });

after(async () => {
  await calyx.close();
  rmSync(scratch, { recursive: true, force: true });
});

describe('calyx clearinghouse serve', () => {
  before(() => clearinghouse.done('clearinghouse', 'init', '--publisher', 'Sample Publisher'));

  it('says where it listens, is found through its folder, and stops on SIGTERM', async () => {
    const address = await clearinghouse.serve();
    const health = await fetch(`${address}/health`);
    assert.equal(((await health.json()) as { publisher: unknown }).publisher, 'Sample Publisher');
    const product = ['--id', 'ts-2012r2', '--name', 'TS', '--family', 'ts', '--version', '9'];
    await clearinghouse.done('clearinghouse', 'product', 'add', ...product);
    const second = await clearinghouse.refused('clearinghouse', 'serve', '--port', '0');
    assert.deepEqual([second.exit, second.refused.code], [1, 'data-folder-busy']);
    await clearinghouse.stop();
    const listed = await clearinghouse.done<{ items: unknown[] }>('clearinghouse', 'product', 'list');
    assert.equal(listed.items.length, 1);
  });
});

describe('a clearinghouse that stops', () => {
  it('answers who waits for mail with what there is, before its store closes', async () => {
    const world = await makeWorld();
    const server = await world.addServer('waiting', { connected: true });
    const { context } = world.clearinghouse;
    const messages = await sealOutbox(server.context);
    const waiting = exchangeMessages(context, { messages, waitMs: 20_000 });
    const pause = new Promise((resolve) => setTimeout(resolve, 200, 'still waiting'));
    assert.equal(await Promise.race([waiting, pause]), 'still waiting');
    const began = performance.now();
    await world.close();
    const answered = await waiting;
    assert.equal(answered.ok, true, JSON.stringify(answered));
    assert.ok(performance.now() - began < 5000);
  });
});
