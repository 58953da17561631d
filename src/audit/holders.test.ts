import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Posting } from '../core/ledger.ts';
import { dayMs } from '../core/time.ts';
import type { AuditEntry } from './entry.ts';
import { collectFindings } from './finding.ts';
import { emptyServer, replayServer } from './server-facts.ts';

const server = 'LS-1';
const agreement = 'A-1';
const [line, users] = [`${agreement}/0`, `${agreement}/1`];
const types = new Map([
  [line, 'device'],
  [users, 'user'],
] as const);

type Said = Pick<AuditEntry, 'kind' | 'body' | 'postings'> & {
  /** In days; where there is none, that of the entry before. */
  readonly day?: number;
};

const transfer = (from: string, to: string, amount = 1): Posting => ({
  ...{ kind: 'transfer', debit: `${line}/${from}`, credit: `${line}/${to}`, amount },
});

const here = { agreement, line: 0 };
const installed: Said = {
  kind: 'installed',
  body: { ...here, aid: 'a1', chain: 'free', k: 10, added: 10 },
  postings: [transfer('installed', 'unissued', 10)],
};

interface Given {
  readonly day?: number;
  /** In days. */
  readonly until?: number;
  readonly origin?: string;
}

const licenseOf = (
  unit: number,
  sub: string,
  { until = 89, origin = `${server}/${unit}` }: Given,
): AuditEntry['body'] => ({
  ...{ ...here, unit, origin, sub, until: until * dayMs },
});

const on = (day: number | undefined) => (day === undefined ? {} : { day });

const issued = (unit: number, sub: string, given: Given = {}): Said => ({
  ...{ kind: 'issued', body: licenseOf(unit, sub, given), postings: [transfer('unissued', 'issued')] },
  ...on(given.day),
});
const renewed = (unit: number, sub: string, given: Given = {}): Said => ({
  ...{ kind: 'renewed', body: licenseOf(unit, sub, given), postings: [] },
  ...on(given.day),
});
const returned = (unit: number, sub: string, waits = false): Said => ({
  kind: 'returned',
  body: { ...here, unit, sub, waits },
  postings: waits ? [] : [transfer('issued', 'unissued')],
});
const expired = (day: number, ...units: readonly number[]): Said => ({
  kind: 'expired',
  body: { ...here, units },
  postings: [transfer('issued', 'unissued', units.length)],
  day,
});
const frozen = (amount: number): Said => ({
  kind: 'frozen',
  body: { ...here, move: 'm' },
  postings: [
    {
      ...{ kind: 'pending', id: 'm/issued', debit: `${line}/issued`, hold: `${line}/held` },
      ...{ credit: `${line}/installed`, amount },
    },
  ],
});
const over = (kind: 'post' | 'void'): Said => ({
  kind: kind === 'post' ? 'released' : 'unfrozen',
  body: { ...here, move: 'm' },
  postings: [{ kind, pending: 'm/issued' }],
});
const relinquished = (amount: number): Said => ({
  kind: 'relinquished',
  body: { ...here, move: 'n' },
  postings: [transfer('issued', 'installed', amount)],
});
/** A license that spends no unit. */
const bare = (kind: string, until: number): Said => ({
  kind,
  body: { product: 'ts', sub: 'a', until: until * dayMs },
  postings: [],
});

const three = [issued(1, 'a'), issued(2, 'b'), issued(3, 'c')];

const cases: readonly {
  readonly name: string;
  readonly said: readonly Said[];
  readonly break?: readonly string[];
}[] = [
  {
    name: 'one unit to one holder, renewed',
    said: [issued(1, 'a'), renewed(1, 'a', { day: 85, until: 170 })],
  },
  { name: 'again after it was given back', said: [issued(1, 'a'), returned(1, 'a'), issued(1, 'b')] },
  {
    name: 'again after its lease has ended',
    said: [issued(1, 'a'), expired(89, 1), issued(1, 'b', { until: 170 })],
  },
  {
    name: 'back and waiting until its lease has ended',
    said: [issued(1, 'a'), returned(1, 'a', true), expired(89, 1)],
  },
  {
    name: 'to a holder who came with a move',
    said: [issued(1, 'a', { origin: 'LS-2/7' }), returned(1, 'a', true)],
  },
  {
    name: 'frozen and back again',
    said: [...three, frozen(2), renewed(2, 'b'), over('void'), expired(90, 1, 2, 3)],
  },
  {
    name: 'away with a move, the others renewed',
    said: [...three, frozen(2), over('post'), renewed(2, 'b')],
  },
  { name: 'away, all of them', said: [...three, frozen(2), over('post'), relinquished(1), issued(4, 'a')] },
  { name: 'without a unit for 90 days', said: [bare('temporary', 90), bare('gap-license', 90)] },
  {
    name: 'to a second holder',
    said: [issued(1, 'a'), issued(1, 'b')],
    break: ['unit-twice', 'holders-differ'],
  },
  {
    name: 'to a second holder while it waits',
    said: [issued(1, 'a'), returned(1, 'a', true), issued(1, 'b')],
    break: ['unit-twice', 'holders-differ'],
  },
  { name: 'a number above what ever came in', said: [issued(11, 'a')], break: ['unit-twice'] },
  { name: 'free before its lease has ended', said: [issued(1, 'a'), expired(88, 1)], break: ['lease-runs'] },
  {
    name: 'free before an earlier one of its leases has ended',
    said: [issued(1, 'a'), renewed(1, 'a', { until: 50 }), expired(60, 1)],
    break: ['lease-runs'],
  },
  {
    name: 'given back and free, while the license before the renewal runs',
    said: [issued(1, 'a'), renewed(1, 'a', { day: 82, until: 160 }), returned(1, 'a')],
    break: ['lease-runs'],
  },
  {
    name: 'given back and free, while the one of its source may run',
    said: [issued(1, 'a', { origin: 'LS-2/7' }), returned(1, 'a')],
    break: ['lease-runs'],
  },
  {
    name: 'issued, and no unit spent for it',
    said: [{ ...issued(1, 'a'), postings: [] }],
    break: ['holders-differ'],
  },
  {
    name: 'issued without a name',
    said: [{ kind: 'counted', body: here, postings: [transfer('unissued', 'issued')] }],
    break: ['holders-differ'],
  },
  { name: 'renewed for nobody', said: [renewed(1, 'a')], break: ['holder-unknown', 'holders-differ'] },
  { name: 'renewed for another', said: [issued(1, 'a'), renewed(1, 'b')], break: ['unit-twice'] },
  { name: 'given back by another', said: [issued(1, 'a'), returned(1, 'b')], break: ['holder-unknown'] },
  {
    name: 'free again and held by nobody',
    said: [issued(1, 'a'), expired(90, 2)],
    break: ['holder-unknown', 'holders-differ'],
  },
  {
    name: 'renewed for all, when one has left',
    said: [...three, frozen(1), over('post'), renewed(1, 'a'), renewed(2, 'b'), renewed(3, 'c')],
    break: ['holder-unknown', 'holders-differ'],
  },
  {
    name: 'held without a pending, and given to others',
    said: [...three, { kind: 'frozen', body: here, postings: [transfer('issued', 'held')] }],
    break: ['holders-differ'],
  },
  { name: 'for 90 days to a device', said: [issued(1, 'a', { until: 90 })], break: ['lease-too-long'] },
  {
    name: 'for 40 years',
    said: [issued(1, 'a'), renewed(1, 'a', { until: 14_600 })],
    break: ['lease-too-long'],
  },
  { name: 'for 61 days to a user', said: [...toUsers(61)], break: ['lease-too-long'] },
  { name: 'for 60 days to a user', said: [...toUsers(60)] },
  { name: 'without a unit for 91 days', said: [bare('temporary', 91)], break: ['lease-too-long'] },
  { name: 'bridging 91 days', said: [bare('gap-license-renewed', 91)], break: ['lease-too-long'] },
];

function toUsers(until: number): readonly Said[] {
  const post = (from: string, to: string): Posting => ({
    ...{ kind: 'transfer', debit: `${users}/${from}`, credit: `${users}/${to}`, amount: 1 },
  });
  return [
    { kind: 'installed', body: { agreement, line: 1 }, postings: [post('installed', 'unissued')] },
    {
      kind: 'issued',
      body: { ...licenseOf(1, 'u', { until }), line: 1 },
      postings: [post('unissued', 'issued')],
    },
  ];
}

describe('units on a server', () => {
  for (const { name, said, break: breaks = [] } of cases) {
    it(`${breaks.length === 0 ? 'go' : 'may not go'} ${name}`, () => {
      const findings = collectFindings();
      const of = { madeAtMs: 1000 * dayMs, where: server, size: said.length + 1, wanted: new Set<string>() };
      const facts = emptyServer({ server, types, ...of });
      let day = 0;
      for (const [position, { day: today = day, ...entry }] of [installed, ...said].entries()) {
        day = today;
        const whole = { ...entry, log: 'server', id: `entry-${position}`, at: day * dayMs };
        replayServer(facts, whole, { position, findings });
      }
      assert.deepEqual(
        findings.list.map(({ code }) => code),
        breaks,
        JSON.stringify(findings.list),
      );
    });
  }
});
