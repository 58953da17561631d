import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createLog, maskSecrets } from './log.ts';

/** Codes of protocol §3.4: a key pack, its digits, and a License Server ID. */
const keyPack = '66F61-8MTTS-THV6A-14WX2-FYQPF-P3W8C-CVT15';
const inDigits = '138317-679936-674315-295473-701033-361366-794422-736543-260542';
const serverId = '20CX7-T3RVT-CRK22-S5FKW-6PZ9T-4Y07Y-5B7JR';

describe('the log', () => {
  it('masks codes behind their first group, in every way of writing them', () => {
    assert.equal(maskSecrets(`typed ${keyPack}.`), 'typed 66F61-….');
    assert.equal(maskSecrets(keyPack.replaceAll('-', '')), '66F61-…');
    assert.equal(maskSecrets(keyPack.toLowerCase().replaceAll('-', ' ')), '66f61-…');
    assert.equal(maskSecrets(inDigits), '138317-…');
    assert.equal(maskSecrets(inDigits.replaceAll('-', '')), '138317-…');
  });

  it('masks tokens wholly', () => {
    assert.equal(maskSecrets(`Bearer cal_${'Ab_-'.repeat(10)}xyz"`), 'Bearer cal_…"');
    assert.equal(maskSecrets(`"v4.public.${'Ab_-'.repeat(30)}.footer"`), '"v4.public.…"');
  });

  it('leaves alone what is no secret', () => {
    for (const text of [
      serverId,
      '2026-11-24T15:04:05Z',
      '/v1/licenses/:product/devices/:deviceId',
      'quantity-above-agreement',
    ]) {
      assert.equal(maskSecrets(text), text);
    }
  });

  it('writes JSON lines to a file, masked also in the messages of errors', (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'calyx-log-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const file = join(dir, 'calyx.log');
    const log = createLog({ level: 'info', file });
    log.debug('not wanted');
    log.error({ err: new Error(`cannot apply ${keyPack}`), licenseServerId: serverId }, 'failed');
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    assert.equal(lines.length, 1);
    const line = JSON.parse(lines[0] ?? '');
    assert.equal(line.msg, 'failed');
    assert.equal(line.err.message, 'cannot apply 66F61-…');
    assert.equal(line.licenseServerId, serverId);
    assert.ok(!lines[0]?.includes('8MTTS'));
  });
});
