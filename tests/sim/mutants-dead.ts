/** Rules of sources that no longer function, each left out: see `mutants.ts`. */
import type { Mutant } from './mutant.ts';
import { whereHoldersLeave, whereLinesAreLost, whereServersFail } from './mutant.ts';

/** The rules of protocol §2.5; where the model check leaves the same one out, its words are those there. */
export const deadSources: readonly Mutant[] = [
  {
    name: 'M6',
    ...whereServersFail,
    rule: 'The units of a dead source wait until its horizon has passed',
    patches: [
      {
        file: 'store/dead-source-rows.ts',
        find: 'where (d.horizon < ? or d.approved_at is not null or d.immediate = 1) and d.granted_at is null',
        replace: 'where 0 < ? and d.granted_at is null',
      },
    ],
    caught: { seed: 1038, checker: 'one holder per origin' },
  },
  {
    name: 'M7',
    ...whereServersFail,
    rule: 'A source keeps its horizon',
    patches: [
      {
        file: 'core/standing.ts',
        find: "if (nowMs <= until.horizonMs) return 'assign';",
        replace: "if (nowMs <= until.sunsetMs) return 'assign';",
      },
    ],
    caught: { seed: 1010, checker: 'hosts let holders in' },
  },
  {
    name: 'D1',
    ...whereServersFail,
    rule: 'At the horizon nothing is free for others',
    patches: [
      {
        file: 'core/dead-source.ts',
        find: 'const free = of.early || of.nowMs > of.opensAtMs;',
        replace: 'const free = of.early || of.nowMs > 0;',
      },
    ],
    caught: { seed: 1015, checker: 'I5' },
  },
  {
    name: 'D2',
    ...whereServersFail,
    rule: 'The reserve waits for the end of the last lease',
    patches: [
      {
        file: 'core/dead-source.ts',
        find: 'return Math.min(horizonMs + longestLeaseMs, sunsetMs);',
        replace: 'return Math.min(horizonMs, sunsetMs);',
      },
    ],
    caught: { seed: 1015, checker: 'I5' },
  },
  {
    name: 'D3',
    ...whereServersFail,
    rule: 'A token that has ended is not honored',
    patches: [
      {
        file: 'server/usecases/license-situation.ts',
        find: 'const shown = shownForHolder(candidates, asked.shown, subIn)',
        replace: 'const shown = shownForHolder(candidates, asked.shown ?? asked.ended, subIn)',
      },
    ],
    caught: { seed: 1018, checker: 'one holder per origin' },
  },
  {
    name: 'D4',
    ...whereServersFail,
    rule: 'A place by name is for a token that lives at the grant',
    patches: [
      {
        file: 'server/usecases/dead-source.ts',
        find: '((gap.source === source || (isChain && gap.until > 0)) && gap.leaseEnd > nowMs) || opensAt < nowMs,',
        replace: 'gap !== undefined,',
      },
      {
        file: 'server/usecases/dead-source.ts',
        find: 'const claims = await withoutOthers(tx, dead, entitled);',
        replace: 'const claims = entitled;',
      },
    ],
    caught: { seed: 1033, checker: 'one holder per origin' },
  },
  {
    name: 'D5',
    ...whereHoldersLeave,
    rule: 'An early take-over is not counted against the reserve',
    patches: [
      {
        file: 'server/usecases/dead-source.ts',
        find: 'if (held === 0) await keepEarly(tx, dead);',
        replace: `if (held === 0) await keepEarly(tx, dead);
  const early = held === 0 ? [] : (await takenOverEarly(tx, line.id, source)).slice(0, held);
  for (const license of early) await markInherited(tx, license.id, null);
  if (early.length > 0) {
    await drawReserve(tx, move, early.length);
    await shiftUnits(tx, { lineId: line.id, from: move, to: freePool, amount: early.length });
    postings.push({
      kind: 'transfer', debit: accounts.reserved, credit: accounts.unissued, amount: early.length,
    });
  }`,
      },
    ],
    caught: { seed: 8033, checker: 'I5' },
  },
  {
    name: 'D6',
    ...whereServersFail,
    rule: 'No horizon is signed for a server that is declared dead',
    patches: [
      {
        file: 'clearinghouse/usecases/open-authority.ts',
        find: 'if (declared === undefined) return ok(null);',
        replace: 'if (declared?.grantedAt == null) return ok(null);',
      },
    ],
    caught: { seed: 1015, checker: 'one holder per origin' },
  },
  {
    name: 'D7',
    ...whereLinesAreLost,
    rule: 'A renewal past the horizon counts as at risk',
    patches: [
      {
        file: 'core/dead-source.ts',
        find: 'units: sunsetMs > opensAtMs ? units : 0,',
        replace: 'units: 0,',
      },
    ],
    caught: { seed: 6005, checker: 'I5' },
  },
  {
    name: 'D8',
    ...whereServersFail,
    rule: 'What is released early counts as at risk',
    patches: [
      {
        file: 'core/dead-source.ts',
        find: 'if (of.early) return { units, fromMs',
        replace: 'if (of.early) return { units: 0, fromMs',
      },
    ],
    caught: { seed: 1001, checker: 'I5' },
  },
  {
    name: 'D9',
    ...whereLinesAreLost,
    rule: 'What is released early counts as at risk until the sunset of its source',
    patches: [
      {
        file: 'core/dead-source.ts',
        find: 'fromMs: nowMs, untilMs: sunsetMs };',
        replace: 'fromMs: nowMs, untilMs: opensAtMs };',
      },
    ],
    caught: { seed: 6003, checker: 'I5' },
  },
];
