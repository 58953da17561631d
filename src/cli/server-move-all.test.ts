import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { openers } from './connect-programs.ts';
import { groups } from './groups.ts';
import { runCli } from './main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'calyx-cli-all-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string): string => join(scratch, name);
const agreement = ['--agreement', '4965437'];
const lineOf = (type: string): readonly string[] => ['--product', 'ts-2012r2', '--type', type];

async function run(folder: string, ...words: readonly string[]): Promise<{ exit: number; stdout: string }> {
  const sink = () => Object.assign(new PassThrough(), { isTTY: false, columns: 80 });
  const [stdin, stdout, stderr] = [sink(), sink(), sink()];
  const argv = [...words, '--data', at(folder)];
  const exit = await runCli(argv, { env: {}, stdin, stdout, stderr }, { groups, openers });
  return { exit, stdout: String(stdout.read() ?? '') };
}

type Fields = Readonly<Record<string, unknown>>;

async function done(folder: string, ...words: readonly string[]): Promise<Fields> {
  const { exit, stdout } = await run(folder, ...words, '--json');
  assert.equal(exit, 0, stdout);
  return JSON.parse(stdout) as Fields;
}

async function refused(folder: string, ...words: readonly string[]): Promise<Fields> {
  const { exit, stdout } = await run(folder, ...words, '--json');
  assert.equal(exit, 1, stdout);
  return (JSON.parse(stdout) as { refused: Fields }).refused;
}

const text = (value: unknown): string => String(value);
const desk = (...words: readonly string[]): Promise<Fields> => done('ch', 'desk', ...words);

/** Installed, unissued and held of each key pack. */
async function packs(folder: string): Promise<readonly (readonly unknown[])[]> {
  const items = (await done(folder, 'server', 'packs'))['items'] as readonly Fields[];
  return items.map((pack) => [pack['type'], pack['installed'], pack['unissued'], pack['held']]);
}

async function makeServer(name: string): Promise<string> {
  const bundle = ['--bundle', at('ch/publisher-bundle.json'), '--kit', at('kit.json')];
  return text((await done(name, 'server', 'init', ...bundle, '--name', name))['licenseServerId']);
}

async function answered(request: string): Promise<string> {
  await done('ch', 'clearinghouse', 'answer', at(request), '--out', at(`${request}.answer`));
  return at(`${request}.answer`);
}

before(async () => {
  const name = ['--id', 'ts-2012r2', '--name', 'Terminal Server 2012 R2', '--family', 'ts', '--version', '9'];
  const order = ['--number', '4965437', '--program', 'select', '--customer', 'Contoso', '--quantity', '100'];
  await done('ch', 'clearinghouse', 'init', '--publisher', 'Sample Publisher');
  await done('ch', 'clearinghouse', 'product', 'add', ...name);
  for (const type of ['device', 'user']) {
    await done('ch', 'clearinghouse', 'agreement', 'add', ...order, ...lineOf(type));
  }
  await done('ch', 'clearinghouse', 'kit', ...agreement, '--out', at('kit.json'));
});

describe('server move --freeze --all', () => {
  let from: string;
  let to: string;

  before(async () => {
    [from, to] = [await makeServer('from'), await makeServer('to')];
    for (const [folder, id] of [
      ['from', from],
      ['to', to],
    ] as const) {
      const { code } = await desk('activate', ...agreement, '--server-id', id);
      await done(folder, 'server', 'activate', '--code', text(code));
    }
    for (const [type, quantity] of [
      ['device', '9'],
      ['user', '4'],
    ] as const) {
      const words = [...agreement, '--server-id', from, ...lineOf(type), '--quantity', quantity];
      await done('from', 'server', 'install', '--code', text((await desk('key-pack', ...words))['code']));
      const ends = ['--from', from, '--to', to, '--quantity', 'all', '--reason', 'replaced'];
      await desk('move', ...agreement, ...lineOf(type), ...ends);
    }
  });

  it('is rehearsed: the codes are not made, and what will have to be read is told', async () => {
    const rehearsed = await done('from', 'server', 'move', '--freeze', '--all', '--to', to, '--dry-run');
    const told = rehearsed['moves'] as readonly (Fields & { asks: readonly string[] })[];
    assert.deepEqual([rehearsed['dryRun'], rehearsed['way'], told.length], [true, 'telephone', 2]);
    assert.match(told[1]?.asks.join(' ') ?? '', /code of the freeze \(4 unissued, 0 held\).* 6 or 7/);
    assert.deepEqual(told[0]?.['clearinghouse'], {
      reached: false,
      reason: 'This license server knows no address of it.',
    });
    const words = [
      'server',
      'move',
      '--freeze',
      '--to',
      to,
      ...lineOf('user'),
      '--quantity',
      '2',
      '--dry-run',
    ];
    assert.match((await run('from', ...words)).stdout, /not reached, so its side is not known/);
    assert.deepEqual((await done('from', 'server', 'move', '--status'))['items'], []);
    for (const wrong of [['--release'], ['--undo'], ['--status']]) {
      assert.equal((await run('from', 'server', 'move', ...wrong, ...lineOf('user'), '--dry-run')).exit, 2);
    }
  });

  it('prints a code for each key pack, the same ones again, and one deactivation gives all of them up', async () => {
    const frozen = await done('from', 'server', 'move', '--freeze', '--all', '--to', to);
    const codes = frozen['codes'] as readonly Fields[];
    assert.deepEqual(
      codes.map(({ product, type, kind, unissued, held }) => [product, type, kind, unissued, held]),
      [
        ['ts-2012r2', 'device', 'frozen', 9, 0],
        ['ts-2012r2', 'user', 'frozen', 4, 0],
      ],
    );
    assert.deepEqual([frozen['unissued'], frozen['held']], [13, 0]);
    const again = await done('from', 'server', 'move', '--freeze', '--all', '--to', to);
    assert.deepEqual(
      (again['codes'] as readonly Fields[]).map(({ code }) => code),
      codes.map(({ code }) => code),
    );
    const page = (await run('from', 'server', 'move', '--freeze', '--all', '--to', to)).stdout;
    for (const { code } of codes) assert.ok(page.includes(text(code)), page);
    assert.equal(
      (await refused('from', 'server', 'move', '--freeze', '--all', '--to', from))['code'],
      'move-open',
    );
    for (const { code } of codes) {
      const read = await desk('confirm', text(code));
      await done('to', 'server', 'install', '--code', text(read['code']));
    }
    const closed = await done('from', 'server', 'deactivate', '--code-out');
    const last = await desk('confirm', text(closed['code']));
    assert.equal(last['kind'], 'deactivated');
    assert.deepEqual(await packs('to'), [
      ['device', 9, 9, 0],
      ['user', 4, 4, 0],
    ]);
    assert.deepEqual(await packs('from'), [
      ['device', 0, 0, 0],
      ['user', 0, 0, 0],
    ]);
  });
});

describe('server move --all by files', () => {
  it('writes the orders of all key packs into one file, and later ones carry all of them', async () => {
    const ids: string[] = [];
    for (const folder of ['web-from', 'web-to']) {
      ids.push(await makeServer(folder));
      await done(folder, 'server', 'method', 'web');
      await done(folder, 'server', 'activate', ...agreement, '--request-out', at('a'));
      await done(folder, 'server', 'activate', '--response', await answered('a'));
    }
    for (const [type, quantity] of [
      ['device', '5'],
      ['user', '6'],
    ] as const) {
      const order = [...agreement, ...lineOf(type), '--quantity', quantity];
      await done('web-from', 'server', 'install', ...order, '--request-out', at('i'));
      await done('web-from', 'server', 'install', '--response', await answered('i'));
    }
    const all = ['server', 'move', '--to', ids[1] ?? '', '--all', '--request-out', at('m')];
    const rehearsed = await done('web-from', ...all.slice(0, -1), at('not-written'), '--dry-run');
    assert.deepEqual([rehearsed['way'], (rehearsed['moves'] as readonly Fields[]).length], ['file', 2]);
    assert.equal(existsSync(at('not-written')), false);
    const asked = await done('web-from', ...all);
    assert.deepEqual([(asked['moves'] as readonly Fields[]).length, asked['requestFile']], [2, at('m')]);
    const same = await done('web-from', ...all);
    const idsOf = (fields: Fields) => (fields['moves'] as readonly Fields[]).map(({ id }) => id);
    assert.deepEqual(idsOf(same), idsOf(asked));
    const carry = ['server', 'move', '--request-out', at('m')];
    for (const [from, to] of [
      ['web-from', 'web-from'],
      ['web-from', 'web-to'],
      ['web-to', 'web-from'],
      ['web-from', 'web-to'],
    ] as const) {
      await done(from, ...carry);
      await done(to, 'server', 'move', '--response', await answered('m'));
    }
    assert.deepEqual(await packs('web-to'), [
      ['device', 5, 5, 0],
      ['user', 6, 6, 0],
    ]);
    assert.deepEqual(await packs('web-from'), [
      ['device', 0, 0, 0],
      ['user', 0, 0, 0],
    ]);
    assert.equal((await refused('web-from', ...all))['code'], 'move-more-than-there-is');
    const way = await refused('web-from', 'server', 'move', '--to', ids[1] ?? '', '--all', '--deactivate');
    assert.equal(way['code'], 'no-clearinghouse-address');
  });
});
