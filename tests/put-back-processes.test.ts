/** A license server that is killed, put back to a copy of its data folder, and started again: real processes and files. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { until } from './in-time.ts';
import type { Pack, Status } from './ten-steps/answers.ts';
import { arrive, ask, askPermanent } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, cals, openSite } from './ten-steps/site.ts';

let site: Site;
let server: Machine;

before(async () => {
  site = await openSite(100);
  const url = await site.clearinghouse.serve();
  server = await site.addServer('LS-1', '--clearinghouse', url, '--volume', 'volume-1');
  await server.done('server', 'activate', '--agreement', agreement);
  await server.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '6');
  await server.serve();
});
after(() => site.close());

const counts = async (): Promise<readonly number[]> => {
  const [pack]: readonly (Pack | undefined)[] = (await server.status()).packs;
  return [pack?.installed ?? 0, pack?.issued ?? 0, pack?.unissued ?? 0, pack?.quarantined ?? 0];
};
/** Pages break their lines where they like. */
const onOneLine = (page: string): string => page.replaceAll(/\s+/g, ' ');
const pastOf = async () =>
  ((await server.status()) as Status & { past: { state: string; answer: object | null } | null }).past;
const copy = (): string => `${server.data}.copy`;

async function save(): Promise<void> {
  await server.kill();
  rmSync(copy(), { recursive: true, force: true });
  cpSync(server.data, copy(), { recursive: true });
  await server.serve();
}

async function putBack(): Promise<void> {
  await server.kill();
  rmSync(server.data, { recursive: true });
  cpSync(copy(), server.data, { recursive: true });
  await server.serve();
}

it('makes good what was issued since, says so, and gives it back to who shows it', async () => {
  await arrive(server.address, 'PC-1');
  await save();
  const second = await arrive(server.address, 'PC-2');
  await arrive(server.address, 'PC-3');
  await putBack();
  assert.deepEqual(await counts(), [6, 1, 3, 2]);
  const page = onOneLine(await server.page('server', 'status'));
  assert.match(page, /Database: an older one was put back/);
  assert.match(page, /Set aside: 2 CALs of ts-2012r2 per device, until/);
  const again = await askPermanent(server.address, 'PC-2', second);
  assert.deepEqual([again.unit, again.origin], [second.unit, second.origin]);
  assert.deepEqual(await counts(), [6, 2, 3, 1]);
  const { items } = await server.done<{ items: { id: number }[] }>('server', 'events');
  assert.ok(items.some(({ id }) => id === 5041));
  // The clearinghouse has taken it in: it grants what is bought next.
  await server.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '4');
  assert.deepEqual(await counts(), [10, 2, 7, 1]);
});

it('is in doubt where more has happened since, says what to do, and gives nobody new a license', async () => {
  await save();
  await server.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '5');
  await arrive(server.address, 'PC-4');
  await putBack();
  assert.deepEqual(await counts(), [10, 2, 0, 8]);
  const { refused } = await server.refused(...['server', 'return', ...cals, '--quantity', '1', '--code-out']);
  assert.equal(refused.code, 'server-in-doubt');
  await until('the clearinghouse has answered', async () => (await pastOf())?.answer ?? undefined);
  const page = onOneLine(await server.page('server', 'status'));
  assert.match(
    page,
    /In doubt: The database is an older one, and CALs were installed, moved or given back since/,
  );
  assert.match(page, /it has seen more/);
  assert.match(
    page,
    /calyx server rebuild --data \S+ --reason certificate-corrupt calyx server activate --data \S+ --agreement \d+ calyx server recover/,
  );
  assert.notEqual((await ask(server.address, 'PC-9')).body.kind, 'permanent');
});

it('is in doubt where the mark was taken away', async () => {
  const other = await site.addServer('LS-2', '--clearinghouse', site.clearinghouse.address);
  await other.done('server', 'activate', '--agreement', agreement);
  const folder = join(site.dir, 'instances', 'ls-2');
  const mark = readdirSync(folder).find((name) => name.endsWith('.high-water'));
  assert.ok(mark !== undefined);
  rmSync(join(folder, mark));
  const page = onOneLine(await other.page('server', 'status'));
  assert.match(page, /In doubt: The high-water mark beside the instance secret is missing or damaged/);
  assert.match(page, /Clearinghouse: nothing yet/);
});
