/**
 * A license server whose database is lost without any backup, on real processes and files: `calyx server rebuild`, and the
 * clearinghouse's own record of what it had (protocol §5.5).
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Agreement, License, Status } from './ten-steps/answers.ts';
import { arrive, ask, askPermanent } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, cals, expectBooks, openSite } from './ten-steps/site.ts';

const names = ['pc-1', 'pc-2'];
const reason = ['--reason', 'certificate-corrupt'];

interface Rebuilt {
  readonly licenseServerId: string;
  readonly from: string;
  readonly signed: boolean;
  readonly aside: string;
}

interface Recovery {
  readonly moves: readonly { readonly state: string }[];
}

type Succeeded = Status & { readonly successions: readonly { readonly recovered: boolean }[] };

describe('the database of a license server is lost, and there is no backup', () => {
  let site: Site;
  let server: Machine;
  let url = '';
  let held: readonly License[] = [];
  let oldId = '';
  let aside = '';

  const database = (): string => join(server.data, 'license-server.db');

  before(async () => {
    site = await openSite(100);
    // A line of which the server never has anything.
    const bought = ['--number', agreement, '--program', 'select', '--customer', 'Contoso'];
    const users = ['--product', 'ts-2012r2', '--type', 'user', '--quantity', '5'];
    await site.clearinghouse.done('clearinghouse', 'agreement', 'add', ...bought, ...users);
    url = await site.clearinghouse.serve();
    server = await site.addServer('LS-ONE', '--clearinghouse', url);
    await server.serve();
    await server.done('server', 'activate', '--agreement', agreement);
    await server.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '20');
    const licenses: License[] = [];
    for (const name of names) licenses.push(await arrive(server.address, name));
    held = licenses;
    oldId = (await server.status()).licenseServerId;
  });
  after(() => site.close());

  it('is not rebuilt while it runs, nor without a reason that there is', async () => {
    const busy = await server.refused('server', 'rebuild', ...reason, '--yes');
    assert.equal(busy.refused.code, 'data-folder-busy');
    await server.stop();
    const ended = await server.begin('server', 'rebuild', '--reason', 'bored', '--yes').ended;
    assert.equal(ended.exit, 2);
    assert.match(
      ended.stderr,
      /redeployed, certificate-corrupt, key-compromised, activation-expired, upgraded/,
    );
    assert.equal((await server.status()).licenseServerId, oldId);
  });

  it('does not start, and says which command goes on', async () => {
    for (const file of readdirSync(server.data).filter((each) => each.startsWith('license-server.db'))) {
      rmSync(join(server.data, file));
    }
    const { exit, refused } = await server.refused('server', 'status');
    assert.deepEqual([exit, refused.code], [4, 'database-damaged']);
    assert.match(String(refused.next), /calyx server rebuild/);
    const trustless = await server.refused('server', 'rebuild', ...reason, '--yes');
    assert.equal(trustless.refused.code, 'publisher-bundle-needed');
    assert.equal(existsSync(database()), false);
  });

  it('is rebuilt as a new license server, for which its key vouches', async () => {
    const rebuilt = await server.done<Rebuilt>(
      ...['server', 'rebuild', ...reason, '--bundle', site.bundle, '--clearinghouse', url, '--yes'],
    );
    assert.deepEqual([rebuilt.from, rebuilt.signed], [oldId, true]);
    assert.notEqual(rebuilt.licenseServerId, oldId);
    aside = rebuilt.aside;
    assert.deepEqual(readdirSync(aside), ['license-server.key']);
    const page = (await server.page('server', 'status')).replaceAll(/\s+/g, ' ');
    assert.match(page, /In the place of: .* \(the database was rebuilt\)/);
    assert.match(page, /its database could not be read/);
  });

  it('has its CALs from the record of the clearinghouse, and its holders have theirs', async () => {
    await server.serve();
    await server.done('server', 'activate', '--agreement', agreement);
    for (const [index, name] of names.entries()) {
      const { body } = await ask(server.address, name, held[index]);
      assert.equal(body.kind, 'temporary', name);
    }
    const { moves } = await server.done<Recovery>('server', 'recover');
    assert.deepEqual(
      moves.map(({ state }) => (['provisional', 'final', 'closed'].includes(state) ? 'here' : state)),
      ['here', 'refused'],
    );
    for (const [index, name] of names.entries()) {
      const license = await askPermanent(server.address, name);
      assert.equal(license.origin, held[index]?.origin, name);
    }
    await expectBooks(site, [server], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-ONE': [20, 2, 18, 0, 0, 0],
    });
    const status = await server.done<Succeeded>('server', 'status');
    assert.equal(status.successions[0]?.recovered, true);
    const paper = await site.clearinghouse.done<Agreement & { atRisk: readonly { units: number }[] }>(
      ...['clearinghouse', 'agreement', 'show', agreement],
    );
    assert.deepEqual(
      paper.atRisk.map(({ units }) => units),
      [20],
    );
    // Nobody has lost anything of the other line: that is no warning.
    const { items } = await server.done<{ items: readonly { id: number; text: string }[] }>(
      ...['server', 'events'],
    );
    const told = items.filter(({ id }) => id === 5019 || id === 5031).map(({ text }) => text);
    assert.equal(told.length, 1, told.join('\n'));
    assert.match(told[0] ?? '', /^No CALs of ts-2012r2 per user come here/);
    const again = await server.refused('server', 'recover');
    assert.equal(again.refused.code, 'nothing-to-recover');
    const { licenseServerId: other } = await (await site.addServer('LS-OTHER')).status();
    const statement = 'Ann Lee: the disk died';
    const words = ['server', 'recover', '--from', other, '--statement', statement];
    const { refused } = await server.refused(...words);
    assert.equal(refused.code, 'nothing-to-recover');
    assert.match(JSON.stringify(refused), /another license server has recovered them since.* --from ITS-ID/);
  });

  it('the publisher may have the next one wait, and says so with the agreement', async () => {
    const words = ['clearinghouse', 'agreement', 'recovery', agreement];
    const set = await site.clearinghouse.done<{ recovery: string }>(...words, '--policy', 'wait');
    assert.equal(set.recovery, 'wait');
    const page = await site.clearinghouse.page('clearinghouse', 'agreement', 'show', agreement);
    assert.match(page.replaceAll(/\s+/g, ' '), /Recovery: waits for the horizon of the old server/);
    const unknown = await site.clearinghouse.refused(
      ...['clearinghouse', 'agreement', 'recovery', '1', '--policy', 'wait'],
    );
    assert.equal(unknown.refused.code, 'agreement-unknown');
  });

  it('without key and database somebody has to say which license server it was', async () => {
    await server.stop();
    const { licenseServerId: present } = await server.status();
    rmSync(database());
    rmSync(join(server.data, 'license-server.key'));
    const words = ['server', 'rebuild', ...reason, '--bundle', site.bundle, '--clearinghouse', url, '--yes'];
    assert.equal((await server.refused(...words)).refused.code, 'succession-unknown');
    const rebuilt = await server.done<Rebuilt>(...words, '--from', present);
    assert.deepEqual([rebuilt.from, rebuilt.signed], [present, false]);
    await server.done('server', 'activate', '--agreement', agreement);
    assert.equal((await server.refused('server', 'recover')).refused.code, 'invalid-input');
    const { moves } = await server.done<Recovery>(
      'server',
      'recover',
      '--statement',
      'Ann Lee: the disk died',
    );
    assert.deepEqual(
      moves.map(({ state }) => state),
      ['dead-wait', 'refused'],
    );
  });
});
