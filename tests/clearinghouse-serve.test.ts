/** `calyx clearinghouse serve` as a real process, and how the clearinghouse stops while somebody waits for mail. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import { sealOutbox } from '../src/server/usecases/outbox.ts';
import { makeWorld } from './world/world.ts';

const program = join(import.meta.dirname, '../src/bin/calyx.ts');
const scratch = mkdtempSync(join(tmpdir(), 'calyx-serve-'));
const data = join(scratch, 'clearinghouse');
after(() => rmSync(scratch, { recursive: true, force: true }));

function launch(...words: readonly string[]): ChildProcess {
  const argv = [program, 'clearinghouse', ...words, '--data', data, '--json'];
  return spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function line(child: ChildProcess): Promise<Record<string, unknown>> {
  assert.ok(child.stdout);
  for await (const text of createInterface({ input: child.stdout })) {
    return JSON.parse(text) as Record<string, unknown>;
  }
  throw new Error('nothing on stdout');
}

async function run(...words: readonly string[]): Promise<{ exit: unknown; fields: Record<string, unknown> }> {
  const child = launch(...words);
  const exited = once(child, 'exit');
  const fields = await line(child);
  return { exit: (await exited)[0], fields };
}

describe('calyx clearinghouse serve', () => {
  before(async () => {
    assert.equal((await run('init', '--publisher', 'Sample Publisher')).exit, 0);
  });

  it('says where it listens, is found through its folder, and stops on SIGTERM', async (t) => {
    const child = launch('serve', '--port', '0');
    const exited = once(child, 'exit');
    t.after(() => child.kill('SIGKILL'));
    const { address } = await line(child);
    const health = await fetch(`${String(address)}/health`);
    assert.equal(((await health.json()) as { publisher: unknown }).publisher, 'Sample Publisher');
    const product = ['--id', 'ts-2012r2', '--name', 'TS', '--family', 'ts', '--version', '9'];
    assert.equal((await run('product', 'add', ...product)).exit, 0);
    const second = await run('serve', '--port', '0');
    assert.equal(second.exit, 1);
    assert.equal((second.fields['refused'] as { code: unknown }).code, 'data-folder-busy');
    child.kill('SIGTERM');
    assert.equal((await exited)[0], 0);
    const listed = await run('product', 'list');
    assert.equal((listed.fields['items'] as readonly unknown[]).length, 1);
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
