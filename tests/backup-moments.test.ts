/**
 * Backups at random moments while licenses are given out, each put back onto the same machine: a state that there was, whole,
 * with nothing that was answered before it missing.
 */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { readParts } from '../src/backup/kept-backups.ts';
import { makeBackup } from '../src/backup/make-backup.ts';
import { restoreBackup } from '../src/backup/restore-backup.ts';
import { conservesInstalled } from '../src/core/account.ts';
import type { Clock } from '../src/platform/clock.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import { systemRandom } from '../src/platform/random.ts';
import { openServer } from '../src/server/app.ts';
import { restorable } from '../src/server/app-restore.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { readProgress } from '../src/store/sqlite-copy.ts';
import { makeScene, orderOf } from './backup/scene.ts';
import { counts, permanent } from './world/acts.ts';
import { product, value } from './world/world.ts';

/** 300 of them take a minute or more. */
const moments = Number(process.env['CALYX_BACKUP_MOMENTS'] ?? 60);

/** What a server that is started there has: as many holders, and every other CAL unissued or set aside. Answers its past. */
async function lookIn(dir: string, of: { readonly clock: Clock; readonly issued: number }): Promise<string> {
  const opened = await openServer(dir, { clock: of.clock });
  try {
    const [installed, has, unissued = 0, held, reserved, quarantined = 0] = await counts(opened);
    assert.deepEqual([installed, has, held, reserved], [1000, of.issued, 0, 0]);
    assert.equal(unissued + quarantined, 1000 - of.issued);
    return (await readStatus(opened.context)).past?.state ?? 'ok';
  } finally {
    await opened.close();
  }
}

/** Another folder of the same machine: with its secret and its mark. */
function copyMachine(home: string, dir: string): void {
  cpSync(home, dir, { recursive: true, filter: (path) => !/lock\./.test(path) });
  const config = readFileSync(join(dir, 'config.json'), 'utf8');
  writeFileSync(join(dir, 'config.json'), config.replace(`${home}.instance`, `${dir}.instance`));
  cpSync(`${home}.instance`, `${dir}.instance`, { recursive: true });
}

it(`${moments} backups at random moments under load bring back a state that there was`, async (t) => {
  const scene = await makeScene(5, 1000);
  t.after(() => scene.close());
  const { server, home, folder } = scene;
  /** Licenses that were answered as given, and as returned, so far. */
  const done = { given: 5, returned: 0 };
  let going = true;
  const load = async (name: string): Promise<void> => {
    for (let at = 0; going && done.given < 1500; at += 1) {
      const holder = `${name}-${at}`;
      await permanent(server, holder);
      done.given += 1;
      if (at % 3 !== 0 && done.returned < 900) {
        value(await returnLicense(server.context, { product, type: 'device', holder }));
        done.returned += 1;
      }
      // A thousand that are given back at most, which is what a list of revoked tokens holds.
      await new Promise((resolve) => setTimeout(resolve, 150 + (at % 7) * 10));
    }
  };
  const loads = ['A', 'B', 'C'].map(load);
  const dir = join(folder, 'restored');
  const outlooks = new Set<string | undefined>();
  const states = new Set<string>();
  for (let at = 0; at < moments; at += 1) {
    const before = { ...done };
    const order = orderOf(scene, `backup-${at}`);
    const parts = readParts(home, ['config.json', 'license-server.key']);
    const { manifest } = await makeBackup({ ...order, parts }, () => undefined);
    const after = { ...done };
    if (at === 0) copyMachine(home, dir);
    const world = { clock: scene.world.clock, random: systemRandom };
    const { identities } = scene;
    const restored = await restoreBackup({
      ...{ file: order.file, identities, dir, of: restorable, rehearse: false, ...world },
    });
    assert.deepEqual(restored.verified.findings, []);
    outlooks.add(restored.done?.outlook);
    // Two answers of each load may have been under way when it began, and when it ended.
    const issued = manifest.lines[0]?.issued ?? 0;
    assert.ok(issued >= before.given - after.returned - 3, `${issued}: ${JSON.stringify({ before, after })}`);
    assert.ok(issued <= after.given - before.returned + 3, `${issued}: ${JSON.stringify({ before, after })}`);
    const { head, lines } = readProgress(join(dir, 'license-server.db'), nodeDigest);
    assert.equal(head.size, manifest.journals.find(({ log }) => log === 'server')?.size);
    assert.ok(lines.every(conservesInstalled));
    if (at % 10 === 0) {
      // With the mark as it is by now: what was issued since is set aside, and nothing is lost (protocol §5.2).
      cpSync(`${home}.instance`, `${dir}.instance`, { recursive: true });
      states.add(await lookIn(dir, { clock: scene.world.clock, issued }));
    }
    rmSync(order.file);
    if (restored.done?.kept) rmSync(restored.done.kept, { recursive: true });
  }
  going = false;
  await Promise.all(loads);
  t.diagnostic(
    `${done.given} given, ${done.returned} returned; ${[...outlooks].join(' ')}; ${[...states].join(' ')}`,
  );
  assert.ok(done.given > moments);
});
