import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, describe, it } from 'node:test';
import { openers } from './connect-programs.ts';
import { groups } from './groups.ts';
import { runCli } from './main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'calyx-cli-clearinghouse-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const data = join(scratch, 'clearinghouse');

interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...words: readonly string[]): Promise<Ran> {
  const sink = () => Object.assign(new PassThrough(), { isTTY: false, columns: 80 });
  const [stdin, stdout, stderr] = [sink(), sink(), sink()];
  const argv = ['clearinghouse', ...words, '--data', data];
  const exit = await runCli(argv, { env: {}, stdin, stdout, stderr }, { groups, openers });
  const text = (stream: PassThrough): string => String(stream.read() ?? '');
  return { exit, stdout: text(stdout), stderr: text(stderr) };
}

interface Json {
  readonly exit: number;
  readonly fields: Record<string, unknown>;
}

async function json(...words: readonly string[]): Promise<Json> {
  const { exit, stdout } = await run(...words, '--json');
  return { exit, fields: JSON.parse(stdout) as Record<string, unknown> };
}

const refusalCode = ({ fields }: Json): unknown => (fields['refused'] as { code: unknown } | undefined)?.code;

const order = (number: string, product: string): readonly string[] => [
  ...['--number', number, '--program', 'select', '--customer', 'Contoso'],
  ...['--product', product, '--type', 'device', '--quantity', '1000'],
];

const productOf = (id: string): readonly string[] => [
  '--id',
  id,
  '--name',
  `Product ${id}`,
  '--family',
  'ts',
  '--version',
  '9',
];

describe('calyx clearinghouse', () => {
  it('init makes keys that only their owner can read, and names the bundle and the token file', async () => {
    const { exit, fields } = await json('init', '--publisher', '  Sample Publisher ');
    assert.equal(exit, 0);
    assert.equal(fields['publisher'], 'Sample Publisher');
    assert.equal(fields['bundle'], join(data, 'publisher-bundle.json'));
    assert.equal(fields['adminTokenFile'], join(data, 'admin-token'));
    for (const file of ['admin-token', 'root.key']) {
      assert.equal(statSync(join(data, file)).mode & 0o777, 0o600, file);
    }
  });

  it('init refuses a folder that is made already, and a publisher without a name', async () => {
    assert.equal(refusalCode(await json('init', '--publisher', 'Other')), 'data-folder-exists');
    const unnamed = await json('init', '--publisher', ' ');
    assert.deepEqual([unnamed.exit, refusalCode(unnamed)], [1, 'invalid-input']);
  });

  it('product add takes a version of its own, and the same product again', async () => {
    for (let time = 0; time < 2; time += 1) {
      const { exit, fields } = await json('product', 'add', ...productOf('ts-2012r2'));
      assert.equal(exit, 0);
      assert.deepEqual([fields['id'], fields['version']], ['ts-2012r2', 9]);
    }
    const other = await json('product', 'add', ...productOf('ts-2012r2').with(3, 'Another name'));
    assert.equal(refusalCode(other), 'product-exists');
    const listed = await run('product', 'list');
    assert.match(listed.stdout, /^ts-2012r2 +Product ts-2012r2 +ts +9$/m);
  });

  it('agreement add says where the CALs are, and tells the next step with the same folder', async () => {
    const { exit, stdout } = await run('agreement', 'add', ...order('4965437', 'ts-2012r2'));
    assert.equal(exit, 0);
    assert.match(stdout.replaceAll('\n', ' '), /1000 entitled = 1000 in hand \+ 0 committed to servers/);
    assert.match(stdout.replaceAll(/\s+/g, ' '), /calyx clearinghouse kit --agreement 4965437 .*--data/);
    const shown = await json('agreement', 'show', '4965437');
    const [line] = shown.fields['lines'] as readonly Record<string, unknown>[];
    assert.deepEqual([line?.['entitled'], line?.['inHand'], line?.['committed']], [1000, 1000, 0]);
  });

  it('a missing number is refused with the place where it stands, not called wrong usage', async () => {
    const add = await json('agreement', 'add', ...order('', 'ts-2012r2').slice(2));
    assert.deepEqual([add.exit, refusalCode(add)], [1, 'agreement-missing']);
    const kit = await json('kit', '--out', join(scratch, 'no-kit.json'));
    assert.deepEqual([kit.exit, refusalCode(kit)], [1, 'agreement-missing']);
  });

  it('kit writes the file and its QR code', async () => {
    const out = join(scratch, 'kit.json');
    const qr = join(scratch, 'kit.png');
    const { exit, fields } = await json('kit', '--agreement', '4965437', '--out', out, '--qr', qr);
    assert.equal(exit, 0);
    assert.deepEqual([fields['out'], fields['qr']], [out, qr]);
    assert.equal((JSON.parse(readFileSync(out, 'utf8')) as { calyx: unknown }).calyx, 'agreement-kit');
    // The signature of a PNG file (PNG specification, 5.2).
    assert.deepEqual([...readFileSync(qr).subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  });

  it('kit writes the sheet to print, on which whatever a customer is called is text', async () => {
    const sheet = join(scratch, 'kit.html');
    const customer = 'Łódź & <b>Söhne</b> 株式会社';
    await run(
      'agreement',
      'add',
      ...order('7654321', 'ts-2012r2').map((word) => (word === 'Contoso' ? customer : word)),
    );
    const out = join(scratch, 'kit-7654321.json');
    const made = await json('kit', '--agreement', '7654321', '--out', out, '--sheet', sheet);
    assert.deepEqual([made.exit, made.fields['sheet'], made.fields['qr']], [0, sheet, null]);
    const html = readFileSync(sheet, 'utf8');
    assert.ok(html.includes('7654321'), 'the number');
    assert.ok(html.includes('Łódź &amp; &lt;b&gt;Söhne&lt;/b&gt; 株式会社'), 'the customer');
    assert.match(html, /<svg /);
    assert.doesNotMatch(html, /<script|https?:(?!\/\/www\.w3\.org)/);
  });

  it('kit says in words that a QR code cannot hold it, and writes nothing', async () => {
    for (let index = 0; index < 5; index += 1) {
      await run('product', 'add', ...productOf(`p-${index}`));
      await run('agreement', 'add', ...order('777', `p-${index}`));
    }
    const out = join(scratch, 'large.json');
    const refused = await json('kit', '--agreement', '777', '--out', out, '--qr', join(scratch, 'large.png'));
    assert.deepEqual([refused.exit, refusalCode(refused)], [1, 'qr-too-large']);
    assert.throws(() => statSync(out), { code: 'ENOENT' });
    const sheet = join(scratch, 'large.html');
    assert.equal((await json('kit', '--agreement', '777', '--out', out, '--sheet', sheet)).exit, 0);
    assert.match(readFileSync(sheet, 'utf8'), /too long for a QR code/);
  });

  it('kit names a file that cannot be written', async () => {
    const refused = await json(
      'kit',
      '--agreement',
      '4965437',
      '--out',
      join(scratch, 'nowhere', 'kit.json'),
    );
    assert.deepEqual([refused.exit, refusalCode(refused)], [1, 'file-not-writable']);
  });

  it('answer refuses a file that is missing, none of ours, or of another kind', async () => {
    const out = join(scratch, 'answer.json');
    const answer = (file: string): Promise<Json> => json('answer', file, '--out', out);
    assert.equal(refusalCode(await answer(join(scratch, 'missing.json'))), 'file-unreadable');
    const letter = join(scratch, 'letter.txt');
    writeFileSync(letter, 'Dear clearinghouse');
    assert.equal(refusalCode(await answer(letter)), 'file-damaged');
    assert.equal(refusalCode(await answer(join(scratch, 'kit.json'))), 'file-other-kind');
    assert.throws(() => statSync(out), { code: 'ENOENT' });
  });

  it('lists go on where the last page ended', async () => {
    const first = await json('agreement', 'list', '--limit', '1');
    assert.equal((first.fields['items'] as readonly unknown[]).length, 1);
    const cursor = String(first.fields['nextCursor']);
    const shown = await run('agreement', 'list', '--limit', '1');
    assert.match(shown.stdout, new RegExp(`--cursor ${cursor}`));
    const second = await json('agreement', 'list', '--limit', '1', '--cursor', cursor);
    assert.notDeepEqual(second.fields['items'], first.fields['items']);
    assert.equal((await run('agreement', 'list', '--limit', '0')).exit, 2);
  });
});
