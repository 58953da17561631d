/** The high-water mark on real files (protocol §5.1): each commit is in it before anybody is answered. */
import assert from 'node:assert/strict';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openHighWaterFile } from '../src/platform/high-water-file.ts';
import { openServer } from '../src/server/app.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { StoreFailure } from '../src/store/port.ts';
import * as acts from './world/acts.ts';
import type { World } from './world/world.ts';
import { makeWorld } from './world/world.ts';

let world: World;
let dir: string;
let instance: string;

beforeEach(async () => {
  world = await makeWorld(100);
  const server = await world.addServer('LS-1', { kit: true });
  await acts.setUp(world, server, 10);
  await acts.permanent(server, 'ws-1');
  await server.close();
  dir = join(world.dir, 'LS-1');
  instance = `${dir}.instance`;
});

afterEach(() => world.close());

const markFile = (): string =>
  join(instance, readdirSync(instance).find((name) => name.endsWith('.high-water')) ?? 'none');

/** A copy of what is stored, with the name that it is to be put back under. */
function copyOf(file: string, name: string): { readonly putBack: () => void } {
  const copy = join(world.dir, name);
  copyFileSync(file, copy);
  return { putBack: () => copyFileSync(copy, file) };
}

/** Opens it, has a device licensed, and closes it. */
async function issue(holder: string): Promise<void> {
  const server = await openServer(dir, { clock: world.clock });
  await acts.permanent(server, holder);
  await server.close();
}

describe('the mark', () => {
  it('may be behind, as a program leaves it that is killed between commit and answer', async () => {
    const before = copyOf(markFile(), 'before.mark');
    await issue('ws-2');
    before.putBack();
    await issue('ws-3');
  });

  it('that cannot be written ends the program before anybody is answered', async () => {
    let full = false;
    let told: StoreFailure | undefined;
    const server = await openServer(dir, {
      clock: world.clock,
      onStoreFailure: (failure) => {
        told = failure;
      },
      openMark: () => {
        const file = openHighWaterFile(markFile());
        return {
          ...file,
          write: (content) => {
            if (full) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
            file.write(content);
          },
        };
      },
    });
    full = true;
    await assert.rejects(acts.permanent(server, 'ws-2'), StoreFailure);
    assert.match(told?.message ?? '', /ENOSPC/);
    await assert.rejects(readStatus(server.context), StoreFailure);
    await server.close();
    // What was committed, and nobody was told, is there: the mark is behind, and that is harmless.
    await issue('ws-3');
  });
});
