/**
 * `calyx up` as a real process: ready with its sample, the same again after a stop, and after kill -9
 * anywhere in the first start.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { inTime } from './in-time.ts';
import type { Line, Pack } from './ten-steps/answers.ts';
import { Calyx } from './ten-steps/program.ts';

const root = join(import.meta.dirname, '..');
const calyx = new Calyx();
after(() => calyx.close());

interface Place {
  readonly address: string;
  readonly docs: string;
  readonly data: string;
}

interface Server extends Place {
  readonly licenseServerId: string;
  readonly activation: string;
  readonly method: string;
  readonly clearinghouseUrl: string | null;
  readonly kits: readonly string[];
  readonly packs: readonly Pack[];
}

interface Command {
  readonly command: string;
}

interface World {
  readonly data: string;
  readonly continued: boolean;
  readonly agreement: string;
  readonly kit: string;
  readonly clearinghouse: Place;
  readonly servers: readonly [old: Server, fresh: Server];
  readonly steps: readonly {
    readonly step: string;
    readonly commands: readonly Command[];
  }[];
  readonly automatic: readonly Command[];
}

interface Running {
  readonly world: World;
  /** Ctrl-C; the exit code. */
  readonly stop: () => Promise<number | null>;
}

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-up-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, 'world');
}

const wordsOf = (dir: string, ports = '0,0,0'): readonly string[] => ['up', '--ports', ports, '--data', dir];

async function up(t: TestContext, dir: string): Promise<Running> {
  const { child, line, ended } = calyx.start([...wordsOf(dir), '--json']);
  t.after(() => child.kill('SIGKILL'));
  const world = JSON.parse(await inTime('calyx up', line)) as World;
  assert.ok(world.servers, JSON.stringify(world));
  const stop = async (): Promise<number | null> => {
    child.kill('SIGINT');
    return (await inTime('the end of calyx up', ended)).exit;
  };
  return { world, stop };
}

/** Starts, and kills the process without warning after `ms`. */
async function killedAfter(dir: string, ms: number): Promise<void> {
  const { child, ended } = calyx.start([...wordsOf(dir), '--json']);
  setTimeout(() => child.kill('SIGKILL'), ms);
  await ended;
}

/** What a command line of the world's own terminal prints; it must end well. */
async function shell(line: string): Promise<Record<string, unknown>> {
  try {
    const { stdout } = await promisify(execFile)('sh', ['-c', line], { cwd: root });
    return JSON.parse(stdout) as Record<string, unknown>;
  } catch (error) {
    throw new Error(`${line}: ${(error as { stdout?: string }).stdout ?? ''}`, { cause: error });
  }
}

async function linesOf(world: World): Promise<readonly Line[]> {
  const token = readFileSync(join(world.clearinghouse.data, 'admin-token'), 'utf8').trim();
  const answer = await fetch(`${world.clearinghouse.address}/v1/agreements/${world.agreement}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { lines } = (await answer.json()) as { readonly lines: readonly Line[] };
  return lines;
}

async function checkSample(world: World): Promise<void> {
  const [old, fresh] = world.servers;
  assert.equal(old.activation, 'activated');
  assert.equal(old.method, 'automatic');
  assert.equal(old.clearinghouseUrl, world.clearinghouse.address);
  assert.equal(old.packs.length, 1);
  const [pack] = old.packs;
  assert.deepEqual(
    [pack?.installed, pack?.issued, pack?.unissued],
    [500, 15, 485],
    'CALs of LS-OLD: installed, issued, unissued',
  );
  assert.equal(fresh.activation, 'not-activated');
  assert.equal(fresh.method, 'telephone');
  assert.deepEqual(fresh.kits, ['4965437']);
  assert.deepEqual(fresh.packs, []);
  assert.ok(existsSync(world.kit));
  const lines = await linesOf(world);
  assert.deepEqual(
    lines.map(({ entitled, inHand, committed }) => ({ entitled, inHand, committed })),
    [{ entitled: 1000, inHand: 500, committed: 500 }],
  );
}

describe('calyx up', () => {
  it('is ready with 500 CALs on LS-OLD, 15 of them issued for good, and LS-NEW fresh', async (t) => {
    const { world, stop } = await up(t, scratch(t));
    assert.equal(world.continued, false);
    await checkSample(world);
    const [old] = world.servers;
    const again = await fetch(`${old.address}/v1/licenses/ts-2012r2/devices/ws-15`, { method: 'PUT' });
    const license = (await again.json()) as { readonly kind: string; readonly status: string };
    assert.deepEqual([license.kind, license.status], ['permanent', 'unchanged']);
    for (const { docs } of [world.clearinghouse, ...world.servers]) {
      assert.equal((await fetch(docs)).status, 200, docs);
    }
    assert.deepEqual(
      world.steps.map((each) => each.step),
      ['1', '2', '3–4', '5–6', '7', '8–9', '10'],
    );
    assert.equal(await stop(), 0);
  });

  it('goes on with the same data, though the ports are others', async (t) => {
    const dir = scratch(t);
    const first = await up(t, dir);
    const [, fresh] = first.world.servers;
    await fetch(`${fresh.address}/v1/licenses/ts-2012r2/devices/ws-16`, { method: 'PUT' });
    assert.equal(await first.stop(), 0);
    const second = await up(t, dir);
    assert.equal(second.world.continued, true);
    await checkSample(second.world);
    assert.deepEqual(
      second.world.servers.map((server) => server.licenseServerId),
      first.world.servers.map((server) => server.licenseServerId),
    );
    const again = await fetch(`${second.world.servers[1].address}/v1/licenses/ts-2012r2/devices/ws-16`, {
      method: 'PUT',
    });
    assert.equal(((await again.json()) as { readonly status: string }).status, 'unchanged');
    assert.equal(await second.stop(), 0);
  });

  it('ends in the same sample however often and wherever the first start is killed', async (t) => {
    const dir = scratch(t);
    for (const ms of [300, 450, 500, 550, 600, 650, 700, 800]) await killedAfter(dir, ms);
    const { world, stop } = await up(t, dir);
    await checkSample(world);
    assert.equal(await stop(), 0);
  });

  it('prints commands that do the ten steps, typed as they stand', async (t) => {
    const { world, stop } = await up(t, scratch(t));
    const answers = new Map<string, Record<string, unknown>>();
    let code = '';
    for (const { step, commands } of world.steps) {
      for (const { command } of commands) {
        const typed = command.replace(/--code CAL-KEY-PACK-ID|(?<= )CODE(?= )/, (words) =>
          words === 'CODE' ? code : `--code ${code}`,
        );
        const answer = await shell(`${typed} --json`);
        answers.set(step, answer);
        if (typeof answer['code'] === 'string') code = answer['code'];
      }
    }
    assert.equal(answers.get('8–9')?.['kind'], 'permanent');
    const [line] = (answers.get('10')?.['lines'] ?? []) as readonly Line[];
    assert.deepEqual([line?.entitled, line?.inHand, line?.committed], [1000, 500, 500]);
    assert.equal(await stop(), 0);
    const after = await up(t, world.data);
    const [old, fresh] = after.world.servers;
    assert.equal(old.activation, 'deactivated');
    assert.equal(fresh.packs[0]?.installed, 500);
    assert.equal(await after.stop(), 0);
  });

  it('prints commands that do it automatically, typed as they stand', async (t) => {
    const { world, stop } = await up(t, scratch(t));
    for (const { command } of world.automatic) await shell(`${command} --json`);
    assert.equal(await stop(), 0);
    const after = await up(t, world.data);
    const [old, fresh] = after.world.servers;
    assert.equal(old.activation, 'deactivated');
    assert.deepEqual([fresh.method, fresh.packs[0]?.installed], ['automatic', 500]);
    assert.equal(fresh.clearinghouseUrl, after.world.clearinghouse.address);
    assert.equal(await after.stop(), 0);
  });

  it('says in words that a port is taken, and lets go of everything', async (t) => {
    const dir = scratch(t);
    const other = createServer();
    other.listen(0, '127.0.0.1');
    t.after(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { exit, refused } = await calyx.refused(...wordsOf(dir, `0,0,${port}`));
    assert.deepEqual([exit, refused.code], [1, 'port-in-use']);
    assert.match(refused.message, new RegExp(String(port)));
    assert.match(refused.next, /--ports/);
    const { world, stop } = await up(t, dir);
    await checkSample(world);
    assert.equal(await stop(), 0);
  });

  it('leaves a folder alone that holds other files', async (t) => {
    const dir = scratch(t);
    mkdirSync(dir);
    writeFileSync(join(dir, 'letter.txt'), 'Dear');
    const { exit, refused } = await calyx.refused(...wordsOf(dir));
    assert.deepEqual([exit, refused.code], [1, 'data-folder-not-empty']);
  });
});
