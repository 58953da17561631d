/** The file of a backup: what it says, who opens it, and that no bit of it changes unseen. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { Decrypter } from 'age-encryption';
import { identitiesIn, isRecipient, makeBackupKey } from '../src/backup/age-key.ts';
import { makeBackup } from '../src/backup/make-backup.ts';
import { verifyBackup } from '../src/backup/verify-backup.ts';
import { Failure } from '../src/platform/failure.ts';
import { generateSigningKey } from '../src/platform/signing.ts';
import { copyDatabase } from '../src/store/sqlite-copy.ts';
import type { Scene } from './backup/scene.ts';
import { makeScene, orderOf } from './backup/scene.ts';

const holders = 30;
let scene: Scene;
let file = '';
before(async () => {
  scene = await makeScene(holders);
  file = join(scene.folder, 'sound');
  await makeBackup(orderOf(scene, 'sound'), () => undefined);
});
after(() => scene.close());

const silent = (): void => undefined;

/** The codes of what is found in a file of these bytes. */
async function foundIn(bytes: Uint8Array, identities?: readonly string[]): Promise<readonly string[]> {
  const path = join(scene.folder, 'changed');
  writeFileSync(path, bytes);
  const { verdict, findings } = await verifyBackup(path, identities);
  assert.equal(verdict, findings.length === 0 ? 'ok' : 'broken');
  return findings.map(({ code }) => code);
}

/** A backup of the scene's database, changed behind everybody's back and then signed. */
async function foundWithin(
  name: string,
  change: string | ((db: DatabaseSync, path: string) => void),
): Promise<readonly string[]> {
  const database = join(scene.folder, `${name}.db`);
  await copyDatabase({ from: scene.database, to: database, parts: [], progress: silent });
  const db = new DatabaseSync(database);
  db.exec('drop table backup_parts; drop trigger journal_keeps_words');
  if (typeof change === 'string') db.exec(change);
  else change(db, database);
  db.close();
  await makeBackup(orderOf(scene, name, { database }), silent);
  const { findings } = await verifyBackup(join(scene.folder, name), scene.identities);
  return findings.map(({ code }) => code);
}

/** Overwrites the first page of an index with zeros. */
function spoilIndex(db: DatabaseSync, path: string): void {
  const row = db
    .prepare("select rootpage from sqlite_schema where type = 'index' and tbl_name = 'licenses'")
    .get();
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(4096), 0, 4096, (Number(row?.['rootpage']) - 1) * 4096);
  closeSync(file);
}

describe('a backup file', () => {
  it('verifies without the key, and says what it is', async () => {
    const { verdict, opened, manifest, bytes } = await verifyBackup(file, undefined);
    assert.deepEqual([verdict, opened, bytes], ['ok', false, statSync(file).size]);
    assert.equal(manifest?.id, scene.server.context.licenseServerId);
    const [line] = manifest?.lines ?? [];
    assert.partialDeepStrictEqual(line, {
      agreement: '4965437',
      installed: 100,
      issued: holders,
      unissued: 70,
    });
    assert.equal(manifest?.journals[0]?.log, 'server');
  });

  it('verifies in full with the key, and leaves nothing behind', async () => {
    const verified = await verifyBackup(file, scene.identities);
    assert.deepEqual([verified.verdict, verified.opened, verified.parts], ['ok', true, ['config.json']]);
    const left = readdirSync(scene.folder).filter((name) => /^\.|\.new$|copy/.test(name));
    assert.deepEqual(left, []);
  });

  it('is for its owner only', () => {
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('is opened by whoever has the key and knows age: everything after the first 4096 bytes', async () => {
    const decrypter = new Decrypter();
    for (const identity of scene.identities) decrypter.addIdentity(identity);
    const plain = await decrypter.decrypt(readFileSync(file).subarray(4096));
    const path = join(scene.folder, 'by-hand.db');
    writeFileSync(path, plain);
    const db = new DatabaseSync(path, { readOnly: true });
    const issued = db.prepare("select count(*) as count from licenses where state = 'issued'").get();
    const parts = db.prepare('select name, bytes from backup_parts').all();
    db.close();
    assert.equal(issued?.['count'], holders);
    assert.equal(
      Buffer.from(parts[0]?.['bytes'] as Uint8Array).toString(),
      readFileSync(join(scene.home, 'config.json'), 'utf8'),
    );
  });

  it('is not opened by another key, and that says nothing about the file', async () => {
    const other = await identitiesIn((await makeBackupKey('2026-11-30T00:00:00Z')).text);
    await assert.rejects(verifyBackup(file, other), (error: unknown) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.code, 'backup-key-other');
      assert.deepEqual(error.details['recipients'], [scene.recipient]);
      return true;
    });
  });

  it('does not take the place of another file', async () => {
    await assert.rejects(makeBackup(orderOf(scene, 'sound'), silent), /already/);
    assert.equal((await verifyBackup(file, undefined)).verdict, 'ok');
  });
});

describe('a backup file that was changed', () => {
  it('shows each of 2,000 bits that were turned over', async () => {
    const sound = readFileSync(file);
    let seed = 20261130;
    const next = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 0x1_0000_0000) * below);
    };
    const path = join(scene.folder, 'turned');
    writeFileSync(path, sound);
    const changed = openSync(path, 'r+');
    for (let at = 0; at < 2000; at += 1) {
      // Every fourth in the beginning, which is a hundredth of the file.
      const bit = next((at % 4 === 0 ? 4096 : sound.length) * 8);
      const byte = sound[bit >> 3] ?? 0;
      writeSync(changed, Buffer.of(byte ^ (1 << (bit & 7))), 0, 1, bit >> 3);
      const { findings } = await verifyBackup(path, undefined);
      assert.equal(findings.length, 1, `bit ${bit} was not found`);
      writeSync(changed, Buffer.of(byte), 0, 1, bit >> 3);
    }
    closeSync(changed);
    assert.equal((await verifyBackup(path, scene.identities)).verdict, 'ok');
  });

  it('shows that it was cut short, that something was added, and that it is something else', async () => {
    const sound = readFileSync(file);
    for (const length of [sound.length - 1, 4097, 4096]) {
      assert.deepEqual(await foundIn(sound.subarray(0, length)), ['sealed-altered']);
    }
    for (const length of [4095, 2000, 30]) {
      assert.deepEqual(await foundIn(sound.subarray(0, length)), ['manifest-altered']);
    }
    assert.deepEqual(await foundIn(Buffer.concat([sound, Buffer.from('\n')])), ['sealed-altered']);
    for (const other of ['', 'SQLite format 3\0', '{"calyx":"agreement-kit"}', 'calyx-backup/2 4096\n']) {
      assert.deepEqual(await foundIn(Buffer.from(other)), ['not-a-backup']);
    }
  });

  it('shows a manifest that another key signed', async () => {
    const key = generateSigningKey(scene.server.context.random, () => scene.server.context.licenseServerId);
    await makeBackup(orderOf(scene, 'forged', { key }), silent);
    assert.deepEqual(await foundIn(readFileSync(join(scene.folder, 'forged'))), ['manifest-altered']);
  });
});

describe('a backup of a database that is not sound', () => {
  it('shows an entry of the journal that was written anew', async () => {
    const sql = "update journal set text = replace(text, 'LS-OLD', 'LS-BAD') where position = 0";
    assert.deepEqual(await foundWithin('entry', sql), ['database-damaged']);
  });

  it('shows an entry and its leaf written anew, in the middle, where a look on opening would pass over it', async () => {
    const sql =
      'update journal set text = (select text from journal where position = 3), leaf = (select leaf from journal where position = 3) where position = 2';
    assert.deepEqual(await foundWithin('leaf', sql), ['database-damaged']);
  });

  it('shows CALs that came from nowhere', async () => {
    const sql = "update accounts set balance = balance + 1 where id like '%/unissued'";
    assert.deepEqual(await foundWithin('balance', sql), ['database-damaged']);
  });

  it('shows an index that cannot be read', async () => {
    assert.deepEqual(await foundWithin('index', spoilIndex), ['database-damaged']);
  });
});

describe('a copy that cannot be made', () => {
  it('leaves nothing where the disk of the copy or the folder of the file is not there', async () => {
    const missing = join(scene.folder, 'nowhere', 'file');
    const before = readdirSync(scene.folder);
    for (const changes of [{ file: missing }, { scratch: missing }, { database: missing }]) {
      await assert.rejects(makeBackup(orderOf(scene, 'unmade', changes), silent));
    }
    assert.deepEqual(readdirSync(scene.folder), before);
  });
});

describe('keys for backups', () => {
  it('are read as age-keygen writes them, and nothing else is', async () => {
    const { text, recipient } = await makeBackupKey('2026-11-30T00:00:00Z');
    assert.equal((await identitiesIn(text.replaceAll('\n', '\r\n')))?.length, 1);
    for (const other of ['', '# nothing\n', recipient, `${text}AGE-SECRET-KEY-1X`]) {
      assert.equal(await identitiesIn(other), undefined);
    }
    assert.ok(isRecipient(recipient));
    for (const other of ['', 'age1', recipient.replace(/.$/, 'b'), text])
      assert.ok(!isRecipient(other), other);
  });
});
