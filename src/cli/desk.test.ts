import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { licenseServerId } from '../core/code.ts';
import { nodeDigest } from '../platform/digest.ts';
import type { Openers } from './connect.ts';
import { openers } from './connect-programs.ts';
import { groups } from './groups.ts';
import { runCli } from './main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'calyx-cli-desk-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const data = join(scratch, 'clearinghouse');

const source = licenseServerId(nodeDigest, new Uint8Array(32).fill(0x12));
const target = licenseServerId(nodeDigest, new Uint8Array(32).fill(0x11));

interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(words: readonly string[], opening: Openers = openers): Promise<Ran> {
  const sink = () => Object.assign(new PassThrough(), { isTTY: false, columns: 80 });
  const [stdin, stdout, stderr] = [sink(), sink(), sink()];
  const surroundings = { env: {}, stdin, stdout, stderr };
  const exit = await runCli([...words, '--data', data], surroundings, { groups, openers: opening });
  const text = (stream: PassThrough): string => String(stream.read() ?? '');
  return { exit, stdout: text(stdout), stderr: text(stderr) };
}

interface Code {
  readonly code: string;
  readonly digits: string;
  readonly spelled: readonly (readonly string[])[];
  readonly kind: string;
  readonly for: string;
}

interface Fields {
  readonly code: string | null;
  readonly digits: string | null;
  readonly spelled: readonly (readonly string[])[] | null;
  readonly codes: readonly Code[];
  readonly next: string;
  readonly [field: string]: unknown;
}

async function desk(...words: readonly string[]): Promise<Fields> {
  const { exit, stdout, stderr } = await run(['desk', ...words, '--json']);
  assert.equal(exit, 0, stdout + stderr);
  return JSON.parse(stdout) as Fields;
}

async function refusal(...words: readonly string[]): Promise<Record<string, unknown>> {
  const { exit, stdout } = await run(['desk', ...words, '--json']);
  assert.equal(exit, 1);
  return (JSON.parse(stdout) as { refused: Record<string, unknown> }).refused;
}

const cals = ['--product', 'ts-2012r2', '--type', 'device'];
const caller = (id: string): readonly string[] => ['--agreement', '4965437', '--server-id', id];

before(async () => {
  const name = ['--id', 'ts-2012r2', '--name', 'Terminal Server 2012 R2', '--family', 'ts', '--version', '9'];
  const order = ['--number', '4965437', '--program', 'select', '--customer', 'Contoso', ...cals];
  for (const words of [
    ['init', '--publisher', 'Sample Publisher'],
    ['product', 'add', ...name],
    ['agreement', 'add', ...order, '--quantity', '100'],
    ['kit', '--agreement', '4965437', '--out', join(scratch, 'kit.json')],
  ]) {
    const { exit, stderr } = await run(['clearinghouse', ...words]);
    assert.equal(exit, 0, stderr);
  }
});

describe('the desk reads codes out', () => {
  it('activates both license servers; asked again it reads the same code', async () => {
    const first = await desk('activate', ...caller(target), '--name', 'LS-NEW');
    assert.match(String(first.code), /^[45][0-9A-Z]{4}(-[0-9A-Z]{5}){6}$/);
    assert.match(String(first.digits), /^\d{6}(-\d{6}){8}$/);
    assert.equal(first.spelled?.length, 7);
    assert.equal(first.codes[0]?.code, first.code);
    assert.deepEqual([first.codes[0]?.kind, first.codes[0]?.for], ['activation', target]);
    const typed = target.replaceAll('-', ' ').toLowerCase();
    assert.equal((await desk('activate', ...caller(typed))).code, first.code);
    assert.notEqual((await desk('activate', ...caller(source))).code, first.code);
  });

  it('grants a key pack once for one request id, and says what is there in total', async () => {
    const order = ['key-pack', ...caller(source), ...cals, '--quantity', '25', '--request-id', 'call-1'];
    const first = await desk(...order);
    assert.match(String(first.code), /^[67]/);
    assert.deepEqual(
      [first['product'], first['type'], first['quantity'], first['total']],
      ['ts-2012r2', 'device', 25, 25],
    );
    assert.deepEqual(await desk(...order), first);
    const second = await desk(...order.with(-1, 'call-2'));
    assert.equal(second['total'], 50);
    const repeated = await desk('repeat', ...caller(source));
    assert.deepEqual(
      repeated.codes.map(({ kind }) => kind),
      ['key-pack', 'activation'],
    );
    assert.equal(repeated.code, second.code);
  });

  it('shows a code whole, by groups with spelling words, in digits, and then the next step', async () => {
    const { code, spelled, digits } = await desk('activate', ...caller(target));
    const { stdout } = await run(['desk', 'activate', ...caller(target)]);
    assert.ok(stdout.includes(`\n  ${code}\n`));
    const group = String(code).split('-')[1] ?? '';
    const [firstWord] = spelled?.[1] ?? [];
    assert.ok(stdout.includes(`  2  ${group}   ${group[0]} – ${firstWord}, `), stdout);
    assert.ok(stdout.replaceAll(/\s+/g, ' ').includes(`In digits: ${digits?.replaceAll('-', ' ')}`));
    assert.match(stdout.trimEnd().split('\n\n').at(-1) ?? '', /^Next: Read out the activation code/);
  });

  it('gives the yearly code with the day it leads to', async () => {
    const { code, horizon } = { ...(await desk('horizon', ...caller(target))) } as Fields & {
      horizon: string;
    };
    assert.match(String(code), /^[AB]/);
    assert.match(horizon, /^20\d\d-\d\d-\d\d$/);
    assert.ok((await run(['desk', 'horizon', ...caller(target)])).stdout.includes(horizon));
  });
});

describe('the desk moves CALs', () => {
  const move = ['move', '--agreement', '4965437', '--from', source, '--to', target, ...cals];

  it('enters a move without a code to read, lists it with what it waits for, and undoes it', async () => {
    const entered = await desk(...move, '--quantity', 'all', '--reason', 'replaced');
    assert.deepEqual([entered.code, entered.digits, entered.spelled, entered.codes], [null, null, null, []]);
    assert.match(entered.next, /Freeze the CALs/);
    const id = String(entered['move']);
    const listed = await run(['desk', 'moves']);
    for (const words of [id, source, target, 'Waits for', 'calyx server move --freeze']) {
      assert.ok(listed.stdout.replaceAll(/\s+/g, ' ').includes(words), words);
    }
    const cancelled = await run(['desk', 'cancel', id]);
    assert.equal(cancelled.exit, 0);
    assert.match(cancelled.stdout, /^The move is undone\.$/m);
  });

  it('declares a source dead, shows what waits for what, and releases it early with a second person', async () => {
    const dead = [...move, '--quantity', 'all', '--reason', 'dead'];
    assert.equal((await refusal(...dead))['field'], 'statement');
    const declared = await desk(...dead, '--statement', 'Ann Lee: the disk is gone', '--by', 'Cy');
    const id = String(declared['move']);
    assert.equal(declared['state'], 'dead-wait');
    assert.match(declared.next, /calyx desk approve/);
    const listed = (await run(['desk', 'moves'])).stdout.replaceAll(/\s+/g, ' ');
    for (const words of [id, 'dead-wait', 'Ann Lee: the disk is gone', 'horizon']) {
      assert.ok(listed.includes(words), words);
    }
    for (const name of ['ann lee', 'Cy']) {
      assert.equal((await refusal('approve', id, '--by', name))['code'], 'approval-same-person');
    }
    const approved = await desk('approve', id, '--by', 'Ben');
    assert.equal(approved['state'], 'closed');
    assert.equal(approved.codes.length, 1);
    assert.equal((await refusal('approve', id, '--by', 'Dee'))['code'], 'move-state');
    const shown = (await run(['clearinghouse', 'agreement', 'show', '4965437'])).stdout;
    const risk = `At risk, Terminal Server 2012 R2 (ts-2012r2), CALs per device, by move ${id}:`;
    assert.ok(shown.replaceAll(/\s+/g, ' ').includes(risk), shown);
  });
});

describe('a rehearsal at the desk of a source that no longer functions', () => {
  it('says how many CALs are typed, where a code alone would not be found', async () => {
    const number = ['--number', '4965438', '--program', 'select', '--customer', 'Contoso', ...cals];
    const out = join(scratch, 'kit-2.json');
    for (const words of [
      ['agreement', 'add', ...number, '--quantity', '5000'],
      ['kit', '--agreement', '4965438', '--out', out],
    ]) {
      assert.equal((await run(['clearinghouse', ...words])).exit, 0);
    }
    const [from = '', to = ''] = [0x13, 0x14].map((fill) =>
      licenseServerId(nodeDigest, new Uint8Array(32).fill(fill)),
    );
    for (const id of [from, to]) await desk('activate', '--agreement', '4965438', '--server-id', id);
    const pack = ['key-pack', '--agreement', '4965438', '--server-id', from, ...cals, '--quantity'];
    const ends = ['--agreement', '4965438', '--from', from, '--to', to, ...cals, '--quantity', 'all'];
    const rehearsal = ['desk', 'move', ...ends, '--reason', 'dead', '--dry-run'];
    for (const [quantity, words] of [
      [2048, `install --code CODE --from ${from}.`],
      [1000, `install --code CODE --from ${from} --quantity 3048.`],
    ] as const) {
      await desk(...pack, String(quantity));
      const { exit, stdout } = await run(rehearsal);
      assert.equal(exit, 0);
      assert.ok(stdout.replaceAll(/\s+/g, ' ').includes(words), stdout);
    }
  });
});

describe('the desk refuses', () => {
  it('a call without an agreement number', async () => {
    for (const words of [
      ['activate', '--server-id', target],
      ['key-pack', '--server-id', target, ...cals, '--quantity', '1'],
      ['move', '--from', source, '--to', target, ...cals, '--quantity', '1', '--reason', 'replaced'],
      ['horizon', '--server-id', target],
      ['repeat', '--server-id', target],
    ]) {
      assert.equal((await refusal(...words))['code'], 'agreement-missing', words[0]);
    }
  });

  it('a mistyped License Server ID, naming the group and what may have been heard', async () => {
    const wrong = `${target.slice(0, 12)}${target[12] === 'B' ? 'C' : 'B'}${target.slice(13)}`;
    const refused = await refusal('activate', ...caller(wrong));
    assert.equal(refused['code'], 'code-mistyped');
    assert.equal((refused['groups'] as readonly { group: number }[])[0]?.group, 3);
    assert.match(String(refused['next']), /did you hear/);
  });

  it('more than the agreement covers, with the numbers', async () => {
    const refused = await refusal('key-pack', ...caller(target), ...cals, '--quantity', '51');
    assert.deepEqual(
      [refused['code'], refused['asked'], refused['inHand'], refused['entitled']],
      ['quantity-above-agreement', 51, 50, 100],
    );
  });

  it('what is no confirmation', async () => {
    assert.equal((await refusal('confirm', target))['code'], 'code-wrong-kind');
    assert.equal((await refusal('confirm', 'C08GX'))['code'], 'code-unreadable');
  });

  it('words that make no sense, as wrong usage', async () => {
    const words = ['desk', 'key-pack', ...caller(target), '--product', 'ts-2012r2'];
    assert.equal((await run([...words, '--type', 'devices', '--quantity', '1'])).exit, 2);
    assert.equal((await run([...words, '--type', 'device', '--quantity', '0'])).exit, 2);
    assert.equal((await run([...words, '--type', 'device'])).exit, 2);
    assert.equal((await run(['desk', 'confirm'])).exit, 2);
  });
});

describe('the desk takes a code in', () => {
  /** A clearinghouse that answers one thing, and what it was asked. */
  function answering(answer: object): { readonly openers: Openers; readonly asked: unknown[] } {
    const asked: unknown[] = [];
    const inject = async (request: { readonly url: string; readonly payload?: string }) => {
      asked.push([request.url, JSON.parse(request.payload ?? 'null')]);
      const headers = { 'content-type': 'application/json' };
      return { statusCode: 200, headers, payload: JSON.stringify(answer) };
    };
    const clearinghouse = async () => ({ inject: inject as never, close: async () => undefined });
    return { openers: { ...openers, clearinghouse }, asked };
  }

  const code = (kind: string): Code => ({
    code: '7SBB2-N89XZ-1SD41-EZ69C-0H0YN-P8GJC-CW6SR',
    digits: '173779-517070-177506-730839-455960-973892-461104-974602-212790',
    spelled: [['seven', 'Sierra', 'Bravo', 'Bravo', 'two']],
    kind,
    for: target,
  });

  const confirmed = (kind: string, codes: readonly Code[]): object => ({
    ...{ ...codes[0], code: codes[0]?.code ?? null, codes, next: 'Go on.', kind },
    ...{ unissued: 485, held: 15, server: source, horizon: '2028-01-31' },
  });

  it('with or without spaces, for the server that is named', async () => {
    const { openers: opening, asked } = answering(confirmed('frozen', [code('key-pack')]));
    await run(['desk', 'confirm', 'C08GX', '07JG1', '--server-id', source, '--json'], opening);
    assert.deepEqual(asked, [['/v1/desk/confirm', { code: 'C08GX 07JG1', serverId: source }]]);
  });

  it('and says what was taken in before what is to be read out', async () => {
    const words: readonly (readonly [kind: string, said: RegExp])[] = [
      ['frozen', /has frozen 500 CALs \(485 unissued, 15 with holders\)/],
      ['released', /has released 500 CALs/],
      ['deactivated', /has released 500 CALs .* and is deactivated/],
      ['returned', /has given back 485 CALs/],
      ['heartbeat', /yearly report .* until 2028-01-31/],
    ];
    for (const [kind, said] of words) {
      const { openers: opening } = answering(confirmed(kind, []));
      const { stdout } = await run(['desk', 'confirm', 'C08GX'], opening);
      assert.match(stdout.replaceAll('\n', ' '), said);
      assert.match(stdout, /^Next: Go on\.$/m);
    }
  });

  it('and numbers the codes where there are two', async () => {
    const codes = [code('key-pack'), code('held-key-pack')];
    const { openers: opening } = answering(confirmed('deactivated', codes));
    const { stdout } = await run(['desk', 'confirm', 'C08GX'], opening);
    assert.match(stdout, /^1 of 2\. Read out the CAL Key Pack ID for/m);
    assert.match(stdout, /^2 of 2\. Read out the CAL Key Pack ID of the held CALs for/m);
  });
});
