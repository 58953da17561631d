/** `calyx move report` with real programs: at each of the three sides, by file, and for somebody with the file alone. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { base64url } from '../src/core/bytes.ts';
import { licenseServerId } from '../src/core/code.ts';
import { dayMs, isoTime } from '../src/core/time.ts';
import { nodeDigest as digest } from '../src/platform/digest.ts';
import { systemRandom } from '../src/platform/random.ts';
import { generateSigningKey } from '../src/platform/signing.ts';
import { writeReportFile } from '../src/protocol/move-report.ts';
import type { ClearinghouseStatement, ServerStatement } from '../src/protocol/statement.ts';
import { signStatement } from '../src/protocol/statement.ts';
import { keyId, makeTrustList } from '../src/protocol/trust.ts';
import type { DeskAnswer, Move } from './ten-steps/answers.ts';
import { populate } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, cals, openSite, product } from './ten-steps/site.ts';

interface Report {
  readonly move: string;
  readonly verdict: string;
  readonly missing: readonly string[];
  readonly findings: readonly { readonly code: string }[];
  readonly totals: Readonly<Record<string, number>> | null;
  readonly statements: readonly { readonly side: string; readonly token: string }[];
  readonly rootPinned?: boolean;
}

describe('calyx move report', { concurrency: 1 }, () => {
  let site: Site;
  let [old, next]: Machine[] = [];
  let move = '';
  const machines = (): readonly [Machine, Machine] => {
    assert.ok(old && next);
    return [old, next];
  };

  before(async () => {
    site = await openSite(100);
    const url = ['--clearinghouse', await site.clearinghouse.serve()];
    [old, next] = await Promise.all([site.addServer('LS-OLD', ...url), site.addServer('LS-NEW', ...url)]);
    for (const server of machines()) {
      await server.done('server', 'activate', '--agreement', agreement);
      await server.serve();
    }
    await machines()[0].done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '20');
    await populate(site, machines()[0].address, { count: 3, byCommand: 0 });
  });
  after(() => site.close());

  it('is printed at the end of a move by connection', async () => {
    const [source, target] = machines();
    const order = ['--to', target.address, '--agreement', agreement, ...cals];
    const moved = await source.done<Move & { id: string; report: Report }>(
      ...['server', 'move', ...order, '--quantity', '12'],
    );
    move = moved.id;
    assert.deepEqual([moved.moved, moved.report.verdict, moved.report.missing], [12, 'ok', []]);
    assert.deepEqual([moved.report.totals?.['purchased'], moved.report.totals?.['inHand']], [100, 80]);
    const page = await source.page('server', 'move', ...order, '--quantity', '5');
    assert.match(page, /every one is accounted\s+for, signed by all three/);
    assert.match(page, /calyx move report \S+ --data/);
  });

  it('is the same at each of the three, running or not, and by address', async () => {
    const [source, target] = machines();
    const all: Report[] = [];
    for (const machine of [source, target, site.clearinghouse]) {
      all.push(await machine.done<Report>('move', 'report', move));
    }
    const token = site.file('token');
    writeFileSync(token, target.token);
    all.push(
      await site.calyx.done<Report>('move', 'report', move, '--url', target.address, '--token-file', token),
    );
    writeFileSync(token, site.clearinghouse.token);
    all.push(
      await site.calyx.done<Report>(
        ...['move', 'report', move, '--url', site.clearinghouse.address, '--token-file', token],
      ),
    );
    await target.stop();
    all.push(await target.done<Report>('move', 'report', move));
    await target.serve();
    for (const report of all) {
      assert.deepEqual([report.verdict, report.findings], ['ok', []]);
      assert.deepEqual(report.statements, all[0]?.statements);
      assert.deepEqual(report.totals, all[0]?.totals);
    }
    const { exit, refused } = await source.refused('move', 'report', 'nothing');
    assert.deepEqual([exit, refused.code], [1, 'move-unknown']);
    assert.equal((await site.calyx.run('move', 'report', '--data', source.data)).exit, 2);
  });

  it('can be checked by somebody who has the file and the root key, and by nobody where it was altered', async () => {
    const [source] = machines();
    const file = site.file('report.json');
    await source.done('move', 'report', move, '--out', file);
    const report = await site.calyx.done<Report>('move', 'report', '--in', file, '--root', site.bundle);
    assert.deepEqual([report.verdict, report.rootPinned, report.move], ['ok', true, move]);
    const page = await site.calyx.page('move', 'report', '--in', file, '--root', site.bundle);
    assert.match(page, /Every CAL is accounted for/);
    assert.match(page, /Purchased +100/);
    const text = readFileSync(file, 'utf8');
    const place = text.lastIndexOf('v4.public.') + 300;
    const altered = `${text.slice(0, place)}${text[place] === 'A' ? 'B' : 'A'}${text.slice(place + 1)}`;
    writeFileSync(file, altered);
    const { exit, refused } = await site.calyx.refused('move', 'report', '--in', file);
    assert.equal(exit, 4, 'a file whose signatures do not hold is not sound');
    assert.match(refused.code, /^message-(?:invalid|untrusted)$/);
    writeFileSync(file, text.slice(0, place));
    assert.equal((await site.calyx.refused('move', 'report', '--in', file)).refused.code, 'file-damaged');
    // The root of another publisher does not vouch for it.
    writeFileSync(file, text);
    const root = site.file('root.key');
    writeFileSync(root, base64url(generateSigningKey(systemRandom, () => 'x').publicKey));
    const foreign = await site.calyx.refused('move', 'report', '--in', file, '--root', root);
    assert.deepEqual([foreign.exit, foreign.refused.code], [4, 'message-untrusted']);
  });

  it('collects by file what no connection has brought', async () => {
    const [source, target] = machines();
    const ids = await Promise.all([source.status(), target.status()]);
    const [from, to] = ids.map(({ licenseServerId }) => licenseServerId);
    const ends = ['--agreement', agreement, '--from', from ?? '', '--to', to ?? '', ...cals];
    const started = await site.clearinghouse.done<DeskAnswer & { move: string }>(
      ...['desk', 'move', ...ends, '--quantity', '1', '--reason', 'replaced'],
    );
    const early = await site.clearinghouse.done<Report>('move', 'report', started.move);
    assert.deepEqual([early.verdict, early.missing], ['incomplete', ['source', 'target']]);
    const page = await site.clearinghouse.page('move', 'report', started.move);
    assert.match(page, /--data TARGET-DIR --out target\.json/);
    const files: string[] = [];
    for (const server of machines()) {
      const file = site.file(`${server.name}.statement`);
      await server.done('move', 'report', '--product', product, '--type', 'device', '--out', file);
      files.push('--in', file);
    }
    const report = await site.clearinghouse.done<Report>('move', 'report', started.move, ...files);
    assert.deepEqual([report.verdict, report.missing], ['ok', []]);
    // Nothing has moved yet, and every CAL has its place.
    assert.equal(report.totals?.['purchased'], 100);
    const other = ['--product', 'ts-2022', '--type', 'device'];
    assert.equal((await source.refused('move', 'report', ...other)).refused.code, 'line-unknown');
  });
});

/** A publisher with two servers, and a file of what they might say; `lie` puts the source's words in others. */
function fileOf(lie: Partial<ServerStatement['numbers']>): string {
  const publisherKey = () => generateSigningKey(systemRandom, (publicKey) => keyId(digest, publicKey));
  const serverKey = () => generateSigningKey(systemRandom, (publicKey) => licenseServerId(digest, publicKey));
  const [root, issue, source, target] = [publisherKey(), publisherKey(), serverKey(), serverKey()];
  const day = (days: number): string => isoTime(Date.now() + days * dayMs);
  const key = {
    kid: issue.kid,
    pk: base64url(issue.publicKey),
    role: 'issue',
    nbf: day(-1),
    exp: day(9),
  } as const;
  const roots = [{ kid: root.kid, pk: base64url(root.publicKey) }];
  const trust = { t: 'trust', v: 1, version: 1, publisher: 'P', roots, threshold: 1, revoked: [] } as const;
  const trustList = makeTrustList(digest, { ...trust, keys: [key], iat: day(-1), exp: day(9) }, root);
  const head = { size: 9, root: base64url(new Uint8Array(32)) };
  const line = { agreement, line: 0, product, type: 'device', iat: day(0) } as const;
  const none = { installed: 0, unissued: 0, issued: 0, held: 0, reserved: 0, quarantined: 0, granted: 0 };
  const said = (by: string, numbers: Partial<ServerStatement['numbers']>): ServerStatement => ({
    ...{ t: 'statement', v: 1, by, gen: 1, ...line, move: 'mv-1', moved: { unissued: 5, held: 0 } },
    told: { aid: 'A'.repeat(22), seq: 0 },
    ...{ numbers: { ...none, ...numbers }, log: { name: 'server', ...head } },
  });
  const desk: ClearinghouseStatement = {
    ...{ t: 'statement', v: 1, by: 'clearinghouse', ...line, move: 'mv-1', source: source.kid },
    ...{ target: target.kid, carrier: 'online', state: 'closed', moved: { unissued: 5, held: 0 } },
    silent: [],
    numbers: {
      ...{ entitled: 5, inHand: 0, retired: 0, quarantined: [], inTransit: [] },
      committed: [{ licenseServerId: target.kid, generation: 1, amount: 5 }],
    },
    heard: {
      source: { size: 9, committed: 0, coming: 0, granted: 5 },
      target: { size: 9, committed: 5, coming: 0, granted: 5 },
    },
    log: { name: agreement, ...head },
  };
  const statements = [
    signStatement(desk, issue),
    signStatement(said(source.kid, { granted: 5, ...lie }), source),
    signStatement(said(target.kid, { granted: 5, installed: 5, unissued: 5 }), target),
  ];
  return writeReportFile({ trustList, statements });
}

it('exits 4 where the statements do not fit, and says what does not', async () => {
  const site = await openSite(1);
  try {
    const file = site.file('told.json');
    writeFileSync(file, fileOf({}));
    assert.equal((await site.calyx.done<Report>('move', 'report', '--in', file)).verdict, 'ok');
    // It has kept the five CALs that it gave up.
    writeFileSync(file, fileOf({ installed: 5, unissued: 5 }));
    const ended = await site.calyx.run('move', 'report', '--in', file, '--json');
    const report = JSON.parse(ended.stdout) as Report;
    assert.deepEqual([ended.exit, report.verdict], [4, 'broken']);
    assert.deepEqual(
      report.findings.map(({ code }) => code),
      ['more-than-committed'],
    );
    const page = await site.calyx.run('move', 'report', '--in', file);
    assert.equal(page.exit, 4);
    assert.match(page.stdout, /At the source 5 CALs may be given out, and the clearinghouse has committed 0/);
  } finally {
    await site.close();
  }
});
