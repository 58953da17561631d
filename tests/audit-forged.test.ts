/**
 * What a license server adds behind the last size that anybody has cosigned, under its own key: no hash and
 * no signature tells, and the books balance. Nothing but what entries mean can tell.
 */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Posting } from '../src/core/ledger.ts';
import { dayMs } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import type { Bundles } from './audit/bundles.ts';
import { auditOf, clearinghouseBundle, codesOf, serverBundle } from './audit/bundles.ts';
import type { Forged } from './audit/forge.ts';
import { entriesOf, forgeTail } from './audit/forge.ts';
import * as acts from './world/acts.ts';
import { agreement, makeWorld } from './world/world.ts';

const line = `${agreement}/0`;
const here = { agreement, line: 0 };
const transfer = (from: string, to: string, amount = 1): Posting => ({
  ...{ kind: 'transfer', debit: `${line}/${from}`, credit: `${line}/${to}`, amount },
});

describe('entries that a license server has added', () => {
  let sound: Bundles = {};
  let old: OpenServer | undefined;
  let telephone: Uint8Array = new Uint8Array(0);
  let [atMs, unit, until] = [0, 0, 0];
  let issued: Forged = { kind: '', at: 0, body: {}, postings: [] };

  before(async () => {
    const world = await makeWorld(50);
    old = await world.addServer('LS-OLD', { connected: true });
    await acts.connect(old, 4);
    await acts.permanents(old, ['ws-1', 'ws-2']);
    await acts.contact(old);
    const alone = await world.addServer('LS-ALONE', { kit: true });
    await acts.setUp(world, alone, 5);
    telephone = await serverBundle(alone);
    sound = { old: await serverBundle(old), ch: await clearinghouseBundle(world.clearinghouse) };
    [issued = issued] = entriesOf(sound['old'] ?? telephone, 'issued');
    atMs = issued.at;
    unit = Number(issued.body['unit']);
    until = Number(issued.body['until']);
    await world.close();
  });

  /** The codes of what is found with these entries at the end of the journal. */
  function found(entries: readonly Forged[], level: 'break' | 'not-shown' = 'break'): readonly string[] {
    const { old: bundle = telephone, ch = telephone } = sound;
    assert.ok(old !== undefined);
    const result = auditOf({ old: forgeTail(bundle, old.context.key, { entries }), ch });
    assert.equal(result.verdict, level === 'break' ? 'broken' : 'ok');
    return codesOf(result, level);
  }

  const entry = (kind: string, body: Forged['body'], postings: readonly Posting[]): Forged => ({
    ...{ kind, at: atMs, body, postings },
  });
  const installs = (to: string, amount: number): Forged => ({
    ...entry(
      'installed',
      { agreement: to.split('/')[0] ?? '', line: Number(to.split('/')[1]), aid: 'x' },
      [],
    ),
    postings: [{ kind: 'transfer', debit: `${to}/installed`, credit: `${to}/unissued`, amount }],
  });
  const other = 'A'.repeat(43);

  it('are none: the bundle is sound, and the one of the telephone is named as missing', () => {
    assert.deepEqual(found([], 'not-shown'), ['server-not-shown']);
  });

  it('are found where a unit is free for others before its lease has ended', () => {
    const free = entry('expired', { ...here, units: [unit] }, [transfer('issued', 'unissued')]);
    const again = entry('issued', { ...issued.body, sub: other }, [transfer('unissued', 'issued')]);
    assert.deepEqual(found([free, again]), ['lease-runs']);
    assert.deepEqual(found([{ ...free, at: until }, again], 'not-shown'), [
      'dates-doubtful',
      'server-not-shown',
    ]);
  });

  it('are not shown to be right by an export that is dated when the lease has ended', () => {
    const { old: bundle = telephone, ch = telephone } = sound;
    assert.ok(old !== undefined);
    const free = entry('expired', { ...here, units: [unit] }, [transfer('issued', 'unissued')]);
    const forged = forgeTail(bundle, old.context.key, { entries: [{ ...free, at: until }], at: until });
    assert.ok(codesOf(auditOf({ old: forged, ch }), 'not-shown').includes('exported-later'));
  });

  it('are found where somebody holds a unit, and the books have spent none', () => {
    const free = { ...issued.body, unit: 3, origin: `${old?.context.licenseServerId}/3`, sub: other };
    assert.deepEqual(found([entry('issued', free, [])]), ['holders-differ']);
    assert.deepEqual(found([entry('taken-over', free, [])]), ['holders-differ']);
    assert.deepEqual(found([entry('renewed', free, [])]), ['holder-unknown', 'holders-differ']);
  });

  it('are found where a lease is longer than there are', () => {
    const long = { ...issued.body, until: atMs + 14_600 * dayMs };
    assert.deepEqual(found([entry('renewed', long, [])]), ['lease-too-long']);
  });

  it('are found where units come in of a line, or of an agreement, that nobody sold', () => {
    assert.deepEqual(found([installs(`${agreement}/7`, 500)]), [
      'installed-not-granted',
      'more-than-committed',
    ]);
    assert.deepEqual(found([installs('FAKE-1/0', 500)]), ['agreement-unknown']);
  });

  it('are found where units come in without an installation, and go again', () => {
    const back = [
      entry('repaired', here, [transfer('installed', 'unissued', 3)]),
      entry('repaired', here, [transfer('unissued', 'installed', 3)]),
    ];
    assert.deepEqual(found(back), ['installed-by-other', 'installed-not-granted']);
  });

  it('are not found where they are dated after the clearinghouse was exported, and that is said', () => {
    const later = { ...installs(line, 5), at: atMs + dayMs / 48 };
    assert.deepEqual(found([later], 'not-shown'), [
      'installed-not-granted',
      'more-than-committed',
      'server-not-shown',
    ]);
  });

  it('are not what is missing: by itself a server of the telephone says whose journal is', () => {
    const result = auditOf({ telephone });
    assert.equal(result.verdict, 'ok');
    assert.deepEqual(codesOf(result, 'not-shown'), ['agreement-not-shown']);
  });
});
