import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { utf8 } from '../core/bytes.ts';
import type { KeyFileProblem } from './instance-secret.ts';
import {
  instanceSealBox,
  KeyFileError,
  openInstanceSecret,
  readKeyFile,
  readSealedFile,
  seal,
  unseal,
  writeKeyFile,
  writeSealedFile,
} from './instance-secret.ts';
import { systemRandom as random } from './random.ts';

const posix = process.platform !== 'win32';
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'calyx-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function throwsProblem(act: () => unknown, problem: KeyFileProblem): KeyFileError {
  let caught: unknown;
  try {
    act();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof KeyFileError, `no KeyFileError but ${String(caught)}`);
  assert.equal(caught.problem, problem);
  return caught;
}

describe('the instance secret', () => {
  it('is made once and found again', () => {
    const place = join(folder, 'deep', 'instance');
    const made = openInstanceSecret(place, { create: true, random });
    assert.equal(made.length, 32);
    assert.deepEqual(openInstanceSecret(place, { create: true, random }), made);
    assert.deepEqual(openInstanceSecret(place, { create: false, random }), made);
    if (!posix) return;
    assert.equal(statSync(place).mode & 0o777, 0o700);
    assert.equal(statSync(join(place, 'instance-secret')).mode & 0o777, 0o600);
  });

  it('is missing, and stays so, where nobody asked to make it', () => {
    const error = throwsProblem(() => openInstanceSecret(folder, { create: false, random }), 'missing');
    assert.match(error.message, /instance-secret does not exist/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('is refused at another length, and not replaced', () => {
    const path = join(folder, 'instance-secret');
    writeFileSync(path, 'short', { mode: 0o600 });
    throwsProblem(() => openInstanceSecret(folder, { create: true, random }), 'damaged');
    assert.equal(readFileSync(path, 'utf8'), 'short');
  });

  it('is refused where others may read it, with the command that helps', { skip: !posix }, () => {
    openInstanceSecret(folder, { create: true, random });
    const path = join(folder, 'instance-secret');
    for (const mode of [0o640, 0o604, 0o660]) {
      chmodSync(path, mode);
      const error = throwsProblem(() => openInstanceSecret(folder, { create: true, random }), 'permissions');
      assert.ok(error.message.endsWith(`chmod 0600 ${path}`), error.message);
    }
    chmodSync(path, 0o600);
    openInstanceSecret(folder, { create: false, random });
  });

  it('is refused in a folder that others may write to', { skip: !posix }, () => {
    openInstanceSecret(folder, { create: true, random });
    chmodSync(folder, 0o777);
    throwsProblem(() => openInstanceSecret(folder, { create: false, random }), 'permissions');
    chmodSync(folder, 0o755);
    openInstanceSecret(folder, { create: false, random });
  });
});

describe('key files', () => {
  it('hold what was last written, whatever an interrupted write left', () => {
    const path = join(folder, 'keys', 'a');
    writeKeyFile(path, utf8('first'));
    writeFileSync(`${path}.new`, 'half');
    assert.deepEqual(readKeyFile(path), utf8('first'));
    writeKeyFile(path, utf8('second'));
    assert.deepEqual(readKeyFile(path), utf8('second'));
    assert.equal(existsSync(`${path}.new`), false);
    if (posix) assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('say what the system refused', () => {
    writeFileSync(join(folder, 'file'), '');
    throwsProblem(() => writeKeyFile(join(folder, 'file', 'below'), utf8('x')), 'system');
    throwsProblem(() => readKeyFile(join(folder, 'none')), 'missing');
  });
});

describe('sealing', () => {
  const secret = random.bytes(32);

  it('gives back the plaintext, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.string(), (plaintext, purpose) => {
        const sealed = seal(secret, { purpose, plaintext, random });
        assert.equal(sealed.length, plaintext.length + 36);
        assert.deepEqual(unseal(secret, { purpose, sealed }), plaintext);
      }),
      { numRuns: 100 },
    );
  });

  it('opens under its own secret and purpose only', () => {
    const sealed = seal(secret, { purpose: 'server-key', plaintext: utf8('key'), random });
    assert.equal(unseal(secret, { purpose: 'ratchet', sealed }), undefined);
    assert.equal(unseal(random.bytes(32), { purpose: 'server-key', sealed }), undefined);
  });

  it('never gives the same bytes twice', () => {
    const what = { purpose: 'p', plaintext: utf8('key'), random };
    assert.notDeepEqual(seal(secret, what), seal(secret, what));
  });

  it('does not open with any one bit changed, or cut, or extended', () => {
    const purpose = 'server-key';
    const sealed = seal(secret, { purpose, plaintext: utf8('0123456789'), random });
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = Uint8Array.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(unseal(secret, { purpose, sealed: changed }), undefined);
    }
    for (let length = 0; length < sealed.length; length += 1) {
      assert.equal(unseal(secret, { purpose, sealed: sealed.subarray(0, length) }), undefined);
    }
    const longer = new Uint8Array(sealed.length + 1);
    longer.set(sealed);
    assert.equal(unseal(secret, { purpose, sealed: longer }), undefined);
  });

  it('is offered as a box that throws where it cannot open', () => {
    const box = instanceSealBox(secret, random);
    const sealed = box.seal('ratchet', utf8('key'));
    assert.deepEqual(box.unseal('ratchet', sealed), utf8('key'));
    assert.throws(() => box.unseal('other', sealed), /the sealed other does not open/);
    assert.throws(() => instanceSealBox(random.bytes(32), random).unseal('ratchet', sealed), Error);
  });

  it('works on files, and tells another secret from a missing file', () => {
    const path = join(folder, 'server.key');
    const purpose = 'server-key';
    throwsProblem(() => readSealedFile(path, { secret, purpose }), 'missing');
    writeSealedFile(path, { secret, purpose, plaintext: utf8('seed'), random });
    assert.deepEqual(readSealedFile(path, { secret, purpose }), utf8('seed'));
    const error = throwsProblem(() => readSealedFile(path, { secret: random.bytes(32), purpose }), 'damaged');
    assert.match(error.message, /another instance secret/);
    assert.equal(readFileSync(path).includes('seed'), false);
  });
});
