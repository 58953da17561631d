import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { openers } from './connect-programs.ts';
import type { Serving } from './connect-serving.ts';
import { serveProgram } from './connect-serving.ts';
import { groups } from './groups.ts';
import { runCli } from './main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'calyx-cli-license-'));
const at = (name: string): string => join(scratch, name);
const cals = ['--product', 'ts-2012r2', '--type', 'device'];
const agreement = ['--agreement', '4965437'];
const nobody = 'http://127.0.0.1:9';

interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...words: readonly string[]): Promise<Ran> {
  const sink = () => Object.assign(new PassThrough(), { isTTY: false, columns: 80 });
  const [stdin, stdout, stderr] = [sink(), sink(), sink()];
  const exit = await runCli(words, { env: {}, stdin, stdout, stderr }, { groups, openers });
  const text = (stream: PassThrough): string => String(stream.read() ?? '');
  return { exit, stdout: text(stdout), stderr: text(stderr) };
}

type Fields = Readonly<Record<string, unknown>>;

async function done(...words: readonly string[]): Promise<Fields> {
  const { exit, stdout, stderr } = await run(...words, '--json');
  assert.equal(exit, 0, stdout + stderr);
  return JSON.parse(stdout) as Fields;
}

async function refused(...words: readonly string[]): Promise<Fields> {
  const { exit, stdout } = await run(...words, '--json');
  assert.equal(exit, 1, stdout);
  return (JSON.parse(stdout) as { refused: Fields }).refused;
}

let clearinghouse: Serving;
let old: Serving;
let next: Serving;

/** A license server that reaches the clearinghouse, activated, served in this process. */
async function serve(name: string): Promise<Serving> {
  const bundle = ['--bundle', at('ch/publisher-bundle.json')];
  const place = ['--data', at(name)];
  await done('server', 'init', ...bundle, '--clearinghouse', clearinghouse.address, '--name', name, ...place);
  await done('server', 'activate', ...agreement, ...place);
  const serving = await serveProgram({ program: 'server', dir: at(name), host: '127.0.0.1', port: 0 });
  serving.start();
  return serving;
}

async function request(server: Serving | string, ...words: readonly string[]): Promise<Fields> {
  const address = typeof server === 'string' ? server : server.address;
  return done('license', 'request', '--server', address, '--product', 'ts-2012r2', ...words);
}

/** The permanent license of a device that has really signed in. */
async function licensed(server: Serving, device: string): Promise<Fields> {
  const words = ['--device', device, '--store', at(device)];
  const first = await request(server, ...words);
  assert.deepEqual([first['status'], first['kind'], first['unit']], ['issued', 'temporary', null]);
  await done('license', 'validate', '--server', server.address, '--product', 'ts-2012r2', '--device', device);
  return request(server, ...words);
}

const packs = async (name: string): Promise<Fields | undefined> =>
  ((await done('server', 'packs', '--data', at(name)))['items'] as readonly Fields[])[0];

before(async () => {
  const place = ['--data', at('ch')];
  const name = ['--id', 'ts-2012r2', '--name', 'Terminal Server 2012 R2', '--family', 'ts', '--version', '9'];
  const order = ['--number', '4965437', '--program', 'select', '--customer', 'Contoso', ...cals];
  await done('clearinghouse', 'init', '--publisher', 'Sample Publisher', ...place);
  await done('clearinghouse', 'product', 'add', ...name, ...place);
  await done('clearinghouse', 'agreement', 'add', ...order, '--quantity', '100', ...place);
  clearinghouse = await serveProgram({ program: 'clearinghouse', dir: at('ch'), host: '127.0.0.1', port: 0 });
  clearinghouse.start();
  [old, next] = [await serve('old'), await serve('new')];
  const words = [...agreement, ...cals, '--quantity', '20', '--data', at('old')];
  const installed = await done('server', 'install', ...words);
  assert.deepEqual([installed['added'], installed['installed']], [20, 20]);
});

after(async () => {
  for (const serving of [old, next, clearinghouse]) await serving.stop();
  rmSync(scratch, { recursive: true, force: true });
});

describe('license request', () => {
  it('keeps what it is given for its owner only, and gets the same again', async () => {
    const issued = await licensed(old, 'PC-1');
    assert.deepEqual([issued['status'], issued['kind'], issued['unit']], ['issued', 'permanent', 1]);
    assert.match(String(issued['origin']), /^2\w{4}(-\w{5}){6}\/1$/);
    assert.equal(statSync(at('PC-1')).mode & 0o777, 0o600);
    const again = await request(old, '--device', 'PC-1', '--store', at('PC-1'));
    assert.deepEqual(
      [again['status'], again['token'], again['offline']],
      ['unchanged', issued['token'], false],
    );
  });

  it('goes on with what it has while nobody answers, and is unreachable without', async () => {
    const issued = await licensed(old, 'PC-2');
    const offline = await request(nobody, '--device', 'PC-2', '--store', at('PC-2'));
    assert.deepEqual([offline['status'], offline['offline']], ['unchanged', true]);
    assert.equal(offline['token'], issued['token']);
    const words = ['license', 'request', '--server', nobody, '--product', 'ts-2012r2', '--device', 'PC-3'];
    assert.equal((await run(...words, '--store', at('PC-2'))).exit, 3);
    assert.equal((await run(...words)).exit, 3);
  });

  it('is wrong usage for nobody, and for two at once', async () => {
    const words = ['license', 'request', '--server', old.address, '--product', 'ts-2012r2'];
    assert.equal((await run(...words)).exit, 2);
    assert.equal((await run(...words, '--device', 'A', '--user', 'B')).exit, 2);
  });

  it('leaves a file alone that it did not write', async () => {
    writeFileSync(at('notes'), 'my notes');
    const words = [
      'license',
      'request',
      '--server',
      old.address,
      '--product',
      'ts-2012r2',
      '--device',
      'PC-9',
    ];
    assert.equal((await refused(...words, '--store', at('notes')))['code'], 'license-store-damaged');
    assert.equal(readFileSync(at('notes'), 'utf8'), 'my notes');
  });
});

describe('license return', () => {
  it('frees the CAL and forgets the license', async () => {
    await licensed(old, 'PC-4');
    const words = ['--server', old.address, '--product', 'ts-2012r2', '--device', 'PC-4'];
    const before = await packs('old');
    await done('license', 'return', ...words, '--store', at('PC-4'));
    assert.equal((await packs('old'))?.['issued'], Number(before?.['issued']) - 1);
    const kept = JSON.parse(readFileSync(at('PC-4'), 'utf8')) as { licenses: unknown[] };
    assert.deepEqual(kept.licenses, []);
    assert.equal((await refused('license', 'return', ...words))['code'], 'license-unknown');
  });
});

describe('license show', () => {
  it('verifies offline, and says when a license was altered or is for nobody', async () => {
    const issued = await licensed(old, 'PC-5');
    const shown = await done('license', 'show', at('PC-5'), '--root', at('ch/publisher-bundle.json'));
    assert.deepEqual([shown['valid'], shown['rootPinned'], shown['holder']], [true, true, 'PC-5']);
    const bare = await done('license', 'show', String(issued['token']));
    assert.deepEqual([bare['valid'], bare['verified']], [false, false]);
    assert.equal((bare['claims'] as Fields)['unit'], issued['unit']);
    const withBundle = await done('license', 'show', String(issued['token']), '--bundle', at('PC-5'));
    assert.equal(withBundle['valid'], true);
    writeFileSync(at('answer'), JSON.stringify({ ...issued, bundle: (shown['claims'] as Fields)['sub'] }));
    assert.equal((await refused('license', 'show', at('answer')))['code'], 'license-not-valid');
    const cut = String(issued['token']).slice(0, 300);
    assert.equal((await refused('license', 'show', cut))['code'], 'license-unreadable');
  });

  it('does not believe another publisher', async () => {
    await done('clearinghouse', 'init', '--publisher', 'Somebody else', '--data', at('other'));
    await licensed(old, 'PC-6');
    const why = await refused('license', 'show', at('PC-6'), '--root', at('other/publisher-bundle.json'));
    assert.deepEqual([why['code'], why['reason']], ['license-not-valid', 'trust-list-untrusted']);
  });
});

describe('server move by connection', () => {
  const order = ['server', 'move', ...agreement, ...cals, '--data', at('old')];

  it('stops before the commit with --hold, and is finished by the same command without', async () => {
    const words = [...order, '--to', next.address, '--quantity', '2'];
    const held = await done(...words, '--hold');
    assert.deepEqual([held['state'], held['unissued'], held['moved']], ['frozen', 2, 0]);
    const finished = await done(...words);
    assert.deepEqual([finished['id'], finished['state'], finished['moved']], [held['id'], 'closed', 2]);
  });

  it('moves everything; holders come over with the license they had, and spend no second CAL', async () => {
    const before = await licensed(old, 'PC-7');
    const moved = await done(...order, '--to', next.address, '--quantity', 'all');
    assert.equal(moved['state'], 'closed');
    const after = await request(next, '--device', 'PC-7', '--store', at('PC-7'));
    assert.deepEqual([after['kind'], after['origin']], ['permanent', before['origin']]);
    const { installed, issued, unissued, reserved } = (await packs('new')) ?? {};
    assert.deepEqual([installed, Number(issued) + Number(unissued) + Number(reserved)], [20, 20]);
    assert.equal(
      (await refused(...order, '--to', next.address, '--quantity', 'all'))['code'],
      'move-more-than-there-is',
    );
    const closed = await done('server', 'deactivate', '--data', at('old'));
    assert.deepEqual([closed['activation'], closed['code'], closed['codes']], ['deactivated', null, []]);
    assert.equal((await done('server', 'deactivate', '--data', at('old')))['activation'], 'deactivated');
  });

  it('says where it stands when the time is up', async () => {
    const words = ['server', 'move', ...agreement, ...cals, '--data', at('new'), '--quantity', '1'];
    const why = await refused(...words, '--to', old.address, '--wait', '0');
    assert.deepEqual([why['code'], why['state']], ['answer-pending', 'requested']);
    assert.match(String(why['command']), /^calyx server move --data \S+ --to http/);
  });
});
