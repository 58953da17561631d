import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { openers } from './connect-programs.ts';
import { groups } from './groups.ts';
import { runCli } from './main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'calyx-cli-words-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string): string => join(scratch, name);
const agreement = ['--agreement', '4965437'];
const line = ['--product', 'ts-2012r2', '--type', 'device'];
/** Nobody listens there. */
const nowhere = ['server', 'method', 'automatic', '--clearinghouse', 'http://127.0.0.1:9'];

interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}
type Fields = Readonly<Record<string, unknown>>;
const text = (value: unknown): string => String(value);

async function run(folder: string, ...words: readonly string[]): Promise<Ran> {
  const sink = () => Object.assign(new PassThrough(), { isTTY: false, columns: 80 });
  const [stdin, stdout, stderr] = [sink(), sink(), sink()];
  const argv = [...words, '--data', at(folder)];
  const exit = await runCli(argv, { env: {}, stdin, stdout, stderr }, { groups, openers });
  return { exit, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

async function done(folder: string, ...words: readonly string[]): Promise<Fields> {
  const { exit, stdout } = await run(folder, ...words, '--json');
  assert.equal(exit, 0, stdout);
  return JSON.parse(stdout) as Fields;
}

async function refused(exit: number, folder: string, ...words: readonly string[]): Promise<Fields> {
  const ran = await run(folder, ...words, '--json');
  assert.equal(ran.exit, exit, ran.stdout);
  return (JSON.parse(ran.stdout) as { refused: Fields }).refused;
}

async function answered(request: string): Promise<string> {
  await done('ch', 'clearinghouse', 'answer', at(request), '--out', at(`${request}.answer`));
  return at(`${request}.answer`);
}

/** Activated by file, with so many CALs; answers its ID. */
async function makeServer(name: string, quantity: number): Promise<string> {
  const bundle = ['--bundle', at('ch/publisher-bundle.json'), '--kit', at('kit.json')];
  const { licenseServerId } = await done(name, 'server', 'init', ...bundle, '--name', name);
  await done(name, 'server', 'method', 'web');
  await done(name, 'server', 'activate', ...agreement, '--request-out', at('a'));
  await done(name, 'server', 'activate', '--response', await answered('a'));
  if (quantity > 0) {
    const order = [...agreement, ...line, '--quantity', String(quantity), '--request-out', at('i')];
    await done(name, 'server', 'install', ...order);
    await done(name, 'server', 'install', '--response', await answered('i'));
  }
  return text(licenseServerId);
}

const stateOf = async (folder: string): Promise<unknown> =>
  ((await done(folder, 'server', 'move', '--status'))['items'] as readonly Fields[]).at(-1)?.['state'];

before(async () => {
  const name = ['--id', 'ts-2012r2', '--name', 'Terminal Server 2012 R2', '--family', 'ts', '--version', '9'];
  const order = ['--number', '4965437', '--program', 'select', '--customer', 'Contoso', '--quantity', '100'];
  await done('ch', 'clearinghouse', 'init', '--publisher', 'Sample Publisher');
  await done('ch', 'clearinghouse', 'product', 'add', ...name);
  await done('ch', 'clearinghouse', 'agreement', 'add', ...order, ...line);
  await done('ch', 'clearinghouse', 'kit', ...agreement, '--out', at('kit.json'));
});

describe('server move where nothing reaches the clearinghouse', () => {
  let to: string;
  let order: readonly string[];

  before(async () => {
    await makeServer('asked', 9);
    to = await makeServer('asked-to', 0);
    await done('asked', ...nowhere);
    order = ['server', 'move', '--to', to, ...agreement, ...line, '--quantity', '5'];
  });

  it('says how to go on by telephone, and that works: nothing was frozen yet', async () => {
    const cut = await refused(3, 'asked', ...order);
    assert.equal(cut['code'], 'clearinghouse-unreachable');
    assert.match(text(cut['next']), /nothing is frozen yet.*--request-out FILE.*By telephone/);
    assert.match(text(cut['command']), /^calyx server move .*--quantity 5 --freeze$/);
    assert.doesNotMatch(text(cut['next']), /--code CODE/);
    assert.equal((await done('asked', ...order, '--freeze'))['kind'], 'frozen');
    const states = ((await done('asked', 'server', 'move', '--status'))['items'] as readonly Fields[]).map(
      ({ carrier, state }) => `${text(carrier)} ${text(state)}`,
    );
    assert.deepEqual(states, ['online undone', 'telephone frozen']);
  });

  it('of every key pack the same, and what is only asked for is undone at once', async () => {
    await makeServer('all', 3);
    await done('all', ...nowhere);
    const all = ['server', 'move', '--to', to, '--all'];
    const cut = await refused(3, 'all', ...all);
    assert.match(text(cut['command']), /^calyx server move .*--all --freeze$/);
    const undone = await run('all', 'server', 'move', '--undo');
    assert.equal(undone.exit, 0, undone.stderr);
    assert.match(
      undone.stdout.replaceAll(/\s+/g, ' '),
      /Nothing was frozen yet.*hears of it at the next contact/,
    );
    await refused(3, 'all', ...all);
    const frozen = await done('all', ...all, '--freeze');
    assert.deepEqual([frozen['unissued'], (frozen['codes'] as readonly Fields[]).length], [3, 1]);
  });
});

describe('a move by files whose source is cut off, and is undone too late', () => {
  let order: readonly string[];

  before(async () => {
    await makeServer('from', 12);
    const to = await makeServer('to', 0);
    order = ['server', 'move', '--to', to, ...agreement, ...line, '--quantity', '5'];
    await done('from', ...order, '--request-out', at('m'));
    await done('from', 'server', 'move', '--response', await answered('m'));
    assert.equal(await stateOf('from'), 'frozen');
    await done('from', ...nowhere);
  });

  it('frozen by message, it says what the telephone can do, and does not say what it cannot', async () => {
    for (const cut of [await refused(3, 'from', ...order), await refused(1, 'from', ...order, '--freeze')]) {
      assert.match(text(cut['next']), /are frozen for move .*can only be finished.*calyx desk repeat/);
      assert.match(text(cut['command']), /^calyx server move .*--release --agreement 4965437 --product/);
    }
  });

  it('an undo that is asked for says how it gets there, and nothing is given up meanwhile', async () => {
    await done('from', 'server', 'move', '--request-out', at('r'));
    await done('to', 'server', 'move', '--response', await answered('r'), '--request-out', at('v'));
    const cut = await refused(3, 'from', 'server', 'move', '--undo');
    assert.match(text(cut['next']), /calyx desk cancel/);
    assert.match(text(cut['command']), /--undo \S+ --request-out REQUEST-FILE$/);
    assert.equal((await refused(1, 'from', 'server', 'deactivate', '--code-out'))['code'], 'undo-open');
    const { stdout } = await run('from', 'server', 'move', '--status');
    assert.match(
      stdout.replaceAll(/\s+/g, ' '),
      /The clearinghouse is to hear that the move is to be undone/,
    );
  });

  it('a file that brings its refusal says so, beside what else was in it', async () => {
    await done('from', 'server', 'move', '--undo', '--request-out', at('u'));
    const final = await answered('v');
    const answer = await answered('u');
    const ran = await run('from', 'server', 'move', '--response', answer, '--request-out', at('w'));
    assert.equal(ran.exit, 1, ran.stdout);
    assert.match(ran.stdout, /The answer is applied/);
    assert.match(ran.stderr, /undo-too-late/);
    assert.equal(await stateOf('from'), 'closed');
    const target = await run('to', 'server', 'move', '--response', final, '--request-out', at('x'));
    const page = target.stdout.replaceAll(/\s+/g, ' ');
    assert.equal(await stateOf('to'), 'final');
    assert.match(
      page,
      /The source is to release.*apply an answer here when the source has given its CALs up/,
    );
    assert.doesNotMatch(page, /nothing is left to be done here/);
    await done('to', 'server', 'move', '--response', await answered('w'));
    assert.equal(await stateOf('to'), 'closed');
  });
});

describe('what is shown of moves that are over', () => {
  it('a release where nothing is frozen says that its code is of an earlier one', async () => {
    const release = ['server', 'move', '--release', ...agreement, ...line];
    const first = await done('all', ...release);
    assert.deepEqual([first['unissued'], first['madeAt']], [3, undefined]);
    const again = await done('all', ...release);
    assert.deepEqual([again['code'], typeof again['madeAt']], [first['code'], 'string']);
    const page = (await run('all', ...release)).stdout.replaceAll(/\s+/g, ' ');
    assert.match(
      page,
      /Nothing of ts-2012r2 per device is frozen here now, and nothing is given up\. On \d{4}-/,
    );
    assert.doesNotMatch(page, /are given up by this server/);
  });

  it('the desk lists the newest first, and with --open only those that wait for something', async () => {
    const idOf = async (folder: string) => text((await done(folder, 'server', 'status'))['licenseServerId']);
    const ends = ['--from', await idOf('asked'), '--to', await idOf('to'), '--quantity', '5'];
    const { move } = await done('ch', 'desk', 'move', ...agreement, ...line, ...ends, '--reason', 'replaced');
    const listed = async (...words: readonly string[]) => {
      const { items, nextCursor } = await done('ch', 'desk', 'moves', ...words);
      return { ids: (items as readonly Fields[]).map(({ id }) => id), nextCursor };
    };
    const all = (await listed()).ids;
    assert.deepEqual([all.length, all[0]], [2, move]);
    assert.deepEqual((await listed('--open')).ids, [move]);
    const first = await listed('--limit', '1');
    assert.deepEqual(first.ids, [move]);
    assert.deepEqual((await listed('--limit', '1', '--cursor', text(first.nextCursor))).ids, [all[1]]);
  });
});
