/**
 * Backups at random moments while licenses are given out and CALs installed, each put back a random while later, with the
 * identity of its server and without it: what comes of it is what protocol §5.2 says, no exception.
 */
import assert from 'node:assert/strict';
import { cpSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { it } from 'node:test';
import { readParts } from '../src/backup/kept-backups.ts';
import { makeBackup } from '../src/backup/make-backup.ts';
import { restoreBackup } from '../src/backup/restore-backup.ts';
import { conservesInstalled } from '../src/core/account.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import { systemRandom } from '../src/platform/random.ts';
import { openServerContext } from '../src/server/app.ts';
import { restorable } from '../src/server/app-restore.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import { listEvents, readStatus } from '../src/server/usecases/status.ts';
import { freeRangesOf } from '../src/store/high-water-rows.ts';
import { readProgress } from '../src/store/sqlite-copy.ts';
import type { Scene } from './backup/scene.ts';
import { makeScene, orderOf } from './backup/scene.ts';
import type { Running } from './world/acts.ts';
import { counts, install, permanent, sourceOf } from './world/acts.ts';
import { product, value } from './world/world.ts';

const moments = 300;
/** A backup is put back after as many others at most. */
const mostBetween = 8;
/** So many licenses are asked for in the time of each moment; after two of three the one before is given back. */
const asksPerMoment = 3;
/** CALs are installed now and then, after which an older database is not made good any more. */
const momentsPerInstall = 25;

/** Files in memory where the system has that: what a disk keeps of a sync is the matter of other tests. */
function useMemory(t: TestContext): void {
  const memory = '/dev/shm';
  const before = process.env['TMPDIR'];
  try {
    const { bavail, bsize } = statfsSync(memory);
    if (bavail * bsize < 50_000_000) return;
  } catch {
    return;
  }
  process.env['TMPDIR'] = memory;
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
}

interface Holder {
  readonly name: string;
  readonly license: LicenseAnswer;
}

/** What somebody was told of this server. */
interface Told {
  given: number;
  returned: number;
  /** Who has a license, in the order in which it was answered. */
  readonly living: Map<string, Holder>;
  going: boolean;
}

interface Kept {
  readonly name: string;
  readonly file: string;
  readonly installed: number;
  readonly issued: number;
  readonly journal: number;
  /** How many licenses had been answered before it began. */
  readonly givenBefore: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks for licenses and gives some back, as long as there are moments that let it. */
async function load(
  scene: Scene,
  told: Told,
  of: { readonly name: string; readonly allowed: () => number },
): Promise<void> {
  const { server } = scene;
  const names: string[] = [];
  for (let at = 0; told.going; at += 1) {
    while (told.going && told.given >= of.allowed()) await pause(1);
    await pause(Math.random() * 40);
    const name = `${of.name}-${at}`;
    const license = await permanent(server, name);
    told.given += 1;
    told.living.set(name, { name, license });
    names.push(name);
    if (at % 3 === 0) continue;
    const holder = names.splice(Math.floor(Math.random() * names.length), 1)[0] ?? name;
    // Nobody knows, before it is answered, whether it has a license still.
    told.living.delete(holder);
    value(await returnLicense(server.context, { product, type: 'device', holder }));
    told.returned += 1;
  }
}

async function backUp(scene: Scene, told: Told, at: number): Promise<Kept> {
  const before = { ...told };
  const name = `backup-${at}`;
  const order = orderOf(scene, name);
  const parts = readParts(scene.home, ['config.json', 'license-server.key']);
  const { manifest } = await makeBackup({ ...order, parts }, () => undefined);
  const [line] = manifest.lines;
  assert.ok(line);
  const { issued, installed } = line;
  // Two answers of each load may have been under way when it began, and when it ended.
  const between = JSON.stringify({ issued, before, after: told }, ['issued', 'given', 'returned']);
  assert.ok(issued >= before.given - told.returned - 3, between);
  assert.ok(issued <= told.given - before.returned + 3, between);
  const journal = manifest.journals.find(({ log }) => log === 'server')?.size ?? 0;
  return { name, file: order.file, installed, issued, journal, givenBefore: before.given };
}

/** Restores it into a new folder, which is opened for `look` and removed. */
async function restored(
  scene: Scene,
  kept: Kept,
  of: { readonly dir: string; readonly look: (server: Running) => Promise<void> },
): Promise<void> {
  const { clock } = scene.world;
  const { dir } = of;
  const order = { file: kept.file, identities: scene.identities, dir, instanceDir: `${dir}.instance` };
  const { verified, done } = await restoreBackup({
    ...{ ...order, of: restorable, rehearse: false, clock, random: systemRandom },
  });
  assert.deepEqual([verified.findings, done === null], [[], false]);
  const { head, lines } = readProgress(join(dir, 'license-server.db'), nodeDigest);
  assert.equal(head.size, kept.journal);
  assert.ok(lines.every(conservesInstalled));
  const server = await openServerContext(dir, { clock });
  try {
    await of.look(server);
  } finally {
    const { backups, store, signer } = server.context;
    for (const each of [backups, store, signer]) await each.close();
    for (const each of [dir, `${dir}.instance`]) rmSync(each, { recursive: true });
  }
}

/** Whether a CAL may be given out next. */
function freeIn({ context }: Running): (unit: number | null) => boolean {
  const ranges = freeRangesOf(context.store.committed());
  return (unit) => unit !== null && ranges.some(({ first, last }) => first <= unit && unit <= last);
}

/** On the same machine, with its secret and the mark as it is by now. Answers what became of its past. */
async function onSame(scene: Scene, told: Told, kept: Kept): Promise<string> {
  const dir = join(scene.folder, `same-${kept.name}`);
  cpSync(`${scene.home}.instance`, `${dir}.instance`, { recursive: true });
  const { mark } = scene.server.context.cache;
  assert.ok(mark);
  const [living, given] = [[...told.living.values()], told.given];
  let state = 'ok';
  await restored(scene, kept, {
    dir,
    look: async (server) => {
      const { past, licenseServerId } = await readStatus(server.context);
      assert.equal(licenseServerId, scene.server.context.licenseServerId);
      const [installed, issued, unissued = 0, held, reserved, quarantined] = await counts(server);
      const rest = kept.installed - kept.issued;
      assert.deepEqual([installed, issued, held, reserved], [kept.installed, kept.issued, 0, 0]);
      assert.equal(unissued + (quarantined ?? 0), rest);
      const isNewest = mark.logSize === kept.journal;
      const isSame = mark.lines[0]?.installed === kept.installed;
      const expected = isSame ? ['restored', null] : ['doubted', 'rights-changed'];
      state = past?.state ?? 'ok';
      assert.deepEqual([state, past?.reason ?? null], isNewest ? ['ok', null] : expected);
      if (state === 'ok') assert.equal(quarantined, 0);
      if (state === 'doubted') assert.equal(unissued, 0);
      // Three may have been given that were not answered yet.
      else assert.ok(unissued >= rest - (given + 3 - kept.givenBefore), `${unissued} of ${rest}`);
      const isFree = freeIn(server);
      for (const { name, license } of living) assert.ok(!isFree(license.unit), `CAL of ${name}`);
      const last = living.at(-1);
      assert.ok(last);
      const back = await permanent(server, last.name, sourceOf(last.license));
      assert.deepEqual([back.unit, back.origin], [last.license.unit, last.license.origin]);
      const stranger = await permanent(server, 'STRANGER');
      assert.equal(stranger.kind, state === 'doubted' ? 'temporary' : 'permanent');
      if (stranger.unit !== null) {
        assert.ok(!living.some(({ license }) => license.unit === stranger.unit), 'a CAL that somebody has');
      }
    },
  });
  return state;
}

/** On a machine without its secret: a new license server, nothing unissued, the count in event 26, the holders known. */
async function onReplaced(scene: Scene, kept: Kept): Promise<void> {
  await restored(scene, kept, {
    dir: join(scene.folder, `replaced-${kept.name}`),
    look: async (server) => {
      const { context } = server;
      const status = await readStatus(context);
      const before = scene.server.context.licenseServerId;
      assert.notEqual(status.licenseServerId, before);
      assert.deepEqual([status.packs, status.past], [[], null]);
      const [made, ...others] = status.successions;
      const unissued = kept.installed - kept.issued;
      assert.deepEqual([made?.from, made?.cause, others], [before, 'system-replaced', []]);
      assert.partialDeepStrictEqual(made?.lines, [
        { installed: kept.installed, unissued, restored: kept.issued },
      ]);
      const { items } = await listEvents(context, { cursor: '', limit: 100 });
      const told = items.filter(({ id }) => id === 26).map(({ data }) => [data['count'], data['server']]);
      assert.deepEqual(told, [[unissued, before]]);
      for (const name of ['PC-0', 'STRANGER']) {
        assert.equal((await permanent(server, name)).kind, 'temporary', name);
      }
    },
  });
}

it(`${moments} backups at random moments under load, put back with and without the identity of their server`, async (t) => {
  useMemory(t);
  const scene = await makeScene(5, 700);
  t.after(() => scene.close());
  const told: Told = { given: 5, returned: 0, living: new Map(), going: true };
  let at = 0;
  const allowed = (): number => 5 + asksPerMoment * (at + 1);
  const loads = ['A', 'B', 'C'].map((name) => load(scene, told, { name, allowed }));
  const kept: Kept[] = [];
  const states: Record<string, number> = {};
  const putBackOne = async (): Promise<void> => {
    const [one] = kept.splice(Math.floor(Math.random() * kept.length), 1);
    assert.ok(one);
    const state = await onSame(scene, told, one);
    states[state] = (states[state] ?? 0) + 1;
    await onReplaced(scene, one);
    rmSync(one.file);
  };
  for (; at < moments; at += 1) {
    await pause(Math.random() * 10);
    if (at % momentsPerInstall === momentsPerInstall - 1)
      await install(scene.world, scene.server, { quantity: 10 });
    kept.push(await backUp(scene, told, at));
    if (kept.length > mostBetween || Math.random() < 0.3) await putBackOne();
  }
  told.going = false;
  await Promise.all(loads);
  while (kept.length > 0) await putBackOne();
  t.diagnostic(`${told.given} given, ${told.returned} returned; ${JSON.stringify(states)}`);
  assert.equal(
    Object.values(states).reduce((sum, count) => sum + count),
    moments,
  );
  assert.ok((states['restored'] ?? 0) > moments / 3 && (states['doubted'] ?? 0) > moments / 30);
  assert.ok(told.given > 2 * moments, 'there was a load');
});
