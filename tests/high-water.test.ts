/** The high-water mark on real files (protocol §5.1, §5.2): a database that is put back is held against it. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Failure } from '../src/platform/failure.ts';
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

const database = (): string => join(dir, 'license-server.db');
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

async function failureOf(): Promise<Failure> {
  try {
    const server = await openServer(dir, { clock: world.clock });
    await server.close();
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return error;
  }
  throw new Error('it was opened');
}

describe('a database that is put back', () => {
  it('is opened where nothing has happened since, and where it is the newest', async () => {
    const same = copyOf(database(), 'same.db');
    same.putBack();
    await issue('ws-2');
    const server = await openServer(dir, { clock: world.clock });
    assert.deepEqual(await acts.counts(server), [10, 2, 8, 0, 0, 0]);
    await server.close();
  });

  it('is not opened where it is older, in words that tell how much, and the newest one still is', async () => {
    const older = copyOf(database(), 'older.db');
    await issue('ws-2');
    const newest = copyOf(database(), 'newest.db');
    older.putBack();
    const { code, details, message, next } = await failureOf();
    assert.equal(code, 'database-older');
    const { entries, told } = details;
    assert.ok(Number(told) > Number(entries), JSON.stringify(details));
    assert.ok(message.includes(`${entries} entries`) && message.includes(`written ${told}`), message);
    assert.match(next, /--reason dead/);
    // Nothing was changed by the attempt.
    assert.equal((await failureOf()).code, 'database-older');
    newest.putBack();
    await issue('ws-3');
  });

  it('is not opened where it is that of a copy that went on by itself, however far', async () => {
    const older = copyOf(database(), 'older.db');
    const olderMark = copyOf(markFile(), 'older.mark');
    await issue('ws-2');
    const mark = copyOf(markFile(), 'newest.mark');
    const newest = copyOf(database(), 'newest.db');
    older.putBack();
    olderMark.putBack();
    await issue('ws-3');
    await issue('ws-4');
    mark.putBack();
    assert.equal((await failureOf()).code, 'database-forked');
    newest.putBack();
    await issue('ws-5');
  });
});

describe('the mark', () => {
  it('may be behind, as a program leaves it that is killed between commit and answer', async () => {
    const before = copyOf(markFile(), 'before.mark');
    await issue('ws-2');
    before.putBack();
    await issue('ws-3');
  });

  it('is missed where it was taken away, and where it is damaged', async () => {
    const file = markFile();
    const whole = copyOf(file, 'whole.mark');
    truncateSync(file, 100);
    assert.equal((await failureOf()).code, 'mark-damaged');
    rmSync(file);
    assert.equal((await failureOf()).code, 'mark-missing');
    assert.ok(!existsSync(file));
    whole.putBack();
    await issue('ws-2');
  });

  it('that cannot be written ends the program before anybody is answered', async () => {
    let full = false;
    let told: StoreFailure | undefined;
    const server = await openServer(dir, {
      clock: world.clock,
      onStoreFailure: (failure) => {
        told = failure;
      },
      openMark: (create) => {
        const file = openHighWaterFile(markFile(), { create });
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
