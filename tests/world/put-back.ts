/** A license server whose data folder is copied, and put back to the copy, as an administrator does. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenOptions, OpenServer } from '../../src/server/app.ts';
import { openServer } from '../../src/server/app.ts';
import { addConnected, permanents } from './acts.ts';
import type { World } from './world.ts';
import { makeWorld } from './world.ts';

export interface Restorable {
  /** As it is open now. */
  readonly server: () => OpenServer;
  /** Copies its data folder under a name, while it is stopped, and starts it again. */
  readonly save: (name: string) => Promise<void>;
  /** Puts that copy in the place of what is there, and starts it again. The instance folder stays as it is. */
  readonly putBack: (name: string) => Promise<void>;
  readonly restart: (meanwhile?: () => void) => Promise<void>;
  readonly close: () => Promise<void>;
  readonly dir: string;
  readonly instanceDir: string;
}

export function restorable(
  world: World,
  of: { readonly name: string; readonly server: OpenServer; readonly options?: OpenOptions },
): Restorable {
  let { server } = of;
  const dir = join(world.dir, of.name);
  const { delivery } = server.context;
  const restart: Restorable['restart'] = async (meanwhile) => {
    await server.close();
    meanwhile?.();
    server = await openServer(dir, { clock: world.clock, delivery, ...of.options });
  };
  const copyOf = (name: string): string => join(world.dir, `${of.name}.${name}`);
  return {
    ...{ dir, instanceDir: `${dir}.instance`, restart },
    server: () => server,
    save: (name) => restart(() => cpSync(dir, copyOf(name), { recursive: true })),
    putBack: (name) =>
      restart(() => {
        rmSync(dir, { recursive: true });
        cpSync(copyOf(name), dir, { recursive: true });
      }),
    close: () => server.close(),
  };
}

/** A world with LS-1, of whose six CALs ws-1 and ws-2 have one each. */
export async function restorableWorld(): Promise<{ readonly world: World; readonly old: Restorable }> {
  const world = await makeWorld(100, { kit: false });
  const server = await addConnected(world, 'LS-1', 6);
  await permanents(server, ['ws-1', 'ws-2']);
  return { world, old: restorable(world, { name: 'LS-1', server }) };
}
