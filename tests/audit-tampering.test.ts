/** Whatever is done to bundles, or to the databases before they are exported, is found. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { openClearinghouse } from '../src/clearinghouse/app.ts';
import type { SigningKey } from '../src/protocol/paseto.ts';
import { openServer } from '../src/server/app.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import type { Bundles } from './audit/bundles.ts';
import { auditOf, clearinghouseBundle, codesOf, serverBundle } from './audit/bundles.ts';
import { forgeTail } from './audit/forge.ts';
import type { Written } from './audit/rewrite.ts';
import { rewriteJournal, withDatabase } from './audit/rewrite.ts';
import * as acts from './world/acts.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

/** A world after a move of 3 of 4 units, with two holders; everybody has contacted since. */
async function movedWorld() {
  const world = await makeWorld(50, { kit: false });
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(old, 4);
  await acts.connect(next, 0);
  await acts.permanents(old, ['ws-1', 'ws-2']);
  const what = { agreement, product, type: 'device', quantity: 3, reason: 'replaced', hold: false } as const;
  value(await startMove(old.context, { ...what, to: acts.idOf(next) }));
  for (let round = 0; round < 5; round += 1) await acts.contact(old, next);
  return { world, old, next };
}

/** A number from 0 to below `limit`, the same in every run. */
function drawer(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

describe('a bundle that was altered', () => {
  let sound: Bundles = {};
  let key: SigningKey | undefined;
  before(async () => {
    const { world, old, next } = await movedWorld();
    key = next.context.key;
    sound = {
      old: await serverBundle(old),
      next: await serverBundle(next),
      ch: await clearinghouseBundle(world.clearinghouse),
    };
    await world.close();
    for (const [name, bytes] of Object.entries(sound)) {
      assert.equal(auditOf({ [name]: bytes }).verdict, 'ok', 'each is sound by itself');
    }
    assert.equal(auditOf(sound).verdict, 'ok');
  });

  const isFound = (bytes: Uint8Array, what: string): void => {
    assert.equal(auditOf({ altered: bytes }).verdict, 'broken', what);
  };

  it('is found with any one byte changed, wherever in the smallest', () => {
    const draw = drawer(1);
    const bytes = sound['next'] ?? new Uint8Array(0);
    for (let at = 0; at < bytes.length; at += 1) {
      const altered = Uint8Array.from(bytes);
      altered[at] = (bytes[at] ?? 0) ^ (1 + draw(255));
      isFound(altered, `byte ${at}`);
    }
  });

  it('is found with one byte changed, dropped or added, at 3,000 places of the others', () => {
    const draw = drawer(2);
    for (let round = 0; round < 3000; round += 1) {
      const bytes = sound[round % 2 === 0 ? 'ch' : 'old'] ?? new Uint8Array(0);
      const at = draw(bytes.length);
      const how = draw(4);
      const kept = how === 0 ? [] : [(bytes[at] ?? 0) ^ (how === 1 ? 0 : 1 << draw(8))];
      const added = how === 1 ? [[0x20, 0x0a, 0x30, bytes[at] ?? 0][draw(4)] ?? 0] : [];
      const altered = Uint8Array.from([
        ...bytes.subarray(0, at),
        ...added,
        ...kept,
        ...bytes.subarray(at + 1),
      ]);
      isFound(altered, `round ${round}: byte ${at}, ${['dropped', 'added', 'changed', 'changed'][how]}`);
    }
  });

  it('is found with any line dropped, doubled, exchanged with the next, or the rest cut off', () => {
    for (const bytes of Object.values(sound)) {
      const lines = Buffer.from(bytes).toString('utf8').slice(0, -1).split('\n');
      const found = (altered: readonly string[], what: string): void =>
        isFound(Buffer.from(`${altered.join('\n')}\n`), what);
      for (const [at, line] of lines.entries()) {
        found(lines.toSpliced(at, 1), `without line ${at}`);
        found(lines.toSpliced(at, 0, line), `line ${at} twice`);
        if (at > 0)
          found(lines.toSpliced(at - 1, 2, line, lines[at - 1] ?? ''), `line ${at} before its time`);
        if (at > 0) found(lines.slice(0, at), `cut before line ${at}`);
      }
      isFound(bytes.subarray(0, -1), 'without its last line feed');
      isFound(Uint8Array.from([...bytes, 0x0a]), 'with an empty line at its end');
      isFound(Buffer.from(`${lines.join('\r\n')}\r\n`), 'with other line ends');
    }
    isFound(new Uint8Array(0), 'nothing');
  });

  it('is found with documents, journals and manifest of different bundles', () => {
    const linesOf = (name: string): string[] =>
      Buffer.from(sound[name] ?? [])
        .toString('utf8')
        .split('\n');
    const [one, other] = [linesOf('old'), linesOf('next')];
    for (const at of [0, 1, 2, 3]) {
      const line = other[at] ?? '';
      // Both have the same trust list.
      if (line !== one[at]) isFound(Buffer.from(one.with(at, line).join('\n')), `line ${at} of another`);
    }
  });

  it('is found beside a sound one of the same journal, whichever goes further', () => {
    const { next = new Uint8Array(0), old = new Uint8Array(0) } = sound;
    assert.deepEqual(codesOf(auditOf({ one: next, two: next }), 'note'), ['bundle-earlier']);
    const lines = Buffer.from(old).toString('utf8').split('\n');
    const altered = lines.map((line) => line.replace('"name":"LS-OLD"', '"name":"LS-ODD"'));
    assert.notDeepEqual(altered, lines);
    for (const [one, other] of [
      [old, Buffer.from(altered.join('\n'))],
      [Buffer.from(altered.join('\n')), old],
    ] as const) {
      assert.deepEqual(codesOf(auditOf({ one, other }), 'break'), ['root-differs']);
    }
  });

  it('is found beside another that its owner signed, of the same journal with another past', () => {
    const { next = new Uint8Array(0) } = sound;
    assert.ok(key !== undefined);
    const entry = { kind: 'name', at: 1_800_000_000_000, body: {}, postings: [] };
    const [one, two] = [{ ...entry }, { ...entry, body: { other: true } }];
    const short = forgeTail(next, key, { entries: [one] });
    const long = forgeTail(next, key, { entries: [two, two] });
    assert.equal(auditOf({ short }).verdict, 'ok');
    assert.equal(auditOf({ long }).verdict, 'ok');
    assert.deepEqual(codesOf(auditOf({ short, long }), 'break'), ['root-differs']);
    assert.equal(auditOf({ short, long: forgeTail(next, key, { entries: [one, two] }) }).verdict, 'ok');
  });
});

type Moved = Awaited<ReturnType<typeof movedWorld>>;

/** Bundles after the past of one database was rewritten, with every hash and signature made right again. */
async function rewritten(
  moved: Moved,
  of: { readonly who: 'LS-OLD' | 'LS-NEW' | 'ch'; readonly forget: boolean },
  edit: (entries: readonly Written[]) => readonly Written[],
): Promise<Bundles> {
  const { world, old, next } = moved;
  const bundles: Record<string, Uint8Array> = {
    old: await serverBundle(old),
    next: await serverBundle(next),
    ch: await clearinghouseBundle(world.clearinghouse),
  };
  const dir = join(world.dir, of.who);
  await world.clearinghouse.close();
  await old.close();
  await next.close();
  const file = join(dir, of.who === 'ch' ? 'clearinghouse.db' : 'license-server.db');
  rewriteJournal(file, of.who === 'ch' ? agreement : 'server', edit);
  if (of.forget) withDatabase(file, (db) => db.exec('delete from checkpoints'));
  if (of.who === 'ch') {
    const forger = await openClearinghouse(dir, { clock: world.clock });
    bundles['ch'] = await clearinghouseBundle(forger);
    await forger.close();
  } else {
    const forger = await openServer(dir, { clock: world.clock });
    bundles[of.who === 'LS-OLD' ? 'old' : 'next'] = await serverBundle(forger);
    await forger.close();
  }
  return bundles;
}

describe('a past that its owner has rewritten and signed anew', () => {
  const twice = (entries: readonly Written[]): readonly Written[] => {
    const issued = entries.find(({ kind }) => kind === 'issued');
    assert.ok(issued !== undefined);
    const body = { ...issued.body, sub: 'A'.repeat(43) };
    const at = entries.indexOf(issued);
    return entries.toSpliced(at + 1, 0, { ...issued, id: 'forged', body });
  };

  it('is found by the cosignature that it kept, whatever it says', async () => {
    const said = (entries: readonly Written[]) =>
      entries.map((entry) =>
        entry.kind === 'made' ? { ...entry, body: { ...entry.body, name: 'LS-X' } } : entry,
      );
    const bundles = await rewritten(await movedWorld(), { who: 'LS-OLD', forget: false }, said);
    assert.ok(
      codesOf(auditOf({ old: bundles['old'] ?? new Uint8Array(0) }), 'break').includes('root-differs'),
    );
  });

  it('is found by the cosignature of the other side where it has thrown its own away', async () => {
    const said = (entries: readonly Written[]) =>
      entries.map((entry) =>
        entry.kind === 'made' ? { ...entry, body: { ...entry.body, name: 'LS-X' } } : entry,
      );
    const bundles = await rewritten(await movedWorld(), { who: 'LS-OLD', forget: true }, said);
    const { old = new Uint8Array(0) } = bundles;
    assert.equal(
      auditOf({ old }).verdict,
      'ok',
      'alone it cannot be found, and says that nobody witnessed it',
    );
    assert.equal(auditOf({ old }).journals[0]?.witnessed, 0);
    assert.ok(
      codesOf(auditOf(bundles), 'break').some((code) => code === 'root-differs' || code === 'split-view'),
    );
  });

  it('is found at the clearinghouse by what its servers have cosigned', async () => {
    const said = (entries: readonly Written[]) =>
      entries.map((entry) => (entry.kind === 'move-started' ? { ...entry, at: 0 } : entry));
    const bundles = await rewritten(await movedWorld(), { who: 'ch', forget: true }, said);
    const result = auditOf(bundles);
    assert.ok(codesOf(result, 'break').includes('root-differs'), JSON.stringify(result.findings));
  });

  it('with one unit given to two holders is found by that alone', async () => {
    const bundles = await rewritten(await movedWorld(), { who: 'LS-OLD', forget: true }, (entries) => {
      const forged = twice(entries);
      return forged.map((entry) => (entry.id === 'forged' ? { ...entry, postings: [] } : entry));
    });
    assert.deepEqual(codesOf(auditOf({ old: bundles['old'] ?? new Uint8Array(0) }), 'break'), ['unit-twice']);
  });

  it('without the release of a move is found by the receipt that the clearinghouse has', async () => {
    const { world, old, next } = await movedWorld();
    const without = (entries: readonly Written[]) =>
      entries.filter(({ kind }) => kind !== 'released' && kind !== 'received-release');
    const bundles = await rewritten({ world, old, next }, { who: 'LS-OLD', forget: true }, without);
    const codes = codesOf(auditOf(bundles), 'break');
    for (const code of ['release-missing', 'credited-not-given-up']) assert.ok(codes.includes(code), code);
  });

  it('without a grant is found by what was installed', async () => {
    const without = (entries: readonly Written[]) => entries.filter(({ kind }) => kind !== 'granted');
    const bundles = await rewritten(await movedWorld(), { who: 'ch', forget: true }, without);
    const codes = codesOf(auditOf(bundles), 'break');
    for (const code of ['not-conserved', 'installed-not-granted', 'position-not-granted']) {
      assert.ok(codes.includes(code), code);
    }
  });

  it('with more bought than was sold, or units out of nothing, is found', async () => {
    const more = (entries: readonly Written[]): readonly Written[] => {
      const [first] = entries;
      assert.ok(first !== undefined);
      return [...entries, { ...first, id: 'forged', kind: 'horizon' }];
    };
    const bundles = await rewritten(await movedWorld(), { who: 'ch', forget: true }, more);
    assert.ok(codesOf(auditOf(bundles), 'break').includes('entitled-by-other'));
  });
});

describe('a database that was edited and then exported', () => {
  async function edited(sql: string): Promise<readonly string[]> {
    const { world, old, next } = await movedWorld();
    await old.close();
    withDatabase(join(world.dir, 'LS-OLD', 'license-server.db'), (db) => db.exec(sql));
    const again = await openServer(join(world.dir, 'LS-OLD'), { clock: world.clock });
    const old1 = await serverBundle(again);
    await again.close();
    await next.close();
    await world.clearinghouse.close();
    return codesOf(auditOf({ old: old1 }), 'break');
  }

  it('is found by its root: an entry in other words', async () => {
    const sql = `update journal set text = replace(text, '"held":1', '"held":2') where kind = 'frozen'`;
    assert.ok((await edited(sql)).includes('root-differs'));
  });

  it('is found by its root: an entry under another leaf', async () => {
    const sql = `update journal set text = replace(text, '"kind":"issued"', '"kind":"renewed"') where position = 3`;
    const codes = await edited(`${sql}; update journal set text = text || ' ' where position = 2`);
    assert.deepEqual(codes, ['entry-unreadable', 'root-differs']);
  });
});
