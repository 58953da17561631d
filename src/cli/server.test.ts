import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { openers } from './connect-programs.ts';
import { groups } from './groups.ts';
import { runCli } from './main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'calyx-cli-server-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string): string => join(scratch, name);
const cals = ['--product', 'ts-2012r2', '--type', 'device'];
const agreement = ['--agreement', '4965437'];

interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(folder: string, ...words: readonly string[]): Promise<Ran> {
  const sink = () => Object.assign(new PassThrough(), { isTTY: false, columns: 80 });
  const [stdin, stdout, stderr] = [sink(), sink(), sink()];
  const argv = folder === '' ? words : [...words, '--data', at(folder)];
  const exit = await runCli(argv, { env: {}, stdin, stdout, stderr }, { groups, openers });
  const text = (stream: PassThrough): string => String(stream.read() ?? '');
  return { exit, stdout: text(stdout), stderr: text(stderr) };
}

type Fields = Readonly<Record<string, unknown>>;

/** The one JSON object of a command that ended well. */
async function done(folder: string, ...words: readonly string[]): Promise<Fields> {
  const { exit, stdout, stderr } = await run(folder, ...words, '--json');
  assert.equal(exit, 0, stdout + stderr);
  assert.equal(stdout.trim().split('\n').length, 1);
  return JSON.parse(stdout) as Fields;
}

async function refused(folder: string, ...words: readonly string[]): Promise<Fields> {
  const { exit, stdout } = await run(folder, ...words, '--json');
  assert.equal(exit, 1, stdout);
  return (JSON.parse(stdout) as { refused: Fields }).refused;
}

const text = (value: unknown): string => String(value);

async function idOf(folder: string): Promise<string> {
  return text((await done(folder, 'server', 'status'))['licenseServerId']);
}

async function packOf(folder: string): Promise<Fields | undefined> {
  return ((await done(folder, 'server', 'packs'))['items'] as readonly Fields[])[0];
}

async function makeServer(name: string, ...more: readonly string[]): Promise<Fields> {
  return done(name, 'server', 'init', '--bundle', at('ch/publisher-bundle.json'), '--name', name, ...more);
}

/** What the representative reads out. */
async function desk(...words: readonly string[]): Promise<Fields> {
  return done('ch', 'desk', ...words);
}

async function activated(name: string): Promise<string> {
  await makeServer(name, '--kit', at('kit.json'));
  const id = await idOf(name);
  const { code } = await desk('activate', ...agreement, '--server-id', id);
  await done(name, 'server', 'activate', '--code', text(code));
  return id;
}

async function keyPack(id: string, quantity: number): Promise<string> {
  const words = [...agreement, '--server-id', id, ...cals, '--quantity', text(quantity)];
  return text((await desk('key-pack', ...words))['code']);
}

// A kit serves four license servers: two are shared by all of these tests, one is closed by its own.
let source = '';
let target = '';

before(async () => {
  const name = ['--id', 'ts-2012r2', '--name', 'Terminal Server 2012 R2', '--family', 'ts', '--version', '9'];
  const order = ['--number', '4965437', '--program', 'select', '--customer', 'Contoso', ...cals];
  await done('ch', 'clearinghouse', 'init', '--publisher', 'Sample Publisher');
  await done('ch', 'clearinghouse', 'product', 'add', ...name);
  await done('ch', 'clearinghouse', 'agreement', 'add', ...order, '--quantity', '1000');
  await done('ch', 'clearinghouse', 'kit', ...agreement, '--out', at('kit.json'));
  source = await activated('from');
  target = await activated('to');
});

describe('server init', () => {
  it('prints what status prints, and shows the License Server ID to be read out', async () => {
    const made = await makeServer('init');
    const status = await done('init', 'server', 'status');
    for (const [name, value] of Object.entries(status)) assert.deepEqual(made[name], value, name);
    assert.match(text(made['licenseServerId']), /^[23]\w{4}(-\w{5}){6}$/);
    assert.equal(Buffer.from(text(made['publicKey']), 'base64url').length, 32);
    const { activation, method, assurance, horizon, packs, temporary } = status;
    assert.deepEqual(
      { activation, method, assurance, horizon, packs, temporary },
      {
        ...{ activation: 'not-activated', method: 'telephone', assurance: 'none' },
        ...{ horizon: null, packs: [], temporary: 0 },
      },
    );
    const { stdout } = await run('init', 'server', 'status');
    assert.match(stdout, / {2}1 {2}2\w{4} {3}2 – two, /);
    assert.match(stdout, /Next: Activate it:\n\n {2}calyx server activate --data \S+ --code CODE\n/);
  });

  it('leaves nothing behind where bundle or kit are not what they should be', async () => {
    writeFileSync(at('no-bundle'), 'nothing');
    const bundle = at('ch/publisher-bundle.json');
    const wrongBundle = await refused('half', 'server', 'init', '--bundle', at('no-bundle'));
    const wrongKit = await refused('half', 'server', 'init', '--bundle', bundle, '--kit', bundle);
    assert.equal(wrongBundle['code'], 'file-damaged');
    assert.equal(wrongKit['code'], 'file-other-kind');
    assert.equal(existsSync(at('half')), false);
  });

  it('is wrong usage without a folder, or with an address that is none', async () => {
    const words = ['server', 'init', '--bundle', at('ch/publisher-bundle.json')];
    assert.equal((await run('', ...words)).exit, 2);
    assert.equal((await run('half', ...words, '--clearinghouse', 'host:7400')).exit, 2);
  });
});

describe('installing by telephone', () => {
  it('shows what to read, asks, installs once, and says the first numbers again', async () => {
    await makeServer('phone', '--kit', at('kit.json'));
    const id = await idOf('phone');
    const reading = await done('phone', 'server', 'activate');
    assert.equal(reading['licenseServerId'], id);
    assert.match(text(reading['digits']), /^\d{6}(-\d{6}){8}$/);
    assert.equal((await refused('phone', 'server', 'install'))['code'], 'not-activated');
    const { code } = await desk('activate', ...agreement, '--server-id', id);
    const active = await done('phone', 'server', 'activate', '--code', text(code));
    assert.equal(active['activation'], 'activated');
    assert.match(text(active['horizon']), /^20\d\d-\d\d-\d\d$/);
    assert.equal(
      (await refused('phone', 'server', 'activate', '--code', text(code)))['code'],
      'already-activated',
    );

    const pack = await keyPack(id, 25);
    const asked = await run('phone', 'server', 'install', '--code', pack);
    assert.equal(asked.exit, 1);
    assert.match(asked.stderr, /"\+25 → total 25\. Install\?" needs an answer/);
    assert.equal(await packOf('phone'), undefined);
    const shown = await run('phone', 'server', 'install', '--code', pack, '--yes');
    assert.match(shown.stdout, /^The client access licenses were installed successfully\.\n/);
    const again = await refused('phone', 'server', 'install', '--code', pack);
    const { code: why, added, installed } = again;
    assert.deepEqual({ why, added, installed }, { why: 'already-applied', added: 25, installed: 25 });
  });

  it('does not take another kind of code for a key pack, nor a mistyped one', async () => {
    const own = await refused('from', 'server', 'install', '--code', source);
    assert.equal(own['code'], 'code-wrong-kind');
    const pack = await keyPack(source, 5);
    assert.equal((await refused('from', 'server', 'activate', '--code', pack))['code'], 'code-wrong-kind');
    assert.equal((await refused('from', 'server', 'code', source))['code'], 'code-wrong-kind');
    const mistyped = `${pack.startsWith('6') ? '7' : '6'}${pack.slice(1)}`;
    assert.equal((await refused('from', 'server', 'install', '--code', mistyped))['code'], 'code-mistyped');
    assert.equal((await refused('from', 'server', 'code', 'HELLO'))['code'], 'code-unreadable');
    assert.equal(await packOf('from'), undefined);
    const added = await done('from', 'server', 'code', pack);
    assert.deepEqual([added['added'], added['installed']], [5, 5]);
  });

  it('wants the agreement number, also where the order is only to be read out', async () => {
    const order = ['server', 'install', ...cals, '--quantity', '5'];
    assert.equal((await refused('to', ...order))['code'], 'agreement-missing');
    assert.equal((await run('to', 'server', 'install', ...cals, '--quantity', '0')).exit, 2);
    assert.equal((await run('to', 'server', 'install', ...cals, '--quantity', 'ten')).exit, 2);
  });
});

describe('a move by telephone', () => {
  it('freezes, gives up with the server, and brings both parts to the target', async () => {
    await done('from', 'server', 'install', '--code', await keyPack(source, 25));
    const freeze = ['server', 'move', '--freeze', '--to', target, ...cals, '--quantity', '30'];
    const frozen = await done('from', ...freeze);
    assert.deepEqual([frozen['kind'], frozen['unissued'], frozen['held']], ['frozen', 30, 0]);
    assert.equal((await done('from', ...freeze))['code'], frozen['code']);
    assert.equal(
      (await refused('from', 'server', 'move', '--freeze', '--to', source, ...cals, '--quantity', '1'))[
        'code'
      ],
      'move-to-itself',
    );
    const ids = ['--from', source, '--to', target];
    await desk('move', ...agreement, ...ids, ...cals, '--quantity', '30', '--reason', 'replaced');
    const { code } = await desk('confirm', text(frozen['code']));
    assert.equal((await done('to', 'server', 'install', '--code', text(code)))['added'], 30);
    const closed = await done('from', 'server', 'deactivate', '--code-out');
    assert.deepEqual([closed['kind'], closed['unissued'], closed['held']], ['deactivated', 30, 0]);
    assert.equal((closed['codes'] as readonly Fields[]).at(-1)?.['code'], closed['code']);
    assert.equal((await desk('confirm', text(closed['code'])))['kind'], 'deactivated');
    assert.equal((await done('from', 'server', 'status'))['activation'], 'deactivated');
    assert.equal((await packOf('to'))?.['unissued'], 30);
  });

  it('has nothing to release where nothing is frozen, and gives unissued CALs back', async () => {
    const release = await refused('to', 'server', 'move', '--release', ...cals);
    assert.equal(release['code'], 'nothing-frozen');
    assert.equal((await refused('to', 'server', 'deactivate', '--code-out'))['code'], 'holders-remain');
    const back = await done('to', 'server', 'return', ...cals, '--quantity', '4', '--code-out');
    assert.deepEqual([back['kind'], back['unissued']], ['returned', 4]);
    assert.equal((await packOf('to'))?.['installed'], 26);
    const beat = await done('to', 'server', 'heartbeat', '--code-out');
    const { code } = await desk('confirm', text(back['code'])).then(() =>
      desk('confirm', text(beat['code'])),
    );
    assert.equal((await done('to', 'server', 'code', text(code)))['kind'], 'horizon');
    assert.equal((await done('to', 'server', 'deactivate', '--return'))['kind'], 'deactivated');
  });
});

describe('the web-browser method', () => {
  it('activates and installs by files, and says the first numbers of a file given again', async () => {
    await makeServer('web');
    await done('web', 'server', 'method', 'web');
    assert.equal((await run('web', 'server', 'activate')).exit, 2);
    const answer = async (request: string): Promise<string> => {
      await done('ch', 'clearinghouse', 'answer', at(request), '--out', at(`${request}.answer`));
      return at(`${request}.answer`);
    };
    await done('web', 'server', 'activate', ...agreement, '--request-out', at('w1'));
    const active = await done('web', 'server', 'activate', '--response', await answer('w1'));
    assert.deepEqual([active['activation'], active['assurance']], ['activated', 'key']);
    await done(
      'web',
      'server',
      'install',
      ...agreement,
      ...cals,
      '--quantity',
      '40',
      '--request-out',
      at('w2'),
    );
    const response = await answer('w2');
    const installed = await done('web', 'server', 'install', '--response', response);
    const { product, type, added, installed: total } = installed;
    assert.deepEqual([product, type, added, total], ['ts-2012r2', 'device', 40, 40]);
    const again = await refused(
      'web',
      'server',
      'install',
      '--response',
      response,
      '--request-out',
      at('w3'),
    );
    assert.deepEqual([again['code'], again['added'], again['installed']], ['already-applied', 40, 40]);
    assert.equal(existsSync(at('w3')), true);
    writeFileSync(at('cut'), readFileSync(response, 'utf8').slice(0, 400));
    assert.equal(
      (await refused('web', 'server', 'install', '--response', at('cut')))['code'],
      'file-damaged',
    );
    const other = await refused('web', 'server', 'install', '--response', at('w2'));
    assert.equal(other['code'], 'file-other-kind');
  });

  it('passes on what the clearinghouse refused', async () => {
    await makeServer('web2');
    await done('web2', 'server', 'activate', '--agreement', '12', '--request-out', at('x1'));
    await done('ch', 'clearinghouse', 'answer', at('x1'), '--out', at('x1.answer'));
    const why = await refused('web2', 'server', 'activate', '--response', at('x1.answer'));
    assert.deepEqual([why['code'], why['agreement']], ['agreement-unknown', '12']);
  });
});

describe('server move', () => {
  it('says what it cannot do before it does anything', async () => {
    const move = ['server', 'move', '--to', 'X', ...agreement, ...cals, '--quantity', 'all'];
    assert.equal((await run('phone', ...move, '--reason', 'dead')).exit, 2);
    assert.equal((await run('phone', 'server', 'move', '--from', 'X', '--reason', 'dead')).exit, 2);
    assert.equal((await refused('phone', ...move))['code'], 'no-clearinghouse-address');
    assert.equal((await run('phone', 'server', 'move', '--to', 'X', ...cals)).exit, 2);
    assert.equal((await run('phone', ...move, '--freeze', '--release')).exit, 2);
    assert.deepEqual((await done('phone', 'server', 'move', '--status'))['items'], []);
  });
});

describe('server move by files', () => {
  /** One round of the stick: what `from` has to tell, and its answer applied by `to`. */
  async function stick(from: string, ...to: readonly string[]): Promise<void> {
    await done(from, 'server', 'move', '--request-out', at('stick'));
    await done('ch', 'clearinghouse', 'answer', at('stick'), '--out', at('stick.answer'));
    for (const folder of to) await done(folder, 'server', 'move', '--response', at('stick.answer'));
  }

  it('is undone by files as well, also after the grant', async () => {
    const webs: string[] = [];
    for (const folder of ['file-from', 'file-to']) {
      webs.push(text((await makeServer(folder))['licenseServerId']));
      await done(folder, 'server', 'method', 'web');
      await done(folder, 'server', 'activate', ...agreement, '--request-out', at('a'));
      await done('ch', 'clearinghouse', 'answer', at('a'), '--out', at('a.answer'));
      await done(folder, 'server', 'activate', '--response', at('a.answer'));
    }
    const install = ['server', 'install', ...agreement, ...cals, '--quantity', '12'];
    await done('file-from', ...install, '--request-out', at('i'));
    await done('ch', 'clearinghouse', 'answer', at('i'), '--out', at('i.answer'));
    await done('file-from', 'server', 'install', '--response', at('i.answer'));
    const order = [
      'server',
      'move',
      '--to',
      webs[1] ?? '',
      ...agreement,
      ...cals,
      '--quantity',
      '5',
      '--hold',
    ];
    const { id } = await done('file-from', ...order, '--request-out', at('stick'));
    await stick('file-from', 'file-from');
    await stick('file-from', 'file-to');
    assert.deepEqual(
      [(await packOf('file-from'))?.['held'], (await packOf('file-to'))?.['unissued']],
      [5, 5],
    );
    assert.equal((await run('file-from', 'server', 'move', '--undo')).exit, 2);
    const asked = await done('file-from', 'server', 'move', '--undo', '--request-out', at('undo'));
    assert.deepEqual([asked['id'], asked['undoing'], asked['requestFile']], [id, true, at('undo')]);
    await stick('file-from', 'file-to');
    await stick('file-to', 'file-from');
    assert.deepEqual(
      [(await packOf('file-from'))?.['unissued'], (await packOf('file-to'))?.['installed']],
      [12, 0],
    );
    const over = await done('file-from', 'server', 'move', '--undo', '--request-out', at('undo'));
    assert.deepEqual([over['id'], over['state']], [id, 'undone']);
    assert.match((await run('file-to', 'server', 'move', '--status')).stdout, /relinquished/);
    assert.equal((await refused('file-to', 'server', 'move', '--undo', 'mv-none'))['code'], 'move-unknown');
  });
});

describe('server move from a server that no longer functions', () => {
  const deadWords = (from: string): readonly string[] => [
    ...['server', 'move', '--from', from, '--reason', 'dead', ...agreement, ...cals, '--quantity', 'all'],
    ...['--statement', 'Ann Lee: the disk is gone'],
  ];
  const stateOf = async (folder: string): Promise<unknown> =>
    ((await done(folder, 'server', 'move', '--status'))['items'] as readonly Fields[]).at(-1)?.['state'];

  it('is declared by a file, and undone at the desk', async () => {
    const source = await idOf('file-from');
    const asked = await done('file-to', ...deadWords(source), '--request-out', at('d'));
    assert.deepEqual([asked['state'], asked['source']], ['requested', source]);
    await done('ch', 'clearinghouse', 'answer', at('d'), '--out', at('d.answer'));
    await done('file-to', 'server', 'move', '--response', at('d.answer'));
    assert.equal(await stateOf('file-to'), 'dead-wait');
    await desk('cancel', text(asked['id']));
    await done('file-to', 'server', 'move', '--request-out', at('e'));
    await done('ch', 'clearinghouse', 'answer', at('e'), '--out', at('e.answer'));
    await done('file-to', 'server', 'move', '--response', at('e.answer'));
    assert.equal(await stateOf('file-to'), 'undone');
  });

  it('is asked before, and by telephone says what to read', async () => {
    const [source, target] = [await idOf('file-from'), await idOf('file-to')];
    await done('file-to', 'server', 'method', 'telephone');
    const unasked = await run('file-to', ...deadWords(source));
    assert.deepEqual([unasked.exit, await stateOf('file-to')], [1, 'undone']);
    const { exit, stdout } = await run('file-to', ...deadWords(source), '--yes');
    assert.equal(exit, 0);
    const page = stdout.replaceAll(/\s+/g, ' ');
    for (const words of [source, target, 'Ann Lee: the disk is gone', 'calyx desk move', 'gap license']) {
      assert.ok(page.includes(words), words);
    }
    assert.equal(await stateOf('file-to'), 'dead-wait');
  });

  it('says of a key pack that is typed without a source how it is typed with it, which ends the waiting', async () => {
    const [source, target] = [await idOf('file-from'), await idOf('file-to')];
    const code = ['server', 'install', '--code', await keyPack(target, 1)];
    const { exit, stdout } = await run('file-to', ...code, '--yes');
    assert.equal(exit, 0);
    assert.match(stdout.replaceAll(/\s+/g, ' '), new RegExp(`--code CODE --from ${source}`));
    assert.equal(await stateOf('file-to'), 'dead-wait');
    assert.equal((await done('file-to', ...code, '--from', source))['added'], 0);
    assert.equal(await stateOf('file-to'), 'closed');
  });
});

describe('lists', () => {
  it('show events by number, page by page', async () => {
    const first = await done('from', 'server', 'events', '--limit', '1');
    const [event] = first['items'] as readonly Fields[];
    assert.deepEqual(Object.keys(event ?? {}).toSorted(), ['at', 'data', 'id', 'level', 'text']);
    const rest = await done('from', 'server', 'events', '--cursor', text(first['nextCursor']));
    assert.equal((rest['items'] as readonly Fields[])[0]?.['id'], 4);
    assert.match(
      (await run('from', 'server', 'events')).stdout,
      / {2} {4}4 {2}information {2}The license server is activated/,
    );
  });

  it('write the report to standard output or into a file', async () => {
    const { stdout } = await run('from', 'server', 'report');
    assert.equal(stdout, 'product,type,holder,unit,origin,state,issuedAt,renewedAt,expiresAt\n');
    const { rows, file } = await done('from', 'server', 'report', '--out', at('report.csv'));
    assert.equal(rows, 0);
    assert.equal(statSync(text(file)).size, stdout.length + 1);
  });
});
