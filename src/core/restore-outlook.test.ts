import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BackupStanding, OutlookFacts, RestoreOutlook } from './restore-outlook.ts';
import { outlookOf } from './restore-outlook.ts';

const standings: readonly BackupStanding[] = ['newest', 'older', 'forked', 'unknown'];

describe('what a restore will come to', () => {
  it('without the secret that opens its key, another system, whatever else', () => {
    for (const secret of ['absent', 'undecryptable'] as const) {
      for (const standing of standings) {
        for (const sameRights of [true, false]) {
          assert.equal(outlookOf({ secret, standing, sameRights }), 'system-replaced');
        }
      }
    }
  });

  const rows: readonly [BackupStanding, boolean, RestoreOutlook][] = [
    ['newest', true, 'restored'],
    ['newest', false, 'restored'],
    ['older', true, 'reconcile'],
    ['older', false, 'revalidate'],
    ['forked', true, 'revalidate'],
    ['forked', false, 'revalidate'],
    ['unknown', true, 'decided-at-start'],
    ['unknown', false, 'decided-at-start'],
  ];
  for (const [standing, sameRights, expected] of rows) {
    it(`${standing}, ${sameRights ? 'the same' : 'other'} rights: ${expected}`, () => {
      const facts: OutlookFacts = { secret: 'present', standing, sameRights };
      assert.equal(outlookOf(facts), expected);
    });
  }
});
