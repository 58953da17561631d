/**
 * Power cuts: the writes of the real store, recorded and cut at random points, with unsynced writes lost,
 * torn or kept. Nothing acknowledged is lost, nothing is damaged, and the books balance; and the same with
 * a store that waits for less must fail, for else the images would show nothing. `npm run crash` makes more.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { whyNoRecorder } from './crash/recorder.ts';
import type { CrashOrder } from './crash/run.ts';
import { afterFailedSync, crash } from './crash/run.ts';
import { seedOf } from './kill/random.ts';

describe('the disk after a power cut', { concurrency: 1, skip: whyNoRecorder() }, () => {
  const seed = seedOf(process.env);

  for (const scenario of ['issue', 'move'] as const) {
    it(`keeps all that was acknowledged, and only whole acts, in 150 images of ${scenario}`, async (t) => {
      const { calls, findings, ...counted } = await crash({ scenario, images: 150, seed });
      t.diagnostic(`seed ${seed}, ${calls} calls recorded`);
      assert.deepEqual(findings, []);
      assert.deepEqual(counted, { images: 150, corrupt: 0, unbalanced: 0, lost: 0 });
    });
  }

  it('has all that was acknowledged after a sync has failed, and takes nothing of that sync for durable', async () => {
    for (const number of [1, 2, 9, 20, 33]) {
      assert.equal(await afterFailedSync(number, seed), undefined, `sync ${number}`);
    }
  });

  it('would have lost acknowledged commits with synchronous=NORMAL: the images can tell', async (t) => {
    const order: CrashOrder = { scenario: 'issue', images: 20, seed, synchronous: 'normal' };
    const { lost, corrupt } = await crash(order);
    t.diagnostic(`${lost} of 20 images lost something acknowledged`);
    assert.ok(lost >= 10, `${lost} of 20 images`);
    assert.equal(corrupt, 0, 'the log protects the file all the same');
  });

  it('would have been damaged with synchronous=OFF', async (t) => {
    const { lost, corrupt } = await crash({ scenario: 'issue', images: 20, seed, synchronous: 'off' });
    t.diagnostic(`${corrupt} of 20 images damaged, ${lost} lost something acknowledged`);
    assert.ok(corrupt + lost >= 10, `${corrupt} and ${lost} of 20 images`);
  });
});
