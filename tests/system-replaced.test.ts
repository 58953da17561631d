/**
 * The second half of the source document, on real processes and files: the operating system of a license server is
 * replaced. What is not restored is counted in the System log, and the telephone brings it back (protocol §5.2, §5.5).
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DeskAnswer, Installed, License, Status } from './ten-steps/answers.ts';
import { arrive, arriveByCommand, ask, askPermanent, requestWords } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, expectBooks, openSite, product, supplyByTelephone } from './ten-steps/site.ts';

const statement = 'Ann Lee: the operating system was installed anew on Monday';
/** The last of them asks by `calyx license request`, and keeps what it has in a file. */
const names = ['pc-1', 'pc-2', 'pc-3'];

interface Succession {
  readonly from: string;
  readonly cause: string;
  readonly aside: string;
  readonly unissued: number;
  readonly recovered: boolean;
  readonly say: string;
}

type Succeeded = Status & { readonly gap: number; readonly successions: readonly Succession[] };

interface Event {
  readonly id: number;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const eventsOf = async (server: Machine): Promise<readonly Event[]> =>
  (await server.done<{ items: readonly Event[] }>('server', 'events')).items;

/** What an installation of another operating system leaves of a license server: its restored data folder. */
function replaceSystem(site: Site, name: string): void {
  rmSync(join(site.dir, 'instances', name.toLowerCase()), { recursive: true });
}

describe('the operating system of a license server is replaced, and the telephone is there', () => {
  let site: Site;
  let server: Machine;
  let held: readonly License[] = [];
  let before_: Status;

  before(async () => {
    site = await openSite(100);
    server = await site.addServer('LS-ONE', '--kit', site.kit);
    before_ = await server.status();
    await supplyByTelephone(site, server, 20);
    await server.serve();
    const licenses: License[] = [];
    for (const name of names.slice(0, 2)) licenses.push(await arrive(server.address, name));
    licenses.push(await arriveByCommand(site, server.address, 'pc-3'));
    held = licenses;
    await server.stop();
    replaceSystem(site, 'LS-ONE');
  });
  after(() => site.close());

  /** What is asked for by telephone is read out, both License Server IDs in words. */
  async function assertSpoken(): Promise<void> {
    const page = (await server.page('server', 'recover', '--statement', statement)).replaceAll(/\s+/g, ' ');
    assert.match(
      page,
      /Read to the clearinghouse.*The old License Server ID:.*The new License Server ID:.*calyx desk recover/,
    );
  }

  it('goes on as a new license server, without any unissued license', async () => {
    const status = await server.done<Succeeded>('server', 'status');
    assert.notEqual(status.licenseServerId, before_.licenseServerId);
    assert.notEqual(status.publicKey, before_.publicKey);
    assert.deepEqual([status.activation, status.packs], ['not-activated', []]);
    const [made] = status.successions;
    assert.ok(made);
    assert.deepEqual(
      [made.from, made.cause, made.unissued, made.recovered],
      [before_.licenseServerId, 'system-replaced', 17, false],
    );
    const aside = readdirSync(join(server.data, made.aside));
    assert.deepEqual(aside.sort(), ['license-server.db', 'license-server.db-sum', 'license-server.key']);
    assert.ok(existsSync(join(site.dir, 'instances', 'ls-one', 'instance-secret')));
    // Once: it is the same from then on.
    assert.equal((await server.status()).licenseServerId, status.licenseServerId);
  });

  it('an event that provides the unissued license count is logged in the System log', async () => {
    const events = await eventsOf(server);
    const lost = events.filter(({ id }) => id === 26);
    assert.deepEqual(
      lost.map(({ data }) => [data['count'], data['product'], data['server']]),
      [[17, product, before_.licenseServerId]],
    );
    assert.match(lost[0]?.text ?? '', /^17 unissued licenses of ts-2012r2.* not restored/);
  });

  it('shows the count and what is to be read to the representative', async () => {
    const page = (await server.page('server', 'status')).replaceAll(/\s+/g, ' ');
    assert.match(page, /17 unissued not restored, 3 holders restored/);
    assert.match(
      page,
      /To be read to the clearinghouse: The operating system of license server LS-ONE was replaced/,
    );
    assert.match(page, /17 unissued CALs were not restored, 3 holders were/);
    assert.ok(page.includes(before_.licenseServerId));
  });

  it('honors the holders that it knows before it is activated, and others like strangers', async () => {
    await server.serve();
    const { status, body } = await ask(server.address, 'pc-1');
    assert.deepEqual([status, body.kind, body.status], [201, 'temporary', 'issued'], JSON.stringify(body));
    const again = await ask(server.address, 'pc-1');
    assert.deepEqual([again.status, again.body.status, again.body.token], [200, 'unchanged', body.token]);
    // Who keeps its license has it still: what it is given meanwhile does not take its place.
    const given = await site.calyx.done<License>(...requestWords(site, server.address, 'pc-3'));
    assert.equal(given.kind, 'temporary');
    const { licenses } = JSON.parse(readFileSync(site.file('pc-3.json'), 'utf8')) as { licenses: License[] };
    assert.deepEqual(licenses.map(({ kind, origin }) => [kind, origin]).sort(), [
      ['permanent', held[2]?.origin],
      ['temporary', null],
    ]);
    await server.stop();
  });

  it('is activated by telephone with the kit that it has, under its new License Server ID', async () => {
    const { licenseServerId } = await server.status();
    const desk = ['--agreement', agreement, '--server-id', licenseServerId];
    await server.done('server', 'method', 'telephone');
    const activation = await site.clearinghouse.done<DeskAnswer>('desk', 'activate', ...desk);
    await server.done('server', 'activate', '--code', activation.code ?? '');
    await server.serve();
    for (const name of names) assert.equal((await ask(server.address, name)).body.kind, 'temporary', name);
    const stranger = await ask(server.address, 'pc-9');
    assert.deepEqual([stranger.status, stranger.body.kind], [201, 'temporary']);
    assert.equal((await server.done<Succeeded>('server', 'status')).gap, 3);
    await server.stop();
  });

  it('the telephone restores the unissued licenses, and every holder has the CAL that it had', async () => {
    const { licenseServerId } = await server.status();
    const asked = await server.done<{ say: readonly string[]; desk: readonly string[] }>(
      ...['server', 'recover', '--statement', statement],
    );
    assert.match(asked.say[0] ?? '', /17 unissued CALs were not restored/);
    await assertSpoken();
    await server.serve();
    for (const name of names) assert.equal((await ask(server.address, name)).body.kind, 'temporary', name);
    await server.stop();
    const recovery = await site.clearinghouse.done<
      DeskAnswer & { lines: readonly Record<string, unknown>[] }
    >(
      ...['desk', 'recover', '--agreement', agreement],
      ...['--from', before_.licenseServerId, '--to', licenseServerId],
      ...['--reason', 'redeployed', '--statement', statement, '--by', 'Bo'],
    );
    assert.equal(recovery.codes.length, 1);
    assert.deepEqual([recovery.lines[0]?.['units'], recovery.lines[0]?.['unitsAtRisk']], [20, 20]);
    const code = recovery.code ?? '';
    const installed = await server.done<Installed>('server', 'install', '--code', code, '--yes');
    assert.deepEqual([installed.added, installed.installed], [20, 20]);
    const moves = (await site.clearinghouse.page('desk', 'moves')).replaceAll(/\s+/g, ' ');
    assert.match(
      moves,
      /Recovery: the target has come in its place: the license server was deployed again; at once/,
    );
    await expectBooks(site, [server], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-ONE': [20, 0, 17, 0, 3, 0],
    });
    await server.serve();
    for (const [index, name] of names.entries()) {
      const license = await askPermanent(server.address, name);
      assert.equal(license.origin, held[index]?.origin, name);
    }
    const kept = await site.calyx.done<License>(...requestWords(site, server.address, 'pc-3'));
    assert.deepEqual([kept.kind, kept.origin], ['permanent', held[2]?.origin]);
    await server.stop();
    await expectBooks(site, [server], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-ONE': [20, 3, 17, 0, 0, 0],
    });
    const status = await server.done<Succeeded>('server', 'status');
    assert.deepEqual([status.successions[0]?.recovered, status.gap], [true, 0]);
  });
});
