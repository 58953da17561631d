import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Refusal, RefusalCode, RefusalOf } from '../core/refusal.ts';
import { exitCodeOf, problemOf, refusedBody } from './problem.ts';

const id = '20CX7-T3RVT-CRK22-S5FKW-6PZ9T-4Y07Y-5B7JR';
const now = '2026-11-24T15:04:05Z';
const later = '2027-12-31T23:59:59Z';
const repairs = [
  { text: '66M61', place: 3, from: 'N', to: 'M' },
  { text: '6CN61', place: 2, from: '6', to: 'C' },
];

/** One of each, so that a new code cannot go untested. */
const samples: { readonly [Code in RefusalCode]: RefusalOf<Code> } = {
  'invalid-input': { code: 'invalid-input', field: 'version', problem: '"x" is not a number' },
  'not-found': { code: 'not-found', what: 'event', id: '17' },
  'not-authorized': { code: 'not-authorized' },
  'idempotency-key-reused': { code: 'idempotency-key-reused', id: 'k-1' },
  'product-unknown': { code: 'product-unknown', product: 'ts-2022', known: ['ts-2012r2', 'ts-2008'] },
  'product-exists': { code: 'product-exists', product: 'ts-2022' },
  'agreement-missing': { code: 'agreement-missing' },
  'agreement-unknown': { code: 'agreement-unknown', agreement: '4965437' },
  'agreement-exists': { code: 'agreement-exists', agreement: '4965437' },
  'program-field-missing': {
    code: 'program-field-missing',
    program: 'Open License',
    field: 'license number',
    expected: '8 digits',
  },
  'program-field-wrong': {
    code: 'program-field-wrong',
    program: 'Open License',
    field: 'license number',
    expected: '8 digits',
  },
  'line-unknown': { code: 'line-unknown', agreement: '4965437', product: 'ts-2022', type: 'user' },
  'lines-full': { code: 'lines-full', agreement: '4965437', most: 15 },
  'quantity-above-agreement': {
    code: 'quantity-above-agreement',
    agreement: '4965437',
    product: 'ts-2022',
    type: 'device',
    asked: 600,
    inHand: 25,
    entitled: 500,
  },
  'quantity-invalid': { code: 'quantity-invalid', quantity: 0, most: 65_535 },
  'server-unknown': { code: 'server-unknown', licenseServerId: id },
  'not-activated': { code: 'not-activated', agreement: '4965437' },
  'already-activated': { code: 'already-activated', agreement: '4965437' },
  deactivated: { code: 'deactivated' },
  'server-closed': { code: 'server-closed', licenseServerId: id, generation: 2 },
  'server-declared-dead': { code: 'server-declared-dead', licenseServerId: id, move: 'm-1' },
  'server-suspect': { code: 'server-suspect', licenseServerId: id, reason: 'its log is shorter than before' },
  'server-in-doubt': { code: 'server-in-doubt', reason: 'forked', until: later },
  'clearinghouse-recovering': {
    ...{ code: 'clearinghouse-recovering', agreement: '4965437', backup: '2026-11-29T03:00:00Z' },
    ...{ awaited: ['20CX7'], unknown: true, until: '2027-12-31T23:59:59Z' },
  },
  'request-forgotten': { code: 'request-forgotten', request: 'install', backup: '2026-11-29T03:00:00Z' },
  'clearinghouse-forked': { code: 'clearinghouse-forked', agreement: '4965437', seen: 12, told: 9 },
  'kit-missing': { code: 'kit-missing', agreement: '4965437' },
  'kit-full': { code: 'kit-full', agreement: '4965437', slots: 4 },
  'horizon-passed': { code: 'horizon-passed', horizon: now, now: later },
  'clock-behind': { code: 'clock-behind', now, seen: later },
  'clock-ahead': { code: 'clock-ahead', now: later, seen: now },
  'holders-remain': { code: 'holders-remain', issued: 7, unissued: 3, reserved: 2 },
  'no-clearinghouse-address': { code: 'no-clearinghouse-address' },
  'clearinghouse-unreachable': {
    code: 'clearinghouse-unreachable',
    url: 'http://127.0.0.1:7400',
    detail: 'connection refused',
  },
  'answer-pending': { code: 'answer-pending', waitingFor: 'the answer of the clearinghouse' },
  'none-available': {
    code: 'none-available',
    product: 'ts-2022',
    type: 'device',
    installed: 500,
    unissued: 0,
  },
  'product-not-installed': { code: 'product-not-installed', product: 'ts-2022' },
  'temporary-used-up': { code: 'temporary-used-up', product: 'ts-2022', expiredAt: now },
  'temporary-cap': { code: 'temporary-cap', product: 'ts-2022', cap: 60 },
  'host-not-allowed': { code: 'host-not-allowed', host: 'RDS-7' },
  'license-unknown': { code: 'license-unknown', product: 'ts-2022', holder: 'PC-17' },
  'license-moved': { code: 'license-moved', product: 'ts-2022', licenseServerId: id },
  'type-not-supported': { code: 'type-not-supported', type: 'concurrent' },
  'source-token-invalid': { code: 'source-token-invalid', problem: 'it has expired' },
  'referral-invalid': { code: 'referral-invalid', problem: 'it was altered' },
  'referral-expired': { code: 'referral-expired', expiredAt: now, now: later },
  'referral-loop': { code: 'referral-loop', licenseServerIds: [id, id] },
  'referral-address-unknown': {
    code: 'referral-address-unknown',
    licenseServerId: id,
    tried: ['http://ls-new:7410'],
  },
  'code-unreadable': { code: 'code-unreadable', problem: 'length', length: 34, places: [] },
  'code-mistyped': { code: 'code-mistyped', groups: [{ group: 1, typed: '66N61', repairs }] },
  'code-kind-unknown': { code: 'code-kind-unknown', type: 9, ctx: 1 },
  'code-wrong-kind': { code: 'code-wrong-kind', expected: 'key-pack or held-key-pack', found: 'activation' },
  'code-other-server': { code: 'code-other-server', licenseServerId: id, name: 'LS-OLD' },
  'code-not-for-this-server': notForThis('key-pack', null),
  'code-other-kit': { code: 'code-other-kit', slot: 5, slots: [0, 1, 2, 3] },
  'already-applied': {
    code: 'already-applied',
    product: 'ts-2022',
    type: 'device',
    added: 25,
    installed: 125,
    at: now,
  },
  'source-needed': { code: 'source-needed' },
  'source-wrong': { code: 'source-wrong', licenseServerId: id },
  'quantity-differs': { code: 'quantity-differs', expected: 25, found: 20 },
  'confirmation-needed': { code: 'confirmation-needed', added: 25, total: 125 },
  'confirmation-unmatched': { code: 'confirmation-unmatched', licenseServerId: id },
  'strangers-limited': { code: 'strangers-limited', refused: 100, until: later },
  'confirmation-locked': { code: 'confirmation-locked', failures: 10, until: later },
  'earlier-code-missing': { code: 'earlier-code-missing', kind: 'frozen' },
  'move-needed': { code: 'move-needed', licenseServerId: id },
  'move-to-itself': { code: 'move-to-itself', licenseServerId: id },
  'move-more-than-there-is': { code: 'move-more-than-there-is', asked: 30, available: 25 },
  'move-too-large': { code: 'move-too-large', asked: 150_000, most: 65_535 },
  'chains-used-up': {
    code: 'chains-used-up',
    licenseServerId: id,
    agreement: '4965437',
    asked: 70_000,
    left: 10,
    basis: 'slot',
  },
  'move-open': { code: 'move-open', move: 'm-1', state: 'frozen' },
  'undo-open': { code: 'undo-open', move: 'm-1', target: id },
  'move-unknown': { code: 'move-unknown', move: 'm-1' },
  'move-state': { code: 'move-state', move: 'm-1', state: 'committed', act: 'cancel' },
  'undo-too-late': {
    code: 'undo-too-late',
    ...{ move: 'm-1', state: 'committed', carrier: 'online', agreement: '4965437', product: 'ts-2022' },
    ...{ type: 'device', quantity: 40, source: id, target: id, sourceIs: 'active' },
  },
  'approval-same-person': { code: 'approval-same-person', move: 'm-1', name: 'Ann Lee' },
  'nothing-to-recover': { code: 'nothing-to-recover', licenseServerId: 'A' },
  'early-release-limit': {
    code: 'early-release-limit',
    agreement: '4965437',
    most: 2,
    next: '2027-01-31',
  },
  'nothing-frozen': { code: 'nothing-frozen', product: 'ts-2022', type: 'device' },
  'not-yet-supported': { code: 'not-yet-supported', what: 'a move from a server that no longer functions' },
  'backup-key-missing': { code: 'backup-key-missing', program: 'server' },
  'backup-key-exists': { code: 'backup-key-exists', program: 'clearinghouse', recipient: 'age1qqqq' },
  'backup-running': { code: 'backup-running', program: 'server', percent: 40 },
  'file-damaged': { code: 'file-damaged', problem: 'it ends in the middle' },
  'file-other-kind': { code: 'file-other-kind', expected: 'an agreement kit', found: 'a publisher bundle' },
  'message-invalid': { code: 'message-invalid', problem: 'the signature is wrong' },
  'message-untrusted': { code: 'message-untrusted', signer: id },
  'message-expired': { code: 'message-expired', madeAt: now, expiredAt: now, now: later },
  'message-not-for-us': { code: 'message-not-for-us', recipient: id },
  'message-out-of-order': { code: 'message-out-of-order', expected: 4, found: 6 },
  'publisher-different': { code: 'publisher-different', expected: 'Sample Publisher', found: 'Northwind' },
};

function notForThis(kind: 'key-pack' | 'activation' | 'horizon', quantity: number | null) {
  return { code: 'code-not-for-this-server', kind, searched: 2048, quantity } as const;
}

/** The other ways in which some of them speak. */
const variants: readonly Refusal[] = [
  { code: 'product-unknown', product: 'ts-2022', known: [] },
  { ...samples['quantity-above-agreement'], inHand: 0 },
  { code: 'quantity-invalid', quantity: 1, most: 0 },
  { code: 'not-activated', agreement: null },
  { code: 'kit-missing', agreement: null },
  { code: 'code-unreadable', problem: 'character', length: 35, places: [{ place: 7, found: '?' }] },
  { code: 'code-mistyped', groups: [] },
  {
    code: 'code-mistyped',
    groups: [
      { group: 2, typed: '8MTT', repairs: [] },
      { group: 7, typed: 'CVT14', repairs },
    ],
  },
  { code: 'code-other-server', licenseServerId: id, name: null },
  { code: 'code-other-kit', slot: 5, slots: [] },
  notForThis('key-pack', 4000),
  notForThis('activation', null),
  notForThis('horizon', null),
  { ...samples['already-applied'], product: null, type: null },
  { ...samples['already-applied'], type: null },
  { code: 'confirmation-unmatched', licenseServerId: null },
  { code: 'move-more-than-there-is', asked: 0, available: 0 },
  { code: 'referral-address-unknown', licenseServerId: id, tried: [] },
];

/** Those where no command of ours helps: the request itself has to be put right. */
const withoutCommand = new Set<RefusalCode>([
  'invalid-input',
  'not-found',
  'idempotency-key-reused',
  'quantity-above-agreement',
  'answer-pending',
  'code-other-server',
  'message-expired',
]);

describe('problemOf', () => {
  for (const [code, refusal] of [
    ...Object.entries(samples),
    ...variants.map((each) => [each.code, each] as const),
  ]) {
    it(`says what is wrong and what to do next: ${code}`, () => {
      const problem = problemOf(refusal);
      assert.equal(problem.code, code);
      assert.ok(problem.status >= 400 && problem.status < 600);
      for (const text of [problem.title, problem.message, problem.next]) {
        assert.ok(text.length >= 10, text);
        assert.doesNotMatch(text, /undefined|null|NaN|\[object|\n| {2}|`/);
      }
      assert.doesNotMatch(problem.title, /[.]$/);
      assert.match(problem.message, /[.?]$/);
      if (!withoutCommand.has(problem.code)) assert.match(problem.next, /calyx |POST \//);
    });
  }

  it('gives every number of a refusal in its message', () => {
    const numbers: readonly [Refusal, readonly (number | string)[]][] = [
      [samples['quantity-above-agreement'], [600, 25, 500, '4965437']],
      [samples['none-available'], [500, 0]],
      [samples['holders-remain'], [7, 3, 2]],
      [samples['already-applied'], [25, 125, '2026-11-24 15:04 UTC']],
      [samples['move-more-than-there-is'], [30, 25]],
      [samples['confirmation-needed'], [25, 125]],
      [samples['clock-ahead'], ['2027-12-31 23:59 UTC', '2026-11-24 15:04 UTC']],
    ];
    for (const [refusal, expected] of numbers) {
      for (const each of expected) assert.ok(problemOf(refusal).message.includes(String(each)), refusal.code);
    }
  });

  it('answers as docs/http.md says: none free 409, host not allowed 403', () => {
    assert.equal(problemOf(samples['none-available']).status, 409);
    assert.equal(problemOf(samples['host-not-allowed']).status, 403);
    assert.equal(problemOf(samples['clearinghouse-unreachable']).status, 503);
    assert.equal(problemOf(samples['not-yet-supported']).status, 501);
  });

  it('does not let quoted text act on a terminal', () => {
    const problem = problemOf({ code: 'product-not-installed', product: 'a\u001b[2J\nb\u202e' });
    assert.match(problem.message, /"a\ufffd\[2J\ufffdb\ufffd"/);
  });
});

describe('a mistyped code', () => {
  it('names the group and asks what was heard, the likeliest repair first', () => {
    const problem = problemOf(samples['code-mistyped']);
    assert.equal(problem.message, 'Wrong: group 1 (66N61). The other groups are right. Nothing was changed.');
    assert.equal(
      problem.next,
      'Group 1: did you hear M – Mike or N – November in place 3 (66M61)? ' +
        'C – Charlie or 6 – six in place 2 (6CN61)? ' +
        'Have it read again and repeat the calyx command.',
    );
  });

  it('names every wrong group', () => {
    const problem = problemOf(variants[7] ?? assert.fail());
    assert.match(problem.message, /group 2 \(8MTT\), group 7 \(CVT14\)/);
    assert.match(problem.next, /^Group 2: have it read again\. Group 7: did you hear M – Mike/);
  });
});

describe('a code that does not fit', () => {
  it('asks for the quantity where none was said, for another one where one was, and for none where it brings none', () => {
    const [unsaid, said, activation] = [
      notForThis('key-pack', null),
      notForThis('key-pack', 4000),
      notForThis('activation', null),
    ].map(problemOf);
    assert.match(`${unsaid?.message} ${unsaid?.next}`, /more than 2048 CALs.*--quantity N/);
    assert.match(
      `${said?.message} ${said?.next}`,
      /neither 4000 CALs.*up to 2048.*how many CALs this very code/,
    );
    assert.doesNotMatch(said?.next ?? '', /--quantity N/);
    assert.doesNotMatch(`${activation?.message} ${activation?.next}`, /CALs|2048|install/);
  });
});

describe('exitCodeOf', () => {
  it('is 1 for what is refused, 3 for what cannot be reached, 4 for a broken past', () => {
    for (const refusal of Object.values(samples)) {
      const special = { 'clearinghouse-unreachable': 3, 'server-suspect': 4 }[refusal.code as string];
      assert.equal(exitCodeOf(refusal), special ?? 1, refusal.code);
    }
  });
});

describe('refusedBody', () => {
  it('carries code, words and the numbers under their own names', () => {
    const { message, next, ...rest } = refusedBody(samples['none-available']);
    assert.deepEqual(rest, samples['none-available']);
    assert.equal(message, problemOf(samples['none-available']).message);
    assert.equal(next, problemOf(samples['none-available']).next);
  });
});
