/**
 * A license server that dies, with real processes: killed and its data folder deleted, its CALs come to another
 * one when its horizon has passed; and then it is brought back from a copy (protocol §2.5).
 */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { readPayload } from '../src/protocol/paseto.ts';
import { until } from './in-time.ts';
import type { DeskAnswer, License, Status } from './ten-steps/answers.ts';
import { arrive, ask, askPermanent } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { addPair, agreement, cals, expectBooks, openSite, readBooks } from './ten-steps/site.ts';

const statement = 'Ann Lee: the machine burnt down';
const names = ['pc-1', 'pc-2', 'pc-3', 'pc-4'];

interface Rehearsed {
  readonly statement: { readonly by: string } | null;
  readonly target: { readonly granted: { readonly reserved: number } };
  readonly clearinghouse: { readonly dead: { readonly units: number } };
  readonly answers: { readonly reached: boolean; readonly url: string | null };
}

interface DeskMove {
  readonly id: string;
  readonly state: string;
  readonly awaited: { readonly from: string; readonly text: string };
  readonly deadSource: {
    readonly statement: string;
    readonly horizon: string;
    readonly opensAt: string;
    readonly sourceSeenAt: string | null;
    readonly sourceSaid: string | null;
  };
}

describe('a license server that dies', () => {
  let site: Site;
  let old: Machine;
  let next: Machine;
  let oldId = '';
  let held: readonly License[] = [];

  before(async () => {
    site = await openSite(100, { clock: true });
    ({ old, next } = await addPair(site, 20));
    const licenses: License[] = [];
    for (const name of names) licenses.push(await arrive(old.address, name));
    held = licenses;
    oldId = (await old.status()).licenseServerId;
  });
  after(() => site.close());

  const deskMoves = async (): Promise<readonly DeskMove[]> =>
    (await site.clearinghouse.done<{ items: readonly DeskMove[] }>('desk', 'moves')).items;
  const deadWords = (): readonly string[] => [
    ...['server', 'move', '--from', oldId, '--reason', 'dead', '--agreement', agreement, ...cals],
    ...['--quantity', 'all', '--statement', statement],
  ];

  it('is rehearsed first: what would come of it, and that the source answers after all', async () => {
    const rehearsal = [...deadWords().slice(0, -2), '--dry-run'];
    const before = await readBooks(site, [old, next]);
    // Where clients reach it is told with its next contact, which its service makes by itself.
    await old.done('server', 'address', old.address);
    const move = await until('its address is known at the clearinghouse', async () => {
      const [told] = (await next.done<{ moves: readonly Rehearsed[] }>(...rehearsal)).moves;
      return told?.answers.url === null ? undefined : told;
    });
    const { clearinghouse, target, answers, statement: said } = move;
    assert.deepEqual([clearinghouse.dead.units, target.granted.reserved, said], [20, 20, null]);
    assert.deepEqual([answers.reached, answers.url], [true, old.address]);
    const page = (await next.page(...rehearsal)).replaceAll(/\s+/g, ' ');
    for (const shown of [
      /nothing was changed/,
      /All 20 CALs of ts-2012r2 per device on license server .* would come here/,
      /while it waits 80 0 0 0 20/,
      /when they are here 20 0 0 0 20/,
      /Statement: still to be given/,
      /Source answers: yes, at .* Move its CALs from there instead/,
      /Units at risk then: 20/,
      /2 left for this agreement/,
    ]) {
      assert.match(page, shown);
    }
    assert.deepEqual(await readBooks(site, [old, next]), before);
    assert.deepEqual(await deskMoves(), []);
  });

  it('is killed, its folder is gone, and it is declared dead on the server that takes its place', async () => {
    await old.kill();
    cpSync(old.data, site.file('copy'), { recursive: true });
    rmSync(old.data, { recursive: true });
    const ends = ['--agreement', agreement, '--from', oldId, '--to', (await next.status()).licenseServerId];
    const entered = ['desk', 'move', ...ends, ...cals, '--quantity', 'all', '--reason', 'dead', '--dry-run'];
    const rehearsed = (await site.clearinghouse.page(...entered)).replaceAll(/\s+/g, ' ');
    assert.match(rehearsed, /20 CALs of ts-2012r2 per device would move.*Early release: .*2 left/);
    const wordless = [...deadWords().slice(0, -1), 'it burnt down'];
    assert.equal((await next.refused(...wordless)).refused.code, 'invalid-input');
    const declared = await next.done<{ id: string; state: string }>(...deadWords());
    assert.equal(declared.state, 'dead-wait');
    const page = (await next.page('server', 'move', '--status')).replaceAll(/\s+/g, ' ');
    assert.match(page, /dead-wait/);
    const [move] = await deskMoves();
    assert.ok(move);
    assert.deepEqual([move.id, move.state], [declared.id, 'dead-wait']);
    assert.equal(move.deadSource.statement, 'the machine burnt down');
    assert.match(move.awaited.text, new RegExp(move.deadSource.horizon.slice(0, 10)));
    const desk = (await site.clearinghouse.page('desk', 'moves')).replaceAll(/\s+/g, ' ');
    assert.match(desk, /Ann Lee: the machine burnt down/);
    const books = await readBooks(site, [next]);
    assert.deepEqual(books.clearinghouse, [100, 80, 0, 0, 20, 0]);
  });

  it('has holders who work on: the target bridges the gap, once for each', async () => {
    for (const [index, name] of names.entries()) {
      const { status, body } = await ask(next.address, name, held[index]);
      assert.deepEqual([status, body.kind], [201, 'temporary'], JSON.stringify(body));
    }
    assert.equal((await ask(next.address, 'pc-9', held[0])).body.kind, 'temporary');
    const { gap } = await next.done<Status & { gap: number }>('server', 'status');
    assert.equal(gap, names.length);
  });

  it('can be released earlier by a second person only', async () => {
    const [move] = await deskMoves();
    const refused = await site.clearinghouse.refused('desk', 'approve', move?.id ?? '', '--by', 'Ann Lee');
    assert.equal(refused.refused.code, 'approval-same-person');
  });

  it('loses its CALs when its horizon has passed, and the target has all of them', async () => {
    const [move] = await deskMoves();
    site.setClock(Date.parse(move?.deadSource.horizon ?? '') + 60_000);
    await until('the target has the CALs', async () => {
      const { packs } = await next.get<Status>('/v1/admin/status');
      return packs[0]?.installed === 20 ? true : undefined;
    });
    await until('the move is finished', async () =>
      (await deskMoves())[0]?.state === 'closed' ? true : undefined,
    );
    // A source that lived on may have given units to others, and their leases still run: the holders work on
    // with what bridges the gap, and show nothing for it.
    for (const name of names) {
      const { status, body } = await ask(next.address, name);
      assert.deepEqual([body.kind, status < 300], ['temporary', true], name);
    }
    await expectBooks(site, [next], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-NEW': [20, 0, 0, 0, 20, 0],
    });
  });

  it('can have no holder left 89 days after that, and each has the CAL again that it had', async () => {
    const [move] = await deskMoves();
    site.setClock(Date.parse(move?.deadSource.opensAt ?? '') + 60_000);
    await until('the CALs are for everybody', async () => {
      const { packs } = await next.get<Status>('/v1/admin/status');
      return packs[0]?.unissued === 20 ? true : undefined;
    });
    for (const [index, name] of names.entries()) {
      const license = await askPermanent(next.address, name);
      assert.equal(license.origin, held[index]?.origin);
    }
    await expectBooks(site, [next], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-NEW': [20, 4, 16, 0, 0, 0],
    });
  });

  it('is brought back from a copy: fenced, told why, and what it said is kept', async () => {
    cpSync(site.file('copy'), old.data, { recursive: true });
    await old.serve();
    await until('the old server is closed', async () => {
      const { activation } = await old.get<Status>('/v1/admin/status');
      return activation === 'deactivated' ? true : undefined;
    });
    const nextId = (await next.status()).licenseServerId;
    for (const name of names) {
      // Their leases have ended here long ago: whoever asks is told, signed, where the CALs are.
      const { status, body } = await ask(old.address, name);
      assert.equal(body.code, 'deactivated', `${status} ${JSON.stringify(body)}`);
      const { referral } = body['details' as keyof typeof body] as unknown as { referral: string };
      assert.equal(readPayload(referral)?.['target'], nextId);
    }
    const events = await old.page('server', 'events');
    assert.match(events.replaceAll(/\s+/g, ' '), /5032.*declared to function no longer/);
    const [move] = await deskMoves();
    assert.notEqual(move?.deadSource.sourceSeenAt, null);
    assert.match(move?.deadSource.sourceSaid ?? '', /generation 1.*journal of \d+ entries/);
    const activating = await old.refused('server', 'activate', '--agreement', agreement);
    assert.equal(activating.refused.code, 'server-declared-dead');
    const horizon = ['desk', 'horizon', '--agreement', agreement, '--server-id', oldId];
    assert.equal((await site.clearinghouse.refused(...horizon)).refused.code, 'server-declared-dead');
    await expectBooks(site, [old, next], {
      clearinghouse: [100, 80, 20, 0, 0, 0],
      'LS-OLD': [0, 0, 0, 0, 0, 0],
      'LS-NEW': [20, 4, 16, 0, 0, 0],
    });
    const desk: DeskAnswer = await site.clearinghouse.done(
      ...['desk', 'repeat', '--agreement', agreement, '--server-id', nextId],
    );
    assert.ok(Array.isArray(desk.codes));
    await old.stop();
  });
});
