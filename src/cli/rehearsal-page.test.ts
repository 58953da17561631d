import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { version } from '../platform/version.ts';
import type { ClearinghouseSide } from './rehearsal-page.ts';
import { comparedRows } from './rehearsal-page.ts';

const end = { name: null, method: null, lastContactAt: null, horizon: null, address: null } as const;

const clearinghouse = (of: { readonly version: string; readonly aheadMs: number }): ClearinghouseSide => ({
  ...{ reached: true, refused: null, books: null, entered: false, source: end, target: end, dead: null },
  ...{ clockDifferenceMs: of.aheadMs, version: of.version },
});

const target = (of: { readonly version: string; readonly aheadMs: number }) => ({
  ...{ licenseServerId: 'S', name: 'LS-NEW', url: undefined, activation: 'activated' },
  ...{ version: of.version, clockDifferenceMs: of.aheadMs },
});

const differ = '(they differ: update the older ones first)';

describe('the clocks and versions of a rehearsal', () => {
  const rows: readonly [string, Parameters<typeof comparedRows>, clocks: string, versions: string][] = [
    ['nobody was reached', [{ reached: false, reason: 'no line' }, null], 'not compared', `here ${version}`],
    [
      'all are alike',
      [clearinghouse({ version, aheadMs: 900 }), target({ version, aheadMs: -1400 })],
      'this server and the clearinghouse agree, the target and this server agree',
      `here ${version}, clearinghouse ${version}, target ${version}`,
    ],
    [
      'the target has another version and is behind',
      [clearinghouse({ version, aheadMs: 0 }), target({ version: '9.8.7', aheadMs: -3_600_000 })],
      'this server and the clearinghouse agree, the target is 3600 s behind this server',
      `here ${version}, clearinghouse ${version}, target 9.8.7 ${differ}`,
    ],
    [
      'the clearinghouse has, and this server is ahead of it',
      [clearinghouse({ version: '9.8.7', aheadMs: 61_000 }), null],
      'this server is 61 s ahead of the clearinghouse',
      `here ${version}, clearinghouse 9.8.7 ${differ}`,
    ],
  ];
  for (const [when, compared, clocks, versions] of rows) {
    it(`where ${when}`, () => {
      assert.deepEqual(comparedRows(...compared), [
        ['Clocks', clocks],
        ['Versions', versions],
      ]);
    });
  }
});
