/**
 * The commands that restore a clearinghouse, and those that show and end the recovery that it begins (protocol §5.6), on real
 * processes and files: a server that speaks with it by itself, and one that only telephones.
 */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { until } from './in-time.ts';
import type { Agreement, DeskAnswer } from './ten-steps/answers.ts';
import { arrive, askPermanent } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, cals, openSite } from './ten-steps/site.ts';

const other = '7654321';

let site: Site;
let clearinghouse: Machine;
/** Its own agreement each, so that one of them can be awaited alone. */
let connected: Machine;
let phoning: Machine;

interface Answer {
  readonly restored: boolean;
  readonly verdict: string;
  readonly kept: string | null;
}

interface Recovery {
  readonly recovery: { readonly epoch: number } | null;
  readonly awaited: readonly {
    readonly agreement: string;
    readonly licenseServerId: string | null;
    readonly state: string;
  }[];
}

const withKey = (): readonly string[] => ['--in', site.file('backup'), '--key', site.file('key.txt')];
const recovery = () => clearinghouse.done<Recovery>('clearinghouse', 'recovery');
const awaited = async () =>
  (await recovery()).awaited.map(({ agreement: of, licenseServerId }) => [of, licenseServerId]).sort();

/** In hand and committed, of the first line. */
async function booksOf(number: string): Promise<readonly unknown[]> {
  const { lines } = await clearinghouse.done<Agreement>('clearinghouse', 'agreement', 'show', number);
  return [lines[0]?.inHand, lines[0]?.committed];
}

/** A key pack that is read out for the server that only telephones. */
const keyPack = async (quantity: string): Promise<readonly string[]> => [
  ...['desk', 'key-pack', '--agreement', other, '--server-id', (await phoning.status()).licenseServerId],
  ...[...cals, '--quantity', quantity],
];

before(async () => {
  site = await openSite(100);
  ({ clearinghouse } = site);
  const bought = ['--number', other, '--program', 'select', '--customer', 'Contoso'];
  await clearinghouse.done('clearinghouse', 'agreement', 'add', ...bought, ...cals, '--quantity', '50');
  const kit = site.file('other-kit.json');
  await clearinghouse.done('clearinghouse', 'kit', '--agreement', other, '--out', kit);
  const url = await clearinghouse.serve();
  connected = await site.addServer('LS-NET', '--clearinghouse', url);
  phoning = await site.addServer('LS-PHONE', '--kit', kit);
  await connected.done('server', 'activate', '--agreement', agreement);
  await connected.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '40');
  const { licenseServerId } = await phoning.status();
  const code = await clearinghouse.done<DeskAnswer>(
    ...['desk', 'activate', '--agreement', other, '--server-id', licenseServerId],
  );
  await phoning.done('server', 'activate', '--code', code.code ?? '');
  await clearinghouse.done('clearinghouse', 'backup-key', '--out', site.file('key.txt'));
  await clearinghouse.done('clearinghouse', 'backup', '--out', site.file('backup'));
  // What the backup does not know: 50 of the one, 20 of the other.
  await connected.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '50');
  const { code: pack } = await clearinghouse.done<DeskAnswer>(...(await keyPack('20')));
  await phoning.done('server', 'install', '--code', pack ?? '', '--yes');
});
after(() => site.close());

describe('calyx clearinghouse restore', () => {
  it('--rehearse says what would come of it, beside the running service, and changes nothing', async () => {
    const rehearsed = await clearinghouse.done<Answer>(
      'clearinghouse',
      'restore',
      '--rehearse',
      ...withKey(),
    );
    assert.partialDeepStrictEqual(rehearsed, { restored: false, verdict: 'ok', kept: null });
    const page = await clearinghouse.page('clearinghouse', 'restore', '--rehearse', ...withKey());
    assert.match(page.replaceAll(/\s+/g, ' '), /It has forgotten what it did since, and says so/);
    const { refused } = await clearinghouse.refused('clearinghouse', 'restore', ...withKey());
    assert.equal(refused.code, 'data-folder-busy');
    assert.deepEqual(await recovery(), { recovery: null, awaited: [] });
    assert.match(await clearinghouse.page('clearinghouse', 'recovery'), /was never restored/);
    await clearinghouse.stop();
  });

  it('restores, and --undo puts back what was there as long as it was not started', async () => {
    const restored = await clearinghouse.done<Answer>('clearinghouse', 'restore', '--yes', ...withKey());
    assert.partialDeepStrictEqual(restored, { restored: true, verdict: 'ok' });
    assert.ok(statSync(restored.kept ?? '').isDirectory());
    const undone = await clearinghouse.done<{ undone: boolean; kept: string }>(
      'clearinghouse',
      'restore',
      '--undo',
    );
    assert.equal(undone.undone, true);
    assert.deepEqual(
      [await booksOf(agreement), await booksOf(other)],
      [
        [10, 90],
        [30, 20],
      ],
    );
    assert.deepEqual(await recovery(), { recovery: null, awaited: [] });
    const { removed } = await clearinghouse.done<{ removed: readonly string[] }>(
      'clearinghouse',
      'restore',
      '--confirm',
    );
    assert.deepEqual([removed, existsSync(undone.kept)], [[undone.kept], false]);
  });

  it('restores, is started in recovery, and --confirm removes what was there', async () => {
    const { kept } = await clearinghouse.done<Answer>('clearinghouse', 'restore', '--yes', ...withKey());
    assert.deepEqual(
      [await booksOf(agreement), await booksOf(other)],
      [
        [60, 40],
        [50, 0],
      ],
    );
    // A look changes nothing, and could still be undone: this is work.
    const name = ['--name', 'Terminal Server 2016', '--family', 'ts', '--version', '10'];
    await clearinghouse.done('clearinghouse', 'product', 'add', '--id', 'ts-2016', ...name);
    const { refused } = await clearinghouse.refused('clearinghouse', 'restore', '--undo');
    assert.equal(refused.code, 'restore-served');
    const { removed } = await clearinghouse.done<{ removed: readonly string[] }>(
      'clearinghouse',
      'restore',
      '--confirm',
    );
    assert.deepEqual([removed, existsSync(kept ?? '')], [[kept], false]);
    const again = await clearinghouse.refused('clearinghouse', 'restore', '--confirm');
    assert.equal(again.refused.code, 'restore-nothing-kept');
  });
});

describe('calyx clearinghouse recovery', () => {
  it('shows who is awaited, and nothing is granted meanwhile', async () => {
    assert.deepEqual(await awaited(), [
      [agreement, (await connected.status()).licenseServerId],
      [other, (await phoning.status()).licenseServerId],
    ]);
    const page = (await clearinghouse.page('clearinghouse', 'recovery')).replaceAll(/\s+/g, ' ');
    assert.match(page, /Recovery: some license servers are awaited/);
    assert.match(page, /LS-NET State: is to report, with its next contact/);
    const { refused } = await clearinghouse.refused(...(await keyPack('50')));
    assert.equal(refused.code, 'clearinghouse-recovering');
  });

  it('whoever speaks with it by itself reports, has its CALs in the books again, and served its holders', async () => {
    const url = await clearinghouse.serve();
    await connected.done('server', 'method', 'automatic', '--clearinghouse', url);
    await connected.serve();
    assert.equal((await arrive(connected.address, 'pc-1')).kind, 'permanent');
    await until('its report', async () => {
      const names = await awaited();
      return names.length === 1 ? true : undefined;
    });
    assert.deepEqual(await awaited(), [[other, (await phoning.status()).licenseServerId]]);
    assert.deepEqual(await booksOf(agreement), [10, 90]);
    const page = (await connected.page('server', 'events')).replaceAll(/\s+/g, ' ');
    assert.match(page, /The clearinghouse was restored from a backup/);
    await askPermanent(connected.address, 'pc-1');
    await connected.stop();
  });

  it('--open wants a name and a reason, and says whether anybody was awaited', async () => {
    const wrong = await clearinghouse.begin('clearinghouse', 'recovery', '--open', other).ended;
    assert.equal(wrong.exit, 2);
    const words = ['clearinghouse', 'recovery', '--open', other, '--statement'];
    const nobody = await clearinghouse.refused(...words, 'because');
    assert.equal(nobody.refused.code, 'invalid-input');
    const opened = await clearinghouse.done<{ opened: number }>(...words, 'Ann Lee: it had 20, as it says');
    assert.equal(opened.opened, 1);
    assert.match(await clearinghouse.page('clearinghouse', 'recovery'), /The recovery is over/);
    assert.match(await clearinghouse.page(...words, 'Ann Lee: once more', '--yes'), /Nobody was awaited/);
    const pack = await clearinghouse.done<DeskAnswer>(...(await keyPack('30')));
    assert.notEqual(pack.code, null);
    assert.deepEqual(await booksOf(other), [20, 30]);
    await clearinghouse.stop();
  });
});
