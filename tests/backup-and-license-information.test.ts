/**
 * "Backup and license information", the second half of the source document, sentence by sentence, on real processes and
 * files. What is backed up there by two tools is one file here; the replaced operating system is one without the instance
 * secret and what the machine was known by (protocol §5.1).
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { until } from './in-time.ts';
import type { DeskAnswer, Installed, License, Status } from './ten-steps/answers.ts';
import { arrive, askPermanent } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, cals, expectBooks, openSite, product } from './ten-steps/site.ts';

const statement = 'Ann Lee: the operating system was replaced';

let site: Site;
let server: Machine;
let original: Status;
const held = new Map<string, License>();
const kept = (): string => site.file('backups');
const instance = (): string => join(site.dir, 'instances', 'ls-one');

interface Schedule {
  readonly last: { readonly problem: string | null } | null;
  readonly settings: { readonly every: string; readonly keep: number };
}

interface Verified {
  readonly verdict: string;
  readonly opened: boolean;
  readonly backup: {
    readonly parts: readonly string[];
    readonly lines: readonly { readonly issued: number; readonly unissued: number }[];
  };
}

before(async () => {
  site = await openSite(100);
  const url = await site.clearinghouse.serve();
  server = await site.addServer('LS-ONE', '--kit', site.kit, '--clearinghouse', url);
  await server.done('server', 'method', 'automatic');
  await server.done('server', 'activate', '--agreement', agreement);
  await server.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '20');
  await server.done('server', 'backup-key', '--out', site.file('key.txt'));
  mkdirSync(kept());
  await server.serve();
  for (const name of ['pc-1', 'pc-2']) held.set(name, await arrive(server.address, name));
  await server.stop();
  original = await server.status();
});
after(() => site.close());

/** The newest of the backups that the schedule has made. */
function newest(): string {
  const name = readdirSync(kept())
    .filter((each) => each.endsWith('.calyx-backup'))
    .toSorted()
    .at(-1);
  assert.ok(name !== undefined);
  return join(kept(), name);
}

const withKey = (file: string): readonly string[] => ['--in', file, '--key', site.file('key.txt')];

const restore = (file: string) =>
  site.calyx.done<{ restored: boolean; secret: string; outlook: string }>(
    ...['server', 'restore', '--yes', ...withKey(file), '--data', server.data, '--instance', instance()],
  );

const known = ({ licenseServerId, publicKey, name, activation, method, kits, packs }: Status) => ({
  ...{ licenseServerId, publicKey, name, activation, method, kits, packs },
});

describe('Backup and license information', () => {
  it('You should regularly back up the license server by using Windows Backup or a similar tool.', async () => {
    await server.done('server', 'backup', '--every', '1d', '--keep', '14', '--folder', kept());
    await server.serve();
    const { last, settings } = await until('the first backup of the schedule', async () => {
      const shown = await server.done<Schedule>('server', 'backup');
      return shown.last === null ? undefined : shown;
    });
    await server.stop();
    assert.deepEqual([last?.problem, settings.every, settings.keep], [null, '1d', 14]);
  });

  it('When you back up a license server, back up both the system state data and the folder in which it is installed.', async () => {
    const { verdict, opened, backup } = await server.done<Verified>('server', 'verify', ...withKey(newest()));
    assert.deepEqual([verdict, opened], ['ok', true]);
    assert.deepEqual([...backup.parts].sort(), ['config.json', 'license-server.key']);
    assert.partialDeepStrictEqual(backup.lines, [{ issued: 2, unissued: 18 }]);
  });

  it('Regular backups help protect your licensing data from accidental loss if the system experiences hardware or storage failure.', async () => {
    rmSync(server.data, { recursive: true });
    const { restored, secret } = await restore(newest());
    assert.deepEqual([restored, secret], [true, 'present']);
  });

  it('By doing this, you make sure that data in both the registry and the license server database is backed up.', async () => {
    const status = await server.status();
    assert.deepEqual(known(status), known(original));
    const { settings } = await server.done<{ settings: { every: string } }>('server', 'backup');
    assert.equal(settings.every, '1d');
  });

  it('If you restore the system state data and the database to the original license server, any unissued licenses are restored correctly, assuming you haven’t replaced the operating system on the computer.', async () => {
    assert.partialDeepStrictEqual((await server.status()).packs, [
      { installed: 20, issued: 2, unissued: 18 },
    ]);
    await server.serve();
    for (const [name, before_] of held) {
      const now = await askPermanent(server.address, name, before_);
      assert.deepEqual([now.unit, now.origin], [before_.unit, before_.origin]);
    }
    held.set('pc-3', await arrive(server.address, 'pc-3'));
    await server.done('server', 'backup', '--out', site.file('last'));
    await server.stop();
    const units = new Set([...held.values()].map(({ unit }) => unit));
    assert.equal(units.size, 3);
    await expectBooks(site, [server], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-ONE': [20, 3, 17, 0, 0, 0],
    });
  });

  it('If you’ve replaced the operating system, any unissued licenses aren’t restored,', async () => {
    const before_ = readdirSync(instance()).sort();
    assert.ok(before_.includes('instance-secret'));
    assert.ok(before_.some((name) => name.endsWith('.machine')));
    for (const dir of [server.data, instance()]) rmSync(dir, { recursive: true });
    const { restored, secret, outlook } = await restore(site.file('last'));
    assert.deepEqual([restored, secret, outlook], [true, 'absent', 'system-replaced']);
    const status = await server.done<
      Status & { successions: readonly { unissued: number; recovered: boolean; from: string }[] }
    >('server', 'status');
    assert.notEqual(status.licenseServerId, original.licenseServerId);
    assert.deepEqual([status.activation, status.packs, status.method], ['not-activated', [], 'automatic']);
    assert.partialDeepStrictEqual(status.successions, [
      { from: original.licenseServerId, unissued: 17, recovered: false },
    ]);
    assert.ok(existsSync(join(instance(), 'instance-secret')));
  });

  it('and an event that provides the unissued license count is logged in the System log.', async () => {
    const { items } = await server.done<{
      items: readonly { id: number; level: string; text: string; data: Record<string, unknown> }[];
    }>('server', 'events');
    const told = items.filter(({ id }) => id === 26);
    assert.deepEqual(
      told.map(({ level, data }) => [level, data['count'], data['product'], data['server']]),
      [['warning', 17, product, original.licenseServerId]],
    );
    assert.match(told[0]?.text ?? '', /^17 unissued licenses .* not restored, because the operating system/);
    assert.match(await server.page('server', 'events'), /17 unissued licenses/);
  });

  it('To switch to the telephone activation option, right-click the server in License Manager, and then click Properties.', async () => {
    // The clearinghouse cannot be reached from here on.
    await site.clearinghouse.stop();
    const page = await server.page('server', 'method', 'telephone');
    assert.match(page, /The installation method is telephone/);
    assert.equal((await server.status()).method, 'telephone');
  });

  it('You can still restore the unissued licenses by using the telephone activation option in the License Manager tool.', async () => {
    const { licenseServerId } = await server.status();
    const activation = await site.clearinghouse.done<DeskAnswer>(
      ...['desk', 'activate', '--agreement', agreement, '--server-id', licenseServerId],
    );
    await server.done('server', 'activate', '--code', activation.code ?? '');
    const { say } = await server.done<{ say: readonly string[] }>(
      ...['server', 'recover', '--statement', statement],
    );
    assert.match(say[0] ?? '', /17 unissued CALs were not restored, 3 holders were/);
    const { code } = await site.clearinghouse.done<DeskAnswer>(
      ...['desk', 'recover', '--agreement', agreement],
      ...['--from', original.licenseServerId, '--to', licenseServerId],
      ...['--reason', 'redeployed', '--statement', statement, '--by', 'Bo'],
    );
    const installed = await server.done<Installed>('server', 'install', '--code', code ?? '', '--yes');
    assert.deepEqual([installed.added, installed.installed], [20, 20]);
    await expectBooks(site, [server], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-ONE': [20, 0, 17, 0, 3, 0],
    });
    await server.serve();
    for (const [name, before_] of held) {
      assert.equal((await askPermanent(server.address, name, before_)).origin, before_.origin, name);
    }
    await server.stop();
    await expectBooks(site, [server], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-ONE': [20, 3, 17, 0, 0, 0],
    });
  });
});
