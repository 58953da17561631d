import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Posting } from '../core/ledger.ts';
import type { AgreementFacts } from './clearinghouse-facts.ts';
import { emptyAgreement, replayAgreement } from './clearinghouse-facts.ts';
import type { AuditEntry } from './entry.ts';
import type { Findings } from './finding.ts';
import { collectFindings } from './finding.ts';
import { matchAgreement, noteAgreement, noteServer } from './match.ts';
import type { ServerFacts } from './server-facts.ts';
import { emptyServer, replayServer } from './server-facts.ts';

const agreement = 'A-1';
const line = `${agreement}/0`;
const [source, target] = ['LS-1', 'LS-2'];
/** The clearinghouse is exported last, at 100; the servers at 90. */
const [exportedAt, serversAt] = [100, 90];

type Said = Pick<AuditEntry, 'kind' | 'body'> & Partial<Pick<AuditEntry, 'at' | 'id' | 'postings'>>;

const entryOf = (log: string, said: Said, number: number): AuditEntry => ({
  ...{ log, id: `entry-${number}`, at: 10, postings: [] },
  ...said,
});

const transfer = (from: string, to: string, amount: number): Posting => ({
  ...{ kind: 'transfer', debit: `${line}/${from}`, credit: `${line}/${to}`, amount },
});

function agreementOf(said: readonly Said[], findings: Findings): AgreementFacts {
  const facts = emptyAgreement({ agreement, madeAtMs: exportedAt, where: 'ch', size: said.length });
  for (const [position, one] of said.entries()) {
    replayAgreement(facts, entryOf(agreement, one, position), { position, findings });
  }
  return facts;
}

function serverOf(server: string, said: readonly Said[], findings: Findings): ServerFacts {
  const nothing = { wanted: new Set<string>(), types: new Map() };
  const facts = emptyServer({ server, madeAtMs: serversAt, where: server, size: said.length, ...nothing });
  for (const [position, one] of said.entries()) {
    replayServer(facts, entryOf('server', one, position), { position, findings });
  }
  return facts;
}

// ---- what an agreement's journal says

const bought: Said = {
  kind: 'entitled',
  body: { line: 0, product: 'ts', type: 'device', quantity: 50 },
  postings: [transfer('entitled', 'in-hand', 50)],
};
const granted: Said = {
  kind: 'granted',
  body: { server: source, line: 0, aid: 'a1', chain: 'free', kBefore: 0, k: 10 },
  postings: [transfer('in-hand', `committed/${source}/1`, 10)],
};
const move = { move: 'm', line: 0, source, target, unissued: 3, held: 1 };
const frozenThere: Said = {
  kind: 'move-frozen',
  body: {
    ...{ ...move, state: 'granted' },
    grants: [
      { aid: 'a2', chain: 'free', kBefore: 0, k: 3 },
      { aid: 'a2', chain: 'held', kBefore: 0, k: 1 },
    ],
  },
  postings: [
    {
      ...{ kind: 'pending', id: 'm', amount: 4, debit: `${line}/committed/${source}/1` },
      ...{ hold: `${line}/in-transit/m`, credit: `${line}/committed/${target}/1` },
    },
  ],
};
const releasedThere: Said = {
  kind: 'move-released',
  body: { ...move, state: 'closed' },
  postings: [{ kind: 'post', pending: 'm' }],
};
const undoneThere: Said = {
  kind: 'move-relinquished',
  body: { ...move, state: 'aborted' },
  postings: [{ kind: 'void', pending: 'm' }],
};
const returnedThere: Said = {
  kind: 'returned',
  body: { server: source, line: 0, amount: 2 },
  postings: [transfer(`committed/${source}/1`, 'in-hand', 2)],
};

// ---- what the journals of servers say

const here = { agreement, line: 0 };
const installed: Said = {
  kind: 'installed',
  body: { ...here, aid: 'a1', chain: 'free', k: 10, added: 10 },
  postings: [transfer('installed', 'unissued', 10)],
};
const frozenHere: Said = {
  kind: 'frozen',
  body: { ...here, move: 'm', unissued: 3, held: 1 },
  postings: [transfer('unissued', 'held', 4)],
};
const released: Said = {
  kind: 'released',
  body: { ...here, move: 'm', unissued: 3, held: 1 },
  postings: [transfer('unissued', 'installed', 4)],
};
const givenBack: Said = {
  kind: 'given-back',
  body: { ...here, amount: 2 },
  postings: [transfer('unissued', 'installed', 2)],
};
const moveInstalled: Said = {
  kind: 'move-installed',
  body: { ...here, move: 'm', aid: 'a2', freeK: 3, heldK: 1 },
  postings: [transfer('installed', 'unissued', 4)],
};
const relinquished: Said = {
  kind: 'relinquished',
  body: { ...here, move: 'm' },
  postings: [transfer('unissued', 'installed', 4)],
};

interface Case {
  readonly name: string;
  readonly there: readonly Said[];
  readonly source?: readonly Said[];
  readonly target?: readonly Said[];
  readonly break?: readonly string[];
  readonly notShown?: readonly string[];
}

const sound: readonly Case[] = [
  { name: 'a grant that was installed', there: [bought, granted], source: [installed] },
  { name: 'a grant that was not installed yet', there: [bought, granted], source: [] },
  {
    name: 'a move, to its end',
    there: [bought, granted, frozenThere, releasedThere],
    ...{ source: [installed, released], target: [moveInstalled] },
  },
  {
    name: 'a move by telephone, which has another id on its source',
    there: [bought, granted, frozenThere, releasedThere],
    source: [installed, { ...released, body: { ...released.body, move: 'other' } }],
    target: [moveInstalled],
  },
  {
    name: 'a move that was undone',
    there: [bought, granted, frozenThere, undoneThere],
    ...{ source: [installed], target: [moveInstalled, relinquished] },
  },
  { name: 'a return', there: [bought, granted, returnedThere], source: [installed, givenBack] },
];

const found: readonly Case[] = [
  {
    name: 'more installed than was granted',
    there: [bought, granted],
    source: [{ ...installed, postings: [transfer('installed', 'unissued', 11)] }],
    break: ['installed-not-granted', 'more-than-committed'],
  },
  {
    name: 'a position that was not granted, for as many units',
    there: [bought, granted],
    source: [{ ...installed, body: { ...installed.body, k: 11 } }],
    break: ['position-not-granted'],
  },
  {
    name: 'a grant that does not go on from the one before',
    there: [bought, { ...granted, body: { ...granted.body, kBefore: 1 } }],
    ...{ source: [installed], break: ['grant-gap'] },
  },
  {
    name: 'a move that is closed, and a source that has kept its units',
    there: [bought, granted, frozenThere, releasedThere],
    ...{ source: [installed], target: [moveInstalled] },
    break: ['credited-not-given-up', 'more-than-committed', 'release-missing'],
  },
  {
    name: 'one release for two moves of the same amounts',
    there: [
      ...[bought, granted, frozenThere, releasedThere],
      { ...releasedThere, body: { ...move, move: 'm2', state: 'closed' }, postings: [] },
    ],
    ...{ source: [installed, released], target: [moveInstalled], break: ['release-missing'] },
  },
  {
    name: 'a move that was undone, and a target that has kept its units',
    there: [bought, granted, frozenThere, undoneThere],
    ...{ source: [installed], target: [moveInstalled] },
    break: ['more-than-committed', 'relinquish-missing'],
  },
  {
    name: 'a move that was installed by another than its target',
    there: [bought, granted, frozenThere],
    source: [
      installed,
      frozenHere,
      { ...moveInstalled, body: { ...moveInstalled.body, aid: '' }, postings: [] },
    ],
    break: ['move-of-another'],
  },
  {
    name: 'a return that was never given up',
    there: [bought, granted, returnedThere],
    ...{ source: [installed], break: ['credited-not-given-up', 'more-than-committed'] },
  },
  {
    name: 'a return that came after the server was exported',
    there: [bought, granted, { ...returnedThere, at: serversAt + 1 }],
    ...{ source: [installed], notShown: ['credited-not-given-up', 'more-than-committed'] },
  },
  {
    name: 'a line that the agreement does not have',
    there: [bought, granted],
    source: [
      installed,
      {
        kind: 'installed',
        body: { agreement, line: 7, aid: '', chain: 'open', added: 500 },
        postings: [
          {
            kind: 'transfer',
            debit: `${agreement}/7/installed`,
            credit: `${agreement}/7/unissued`,
            amount: 500,
          },
        ],
      },
    ],
    break: ['installed-not-granted', 'more-than-committed'],
  },
  {
    name: 'units of a move that was never granted',
    there: [
      ...[bought, granted],
      { ...frozenThere, kind: 'move-started', body: { ...move, state: 'reserved' }, postings: [] },
      { ...undoneThere, kind: 'move-canceled', postings: [] },
    ],
    ...{ source: [installed], target: [moveInstalled, relinquished] },
    break: ['installed-not-granted', 'position-not-granted'],
  },
  {
    name: 'units that came in, and no installation',
    there: [bought, granted],
    ...{ source: [{ ...installed, kind: 'repaired' }], break: ['installed-by-other'] },
  },
  {
    name: 'an installation on a server that the clearinghouse does not know',
    there: [bought],
    source: [installed],
    break: ['installed-not-granted', 'more-than-committed', 'position-not-granted'],
  },
  {
    name: 'an installation after the clearinghouse was exported',
    there: [bought],
    source: [{ ...installed, at: exportedAt + 1 }],
    notShown: ['installed-not-granted', 'more-than-committed', 'position-not-granted'],
  },
];

describe('what both sides say', () => {
  const codes = (findings: Findings, level: string): readonly string[] =>
    [...new Set(findings.list.filter((each) => each.level === level).map(({ code }) => code))].sort();
  const match = (each: Case): Findings => {
    const findings = collectFindings();
    const facts = agreementOf(each.there, findings);
    const servers = new Map<string, ServerFacts>();
    for (const [server, said] of [
      [source, each.source],
      [target, each.target],
    ] as const) {
      if (said !== undefined || facts.servers.has(server))
        servers.set(server, serverOf(server, said ?? [], findings));
    }
    matchAgreement(facts, servers, findings);
    return findings;
  };
  for (const each of sound) {
    it(`fits: ${each.name}`, () => assert.deepEqual(match(each).list, []));
  }
  for (const each of found) {
    it(`does not fit: ${each.name}`, () => {
      const findings = match(each);
      assert.deepEqual(codes(findings, 'break'), each.break ?? [], JSON.stringify(findings.list));
      assert.deepEqual(codes(findings, 'not-shown'), each.notShown ?? []);
    });
  }

  it('is not shown of a server without a bundle', () => {
    const findings = collectFindings();
    matchAgreement(agreementOf([bought, granted], findings), new Map(), findings);
    assert.deepEqual(codes(findings, 'not-shown'), ['server-not-shown']);
  });

  it('notes open moves, quarantined units and endless horizons', () => {
    const findings = collectFindings();
    const endless: Said = { kind: 'horizon', body: { server: source, e: 360 } };
    noteAgreement(agreementOf([bought, granted, frozenThere, endless], findings), findings);
    assert.deepEqual(codes(findings, 'note'), ['horizon-perpetual', 'move-open']);
    const temporary: Said = { kind: 'temporary', body: { product: 'ts', sub: 's', until: serversAt + 1 } };
    const aside: Said = {
      ...givenBack,
      kind: 'set-aside',
      postings: [transfer('unissued', 'quarantined', 1)],
    };
    noteServer(serverOf(source, [installed, temporary, aside], findings), findings);
    assert.deepEqual(codes(findings, 'note'), [
      'horizon-perpetual',
      'move-open',
      'temporary-licenses',
      'units-at-risk',
    ]);
  });
});

it('finds accounts that there are not', () => {
  const findings = collectFindings();
  const odd = { ...installed, postings: [transfer('installed', 'hidden', 1)] };
  serverOf(source, [odd], findings);
  agreementOf([{ ...bought, postings: [transfer('entitled', 'hidden', 1)] }], findings);
  assert.deepEqual(
    findings.list.map(({ code }) => code),
    ['account-unknown', 'account-unknown'],
  );
});
