import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { openers } from './connect-programs.ts';
import { groups } from './groups.ts';
import { runCli } from './main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'calyx-cli-audit-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string): string => join(scratch, name);
const agreement = ['--agreement', '4965437'];
const cals = ['--product', 'ts-2012r2', '--type', 'device'];

async function run(...argv: readonly string[]) {
  const sink = () => Object.assign(new PassThrough(), { isTTY: false, columns: 80 });
  const [stdin, stdout, stderr] = [sink(), sink(), sink()];
  const exit = await runCli(argv, { env: {}, stdin, stdout, stderr }, { groups, openers });
  const text = (stream: PassThrough): string => String(stream.read() ?? '');
  return { exit, stdout: text(stdout), stderr: text(stderr) };
}

type Fields = Readonly<Record<string, unknown>>;

async function done(folder: string, ...words: readonly string[]): Promise<Fields> {
  const { exit, stdout, stderr } = await run(...words, '--data', at(folder), '--json');
  assert.equal(exit, 0, stdout + stderr);
  return JSON.parse(stdout) as Fields;
}

async function audited(...words: readonly string[]) {
  const { exit, stdout } = await run('audit', ...words, '--json');
  return { exit, fields: JSON.parse(stdout) as Fields };
}

const codesOf = (fields: Fields): readonly string[] =>
  (fields['findings'] as readonly { code: string }[]).map(({ code }) => code);

const breaksOf = (fields: Fields): readonly string[] =>
  (fields['findings'] as readonly { code: string; level: string }[])
    .filter(({ level }) => level === 'break')
    .map(({ code }) => code);

/** Without a connection nobody has seen a journal but its owner, and the audit says so. */
const byTelephone = ['not-witnessed', 'not-witnessed'];

const files = [at('ls.bundle'), at('ch.bundle')];

describe('calyx audit', () => {
  before(async () => {
    const name = [
      '--id',
      'ts-2012r2',
      '--name',
      'Terminal Server 2012 R2',
      '--family',
      'ts',
      '--version',
      '9',
    ];
    const order = ['--number', '4965437', '--program', 'select', '--customer', 'Contoso', ...cals];
    await done('ch', 'clearinghouse', 'init', '--publisher', 'Sample Publisher');
    await done('ch', 'clearinghouse', 'product', 'add', ...name);
    await done('ch', 'clearinghouse', 'agreement', 'add', ...order, '--quantity', '100');
    await done('ch', 'clearinghouse', 'kit', ...agreement, '--out', at('kit.json'));
    const bundle = at('ch/publisher-bundle.json');
    await done('ls', 'server', 'init', '--bundle', bundle, '--name', 'LS', '--kit', at('kit.json'));
    const id = String((await done('ls', 'server', 'status'))['licenseServerId']);
    const { code } = await done('ch', 'desk', 'activate', ...agreement, '--server-id', id);
    await done('ls', 'server', 'activate', '--code', String(code));
    const pack = ['desk', 'key-pack', ...agreement, '--server-id', id, ...cals, '--quantity', '25'];
    await done('ls', 'server', 'install', '--code', String((await done('ch', ...pack))['code']));
    const exported = await done('ls', 'server', 'export', '--out', at('ls.bundle'));
    assert.deepEqual(exported['file'], at('ls.bundle'));
    assert.ok(Number(exported['entries']) > 3);
    await done('ch', 'clearinghouse', 'export', ...agreement, '--out', at('ch.bundle'));
  });

  it('gives the verdict, the accounts and the findings of bundles that are sound', async () => {
    const { exit, fields } = await audited(...files, '--root', at('ch/publisher-bundle.json'));
    assert.equal(exit, 0, JSON.stringify(fields));
    assert.deepEqual([fields['verdict'], fields['rootPinned'], codesOf(fields)], ['ok', true, byTelephone]);
    const { agreements, servers } = fields['accounts'] as Record<string, readonly { lines: Fields[] }[]>;
    const { entitled, inHand, committed } = agreements?.[0]?.lines[0] ?? {};
    assert.deepEqual([entitled, inHand, committed], [100, 75, 25]);
    assert.equal(servers?.[0]?.lines[0]?.['installed'], 25);
  });

  it('prints one page with the verdict and the checkpoints', async () => {
    const { exit, stdout } = await run('audit', ...files);
    assert.equal(exit, 0);
    assert.match(stdout, /^Verdict: sound, as far as is shown\.\n/);
    assert.match(stdout, /as the bundles say: compare it, or give\s+--root/);
    assert.match(
      stdout,
      / {2}calyx\.clearinghouse\/Sample%20Publisher\/4965437\n {2}4 entries, root [0-9a-f]{64}\n/,
    );
  });

  it('writes bundles that only their owner can read, the same again for the same books', async () => {
    for (const file of files) assert.equal(statSync(file).mode & 0o777, 0o600);
    const linesOf = (file: string) => readFileSync(file, 'utf8').split('\n').slice(1);
    const [first = ''] = files;
    const before = linesOf(first);
    await done('ls', 'server', 'export', '--out', at('again.bundle'));
    assert.deepEqual(linesOf(at('again.bundle')), before);
  });

  it('exits 4 where a bundle is broken, and says where', async () => {
    const altered = readFileSync(at('ls.bundle'), 'utf8').replace('"added":25', '"added":26');
    writeFileSync(at('altered.bundle'), altered);
    const { exit, fields } = await audited(at('altered.bundle'), at('ch.bundle'));
    assert.deepEqual([exit, fields['verdict'], breaksOf(fields)], [4, 'broken', ['root-differs']]);
    const cut = readFileSync(at('ls.bundle'), 'utf8').replace('"v":1}', '"v":2}');
    writeFileSync(at('cut.bundle'), cut);
    const { exit: other, fields: none } = await audited(at('cut.bundle'));
    assert.deepEqual([other, codesOf(none)], [4, ['bundle-unreadable']]);
    assert.match((await run('audit', at('cut.bundle'))).stdout, /Root key: +none that can be read\n/);
    const page = await run('audit', at('altered.bundle'));
    assert.match(page.stdout, /^Verdict: BROKEN, 1 finding\.\n/);
  });

  it('exits 4 where the bundles are of another publisher than the root that was named', async () => {
    await done('other', 'clearinghouse', 'init', '--publisher', 'Sample Publisher');
    const { exit, fields } = await audited(...files, '--root', at('other/publisher-bundle.json'));
    assert.deepEqual([exit, codesOf(fields)], [4, ['bundle-unreadable', 'bundle-unreadable']]);
  });

  it('looks at collected licenses, one a line', async () => {
    writeFileSync(at('tokens'), '\r\nv4.public.nothing\r\n');
    const { exit, fields } = await audited(...files, '--tokens', at('tokens'));
    assert.deepEqual([exit, codesOf(fields)], [0, ['token-unknown', ...byTelephone]]);
  });

  it('exits 1 for a file that cannot be read, and 2 without any', async () => {
    const { exit, stdout } = await run('audit', at('missing'), '--json');
    assert.equal(exit, 1);
    const { refused } = JSON.parse(stdout) as { refused: Fields };
    assert.equal(refused['code'], 'file-unreadable');
    assert.equal((await run('audit', scratch)).exit, 1);
    writeFileSync(at('nothing.bundle'), '');
    for (const file of [at('nothing.bundle'), at('kit.json')]) {
      const other = await run('audit', ...files, file, '--json');
      assert.deepEqual([other.exit, JSON.parse(other.stdout).refused.code], [1, 'file-other-kind']);
    }
    assert.equal((await run('audit')).exit, 2);
  });

  it('exports nothing of an agreement that is not there, or into a folder that is not', async () => {
    const words = ['clearinghouse', 'export', '--data', at('ch'), '--json'];
    const unknown = await run(...words, '--agreement', 'X-1', '--out', at('x'));
    assert.equal(unknown.exit, 1);
    assert.match(unknown.stdout, /agreement-unknown/);
    const nowhere = await run(...words, ...agreement, '--out', at('no/where'));
    assert.equal(nowhere.exit, 1);
    assert.match(nowhere.stdout, /file-not-writable/);
  });
});
