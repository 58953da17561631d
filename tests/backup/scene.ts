/** A license server with CALs and licenses, and what is needed to back it up without its program. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identitiesIn, makeBackupKey } from '../../src/backup/age-key.ts';
import type { BackupOrder } from '../../src/backup/make-backup.ts';
import { isoTime } from '../../src/core/time.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { permanent, setUp } from '../world/acts.ts';
import type { World } from '../world/world.ts';
import { makeWorld } from '../world/world.ts';

export interface Scene {
  readonly world: World;
  readonly server: OpenServer;
  /** The data folder of the server, and its database. */
  readonly home: string;
  readonly database: string;
  /** An empty folder for what a test makes. */
  readonly folder: string;
  readonly recipient: string;
  readonly identities: readonly string[];
  readonly close: () => Promise<void>;
}

/** A server that is activated, with a hundred CALs, or so many, of which `holders` are issued. */
export async function makeScene(holders: number, quantity = 100): Promise<Scene> {
  const world = await makeWorld();
  const server = await world.addServer('LS-OLD', { kit: true });
  await setUp(world, server, quantity);
  for (let at = 0; at < holders; at += 1) await permanent(server, `PC-${at}`);
  const home = join(world.dir, 'LS-OLD');
  const folder = mkdtempSync(join(tmpdir(), 'calyx-backup-'));
  const { text, recipient } = await makeBackupKey(isoTime(world.clock.nowMs()));
  const identities = await identitiesIn(text);
  if (identities === undefined) throw new Error(`no identity in ${text}`);
  return {
    ...{ world, server, home, folder, recipient, identities },
    database: join(home, 'license-server.db'),
    close: async () => {
      await world.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The order for a backup of the scene's server into a file of its folder. */
export function orderOf(scene: Scene, name: string, changes: Partial<BackupOrder> = {}): BackupOrder {
  const { context } = scene.server;
  return {
    database: scene.database,
    parts: [{ name: 'config.json', bytes: readFileSync(join(scene.home, 'config.json')) }],
    scratch: join(scene.folder, `.making-${name}`),
    file: join(scene.folder, name),
    temporary: join(scene.folder, `${name}.new`),
    recipients: [scene.recipient],
    key: context.key,
    whose: {
      ...{ kind: 'server', id: context.licenseServerId, publisher: context.publisher, name: context.name },
      ...{ version: '0.1.0', at: isoTime(context.clock.nowMs()) },
    },
    ...changes,
  };
}
