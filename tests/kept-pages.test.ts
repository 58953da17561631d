/**
 * What an administrator sees after a move by telephone of a part, who asks why a CAL that was given back is not given
 * to the next: the rehearsal, the release, and every page on which that CAL stands say until when it is kept.
 */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { License, Told } from './ten-steps/answers.ts';
import { requestWords } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { agreement, cals, openSite, product, supplyByTelephone } from './ten-steps/site.ts';

interface Kept {
  readonly keptUntil: string | null;
}

const line = ['--agreement', agreement, ...cals];

let site: Site;
let old: Machine;
let to: string;

before(async () => {
  site = await openSite(10);
  const next = await site.addServer('LS-NEW');
  to = (await next.status()).licenseServerId;
  old = await site.addServer('LS-OLD', '--kit', site.kit);
  await supplyByTelephone(site, old, 2);
  await old.serve();
  for (const device of ['ws-1', 'ws-2']) {
    await site.calyx.done(...requestWords(site, old.address, device));
    const words = ['--server', old.address, '--product', product, '--device', device];
    await site.calyx.done('license', 'validate', ...words);
    const { kind } = await site.calyx.done<License>(...requestWords(site, old.address, device));
    assert.equal(kind, 'permanent');
  }
});

after(() => site.close());

/** A page as one line of words: where they break is no matter of this. */
const pageOf = async (...words: readonly string[]): Promise<string> =>
  (await old.page(...words)).replaceAll(/\s+/g, ' ');

const rehearse = (quantity: string) =>
  pageOf('server', 'move', '--to', to, ...line, '--quantity', quantity, '--freeze', '--dry-run');

it('tells it before, at the release and on each page afterwards, and promises nobody what may be somebody else’s', async () => {
  const reason =
    /no code of a move by telephone tells whose CALs went.*to nobody else before (\d{4}-\d\d-\d\d)/;
  assert.doesNotMatch(await pageOf('server', 'packs'), reason);
  assert.doesNotMatch(await pageOf('server', 'licenses'), /kept until/);
  assert.match(await rehearse('all'), /All of them go on working, and keep their CALs/);
  const part = await rehearse('1');
  assert.match(part, reason);
  assert.doesNotMatch(part, /and keep their CALs/);
  assert.match(part, /somebody who stays can be among them.*is served here again from \d{4}-/);

  const order = ['--to', to, ...line, '--quantity', '1'];
  await old.done('server', 'move', '--freeze', ...order);
  const told = await old.done<Told & Kept>('server', 'move', '--release', ...line);
  const day = told.keptUntil?.slice(0, 10);
  // Asked again, it is the code of before; what is kept is kept.
  assert.equal(reason.exec(await pageOf('server', 'move', '--release', ...line))?.[1], day);
  for (const page of [
    ['server', 'packs'],
    ['server', 'status'],
  ]) {
    assert.equal(reason.exec(await pageOf(...page))?.[1], day, page.join(' '));
  }
  const { items: packs } = await old.done<{ items: readonly Kept[] }>('server', 'packs');
  assert.deepEqual(
    packs.map(({ keptUntil }) => keptUntil),
    [told.keptUntil],
  );
  const { items } = await old.done<{ items: readonly (Kept & License)[] }>('server', 'licenses');
  assert.equal(items.length, 1);
  assert.equal(items[0]?.keptUntil, told.keptUntil);
  assert.match(await pageOf('server', 'licenses'), new RegExp(`CAL kept until.*${day}`));

  // Of the one that stayed its license ends as before; how long its CAL is kept is said beside it.
  const next = await old.done<{ moves: readonly (Kept & { holders: Kept & { lastLeaseEnd: string } })[] }>(
    ...['server', 'move', '--to', to, ...line, '--quantity', 'all', '--freeze', '--dry-run'],
  );
  assert.equal(next.moves[0]?.holders.lastLeaseEnd, items[0]?.expiresAt);
  assert.equal(next.moves[0]?.holders.keptUntil, told.keptUntil);
  assert.equal(next.moves[0]?.keptUntil, null);
});
