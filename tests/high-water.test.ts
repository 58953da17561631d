/** The high-water mark on real files (protocol §5.1): each commit is in it before anybody is answered. */
import assert from 'node:assert/strict';
import fs, { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openHighWaterFile } from '../src/platform/high-water-file.ts';
import { openServer } from '../src/server/app.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { StoreFailure } from '../src/store/port.ts';
import * as acts from './world/acts.ts';
import type { World } from './world/world.ts';
import { makeWorld, product, value } from './world/world.ts';

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

/** How many transactions the log of a database holds: pages that end one say how large the database is then. */
function commitsIn(wal: string): number {
  const bytes = readFileSync(wal);
  if (bytes.length < 32) return 0;
  const frame = 24 + bytes.readUInt32BE(8);
  let commits = 0;
  for (let at = 32; at + frame <= bytes.length; at += frame) {
    // Frames of before the log was begun anew have another salt.
    const isCurrent = bytes.subarray(at + 8, at + 16).equals(bytes.subarray(16, 24));
    if (isCurrent && bytes.readUInt32BE(at + 4) > 0) commits += 1;
  }
  return commits;
}

describe('commands that come at once', () => {
  it('share one commit and one sync of the mark, and each is answered after both', async (t) => {
    const server = await openServer(dir, { clock: world.clock });
    t.after(() => server.close());
    const wal = join(dir, 'license-server.db-wal');
    const { fdatasyncSync } = fs;
    let syncs = 0;
    let answered = 0;
    const answeredAtSync: number[] = [];
    fs.fdatasyncSync = (file) => {
      fdatasyncSync(file);
      syncs += 1;
      answeredAtSync.push(answered);
    };
    syncBuiltinESMExports();
    const before = commitsIn(wal);
    const { size } = server.store.committed().head('server');
    try {
      const names = Array.from({ length: 15 }, (_, at) => `pc-${at}`);
      await Promise.all(
        names.map(async (holder) => {
          const request = { product, type: 'device', holder } as const;
          value(await requestLicense(server.context, request));
          answered += 1;
        }),
      );
    } finally {
      Object.assign(fs, { fdatasyncSync });
      syncBuiltinESMExports();
    }
    // All of them in the journal, by as many commits as syncs, which are far fewer.
    assert.equal(server.store.committed().head('server').size, size + 15);
    assert.equal(commitsIn(wal) - before, syncs);
    assert.ok(syncs > 0 && syncs <= 3, `${syncs} for 15`);
    assert.equal(answeredAtSync[0], 0);
  });
});

/** What a server knows by a mark that is opened with each of 2,000 bits turned over: how often each. */
function knownOf(sound: Uint8Array): ReadonlyMap<string, { readonly bytes: Uint8Array; times: number }> {
  const known = new Map<string, { readonly bytes: Uint8Array; times: number }>();
  const path = join(world.dir, 'flipped.mark');
  let seed = 20261201;
  for (let round = 0; round < 2000; round += 1) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    // One bit after the other where there is something, and any of them.
    const bit =
      round % 2 === 0 ? Math.floor((seed / 2 ** 32) * sound.length * 8) : usedBit(sound, seed / 2 ** 32);
    const bytes = Uint8Array.from(sound);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    writeFileSync(path, bytes);
    const file = openHighWaterFile(path);
    file.close();
    const last = file.last === undefined ? '' : Buffer.from(file.last).toString('utf8');
    const found = known.get(`${file.found} ${last}`);
    if (found === undefined) known.set(`${file.found} ${last}`, { bytes, times: 1 });
    else found.times += 1;
  }
  return known;
}

/** One of the bits of the bytes that are not 0. */
function usedBit(sound: Uint8Array, share: number): number {
  const used = [...sound.keys()].filter((at) => sound[at] !== 0);
  const place = Math.floor(share * used.length * 8);
  return (used[place >> 3] ?? 0) * 8 + (place & 7);
}

/** How the past stands where the server is started with this mark, and what it may give out. */
async function startedWith(bytes: Uint8Array): Promise<readonly [string, readonly number[]]> {
  writeFileSync(markFile(), bytes);
  const server = await openServer(dir, { clock: world.clock });
  const found = [(await readStatus(server.context)).past?.state ?? 'ok', await acts.counts(server)] as const;
  await server.close();
  return found;
}

describe('a mark in which a bit has turned over', () => {
  it('is as good as a sound one each of 2,000 times, also where an older database was put back', async (t) => {
    const older = ['', '-sum'].map((end) => copyOf(join(dir, `license-server.db${end}`), `older.db${end}`));
    await issue('ws-2');
    const sound = readFileSync(markFile());
    const newer = ['', '-sum'].map((end) => copyOf(join(dir, `license-server.db${end}`), `newer.db${end}`));
    const known = knownOf(sound);
    t.diagnostic([...known.values()].map(({ times }) => times).join(' '));
    for (const { bytes } of known.values()) {
      for (const file of newer) file.putBack();
      assert.deepEqual(await startedWith(bytes), ['ok', [10, 2, 8, 0, 0, 0]]);
      // The last license is one that only the mark knows of.
      for (const file of older) file.putBack();
      assert.deepEqual(await startedWith(bytes), ['restored', [10, 1, 8, 0, 0, 1]]);
    }
  });

  it('and whose program was killed says what was committed, or one time before', async () => {
    const server = await openServer(dir, { clock: world.clock });
    await acts.permanent(server, 'ws-2');
    const killed = readFileSync(markFile());
    await server.close();
    for (const { bytes } of knownOf(killed).values()) {
      assert.deepEqual(await startedWith(bytes), ['ok', [10, 2, 8, 0, 0, 0]]);
    }
  });

  it('in both places is in doubt', async () => {
    const bytes = Uint8Array.from(readFileSync(markFile()));
    for (const at of [20, bytes.length / 2 + 20]) bytes[at] = (bytes[at] ?? 0) ^ 1;
    assert.deepEqual(await startedWith(bytes), ['doubted', [10, 1, 0, 0, 0, 9]]);
  });
});
