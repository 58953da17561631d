import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { RawSignals } from './machine-signals.ts';
import { openMachine, readSignals } from './machine-signals.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'calyx-signals-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const machineId = 'c0ffee00c0ffee00c0ffee00c0ffee00';
const uuid = '3b1d7a52-0d5c-4a6f-9f7e-1d2c3b4a5f60';
const linux = (): RawSignals => readSignals({ volume: null, platform: 'linux', root });

/** A whole system, as the kernel and its installation show it. */
function wholeSystem(): void {
  put('etc/machine-id', `${machineId}\n`);
  put('sys/class/dmi/id/product_uuid', '4C4C4544-0042-3510-8057-B7C04F4A4D32\n');
  put('dev/sda1', '');
  mkdirSync(join(root, 'dev/disk/by-uuid'), { recursive: true });
  symlinkSync('../../sda1', join(root, 'dev/disk/by-uuid', uuid));
  put(
    'proc/self/mountinfo',
    '23 28 0:21 / /proc rw - proc proc rw\n28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n',
  );
}

describe('the signals of a Linux system', () => {
  it('are read from where the system has them', () => {
    wholeSystem();
    const { installedAt, ...others } = linux();
    assert.deepEqual(others, {
      machineId,
      hardware: '4C4C4544-0042-3510-8057-B7C04F4A4D32',
      rootFilesystem: uuid,
      volume: null,
    });
    assert.equal(installedAt, String(Math.floor(statSync(root).birthtimeMs)));
  });

  it('may be unreadable, each by itself', () => {
    assert.deepEqual(
      { ...linux(), installedAt: null },
      { ...readSignals({ volume: null, platform: 'aix' }) },
    );
    put('var/lib/dbus/machine-id', machineId);
    assert.equal(linux().machineId, machineId);
    put('etc/machine-id', '\n');
    assert.equal(linux().machineId, machineId);
    mkdirSync(join(root, 'sys/class/dmi/id/product_uuid'), { recursive: true });
    assert.equal(linux().hardware, null);
    put('proc/self/mountinfo', 'nonsense\n\n28 1 0:9 / / rw - overlay overlay rw\n');
    assert.equal(linux().rootFilesystem, null);
  });

  it('count for nothing in a container, where only the volume does that its administrator has named', () => {
    wholeSystem();
    put('.dockerenv', '');
    const none = readSignals({ volume: null, platform: 'win32' });
    assert.deepEqual(linux(), none);
    assert.deepEqual(readSignals({ volume: 'calyx-1', platform: 'linux', root }), {
      ...none,
      volume: 'calyx-1',
    });
  });
});

describe('the machine', () => {
  const secret = new Uint8Array(32).fill(7);
  const none = readSignals({ volume: null, platform: 'win32' });
  let now: RawSignals;
  const open = () => openMachine({ path: join(root, 'machine'), secret, read: () => now });

  it('is the same, another, or nobody knows', () => {
    now = { ...none, machineId: 'a', hardware: 'b', rootFilesystem: 'c' };
    assert.deepEqual(open().compare(), { machine: 'unknown', changed: [] });
    open().accept();
    assert.deepEqual(open().compare(), { machine: 'same', changed: [] });
    now = { ...now, hardware: null };
    assert.deepEqual(open().compare(), { machine: 'unknown', changed: [] });
    now = { ...now, hardware: 'x' };
    assert.deepEqual(open().compare(), { machine: 'changed', changed: ['hardware'] });
    now = { ...now, hardware: 'b', machineId: 'y', rootFilesystem: 'z' };
    assert.deepEqual(open().compare(), { machine: 'same', changed: ['machineId', 'rootFilesystem'] });
    now = { ...none, hardware: null };
    open().accept();
    now = { ...none, hardware: 'x' };
    assert.equal(open().compare().machine, 'changed');
    now = { ...none, volume: 'one' };
    open().accept();
    now = { ...none, volume: 'two' };
    assert.deepEqual(open().compare(), { machine: 'changed', changed: ['volume'] });
    open().accept();
    assert.deepEqual(open().compare(), { machine: 'same', changed: [] });
  });

  it('leaves nothing of itself in the file, and a damaged file says nothing', () => {
    now = { ...none, machineId, hardware: 'b' };
    open().accept();
    const kept = readFileSync(join(root, 'machine'), 'utf8');
    assert.ok(!kept.includes(machineId), kept);
    const other = openMachine({
      ...{ path: join(root, 'machine'), secret: new Uint8Array(32).fill(8) },
      read: () => now,
    });
    assert.equal(other.compare().machine, 'changed');
    for (const text of ['', '7', 'null', '{"hardware":1}']) {
      writeFileSync(join(root, 'machine'), text);
      assert.deepEqual(open().compare(), { machine: 'unknown', changed: [] });
    }
  });
});
