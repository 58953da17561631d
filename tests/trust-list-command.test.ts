/** `calyx clearinghouse trust-list`, as a publisher does it once a year: programs, files and a clock of their own. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { dayMs } from '../src/core/time.ts';
import { writeKeyFile } from '../src/platform/instance-secret.ts';
import { until } from './in-time.ts';
import { addPair, agreement, cals, openSite } from './ten-steps/site.ts';

interface View {
  readonly version: number;
  readonly renewalDue: boolean;
  readonly imported?: boolean;
}

it('the next list is signed with the root key, imported, and taken by a license server that had refused the mail', async () => {
  const site = await openSite(20, { clock: true });
  const { clearinghouse, bundle } = site;
  const { old } = await addPair(site, 5);
  const list = async (...words: readonly string[]): Promise<View> =>
    clearinghouse.done<View>('clearinghouse', 'trust-list', ...words);
  assert.deepEqual(await list('show').then(({ version, renewalDue }) => [version, renewalDue]), [1, false]);
  site.setClock(Date.now() + 401 * dayMs);
  const page = await clearinghouse.page('clearinghouse', 'trust-list', 'show');
  assert.match(page, /it has ended/);
  assert.match(
    page,
    /calyx clearinghouse trust-list sign --bundle publisher-bundle\.json --root-key root\.key/,
  );
  const order = ['--agreement', agreement, ...cals, '--quantity', '3'];
  assert.equal((await old.refused('server', 'install', ...order)).refused.code, 'message-untrusted');

  const folder = dirname(bundle);
  const next = site.file('next-bundle.json');
  const signing = ['sign', '--bundle', bundle, '--out', next];
  const strange = site.file('strange.key');
  writeKeyFile(strange, randomBytes(32));
  const wrong = ['--root-key', strange];
  const refused = await clearinghouse.refused('clearinghouse', 'trust-list', ...signing, ...wrong);
  assert.equal(refused.refused.code, 'message-untrusted');
  assert.equal((await list(...signing, '--root-key', join(folder, 'root.key'))).version, 2);
  assert.deepEqual(
    [(await list('import', next)).imported, (await list('import', next)).imported],
    [true, false],
  );
  assert.equal(readFileSync(bundle, 'utf8'), readFileSync(next, 'utf8'));

  // Its own service comes to the clearinghouse by itself; the CALs that were refused are in the mail still.
  const installed = await until('the CALs that were asked for are there', async () => {
    const [pack] = (await old.status()).packs;
    return pack?.installed === 8 ? pack : undefined;
  });
  assert.equal(installed.unissued, 8);
  const { items } = await old.done<{ items: readonly { id: number }[] }>('server', 'events');
  assert.equal(items.filter(({ id }) => id === 5047).length, 1);
  await site.close();
});
