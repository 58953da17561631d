/**
 * The rules of protocol §2.6 and of moves by telephone, each left out by a change of the sources as they
 * are loaded. Every one has to be caught; `seed` is one that does it quickly.
 */
import type { Mutant } from './mutant.ts';
import { rareSince, whereMovesGoOn, whereMovesTakeLong } from './mutant.ts';
import { deadSources } from './mutants-dead.ts';
import { putBacks } from './mutants-put-back.ts';
import type { Patch } from './patches.ts';

const takeFreezeEarly: readonly Patch[] = [
  {
    file: 'clearinghouse/usecases/start-move.ts',
    find: "import { outgoing } from '../send.ts';",
    replace: "import { outgoing } from '../send.ts';\nimport { takeFreeze } from './take-freeze.ts';",
  },
  {
    file: 'clearinghouse/usecases/start-move.ts',
    find: '`, outbox });\n  return ok(move);\n',
    replace: `\`, outbox });
  if (move.quantity !== 'all') {
    const early = { ...move, unissued: move.quantity, held: 0 };
    await takeFreeze(context, tx, { move: early, nowMs: context.clock.nowMs() });
  }
  return ok(move);
`,
  },
];

const moves: readonly Mutant[] = [
  {
    name: 'M1',
    rule: 'The grant waits for the freeze receipt',
    patches: takeFreezeEarly,
    caught: { seed: 3, checker: 'I5' },
  },
  {
    name: 'M2',
    rule: 'A grant is applied once',
    patches: [
      {
        file: 'server/usecases/advance-chain.ts',
        find: 'if (proof.k <= present.k) return ok({ added: 0 });',
        replace: 'if (proof.k === present.k && proof.k > 0) return ok({ added: 1 });',
      },
      {
        file: 'server/usecases/advance-chain.ts',
        find: 'const added = proof.k - present.k;\n  const value',
        replace: 'const added = Math.max(1, proof.k - present.k);\n  const value',
      },
    ],
    caught: { seed: 3, checker: 'exception' },
  },
  {
    name: 'M3',
    rule: 'Undo waits for the receipt of the target',
    patches: [
      {
        file: 'core/move.ts',
        find: "const undo: Cell = { to: 'aborting', effects: [toTarget('cancel')] };",
        replace:
          "const undo: Cell = { to: 'aborted', effects: [voidToSource, toSource('unfreeze'), toTarget('cancel')] };",
      },
    ],
    caught: { seed: 36, checker: 'I3' },
  },
  {
    name: 'U1',
    rule: 'A target that has passed on what it would give back says so, and the move goes on',
    patches: [
      {
        file: 'server/usecases/relinquish.ts',
        find: '(await hasPassedOn(tx, { line, move: id, source: body.source, amount }))',
        replace: 'amount < 0',
      },
      {
        file: 'server/usecases/relinquish.ts',
        find: 'import { hasPassedOn, keep }',
        replace: 'import { keep }',
      },
    ],
    ...rareSince(48_507_307),
    caught: { seed: 48_507_307, checker: 'every move ends' },
  },
  {
    name: 'G1',
    rule: 'A certificate waits for grants that are under way',
    patches: [
      {
        file: 'store/clearinghouse-rows.ts',
        find: 'for (const waiting of await waitingGrants(tx, of.target)) {',
        replace: 'for (const waiting of (await waitingGrants(tx, of.target)).slice(0, 0)) {',
      },
    ],
    ...rareSince(46_712_612),
    caught: { seed: 46_712_612, checker: 'I5' },
  },
  {
    name: 'M4',
    only: ({ untimely }) => untimely > 0,
    steps: 150,
    rule: 'An undone move leaves a tombstone, for a freeze that comes late',
    patches: [
      {
        file: 'core/move-servers.ts',
        find: "undone: { freeze: 'again', unfreeze: 'again' },",
        replace:
          "undone: { freeze: { to: 'frozen', effects: [freezeUnits, told('frozen')] }, unfreeze: 'again' },",
      },
    ],
    caught: { seed: 4502, checker: 'nothing stays frozen' },
  },
  {
    name: 'M5',
    rule: 'A frozen source gives nothing new',
    patches: [
      {
        file: 'store/license-rows.ts',
        find: "where l.line_id = ? and l.state = 'issued' and l.lease_end < ?",
        replace: "where l.line_id = ? and l.state in ('issued', 'held') and l.lease_end < ?",
      },
    ],
    caught: { seed: 3, checker: 'exception' },
  },
  {
    name: 'M10',
    rule: 'The commit waits for the receipt of the target',
    patches: [
      {
        file: 'core/move.ts',
        find: "grant: { to: 'granted', effects: [toTarget('grant')] },",
        replace:
          "grant: { to: 'committed', effects: [postToTarget, toTarget('grant'), toSource('release'), toTarget('final')] },",
      },
    ],
    caught: { seed: 3, checker: 'holders keep working' },
  },
  {
    name: 'M13',
    ...whereMovesTakeLong,
    rule: 'The ends of leases go along to the new owner',
    patches: [
      {
        file: 'server/usecases/move-as-target.ts',
        find: 'await clearInherited(tx, id);',
        replace:
          "await clearInherited(tx, id);\n  await tx.run('update reservations set lease_end = 0 where move = ?', id);",
      },
    ],
    caught: { seed: 4003, checker: 'holders keep working' },
  },
  {
    name: 'M14',
    ...whereMovesTakeLong,
    rule: 'Reserved units wait while the source may still renew',
    patches: [
      {
        file: 'store/reserve-rows.ts',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the source is searched for these very words
        find: 'join moves m on m.id = r.move and ${isSettled}\n',
        replace: '',
      },
    ],
    caught: { seed: 4003, checker: 'I5' },
  },
  {
    name: 'M15',
    rule: 'No timer ends an overlap',
    patches: [
      {
        file: 'store/license-rows.ts',
        find: 'where l.kind = ? and l.holder = ? and l.ended = 0`,',
        replace: "where l.kind = ? and l.holder = ? and l.ended = 0 and l.state = 'issued'`,",
      },
    ],
    caught: { seed: 2, checker: 'holders keep working' },
  },
  {
    name: 'M16',
    ...whereMovesTakeLong,
    rule: 'Inherited units wait until the source is known to be closed',
    patches: [
      {
        file: 'store/license-rows.ts',
        find: 'and l.inherited_from is null order by l.lease_end limit ?',
        replace: 'order by l.lease_end limit ?',
      },
    ],
    caught: { seed: 4003, checker: 'I5' },
  },
];

const chains: readonly Mutant[] = [
  {
    name: 'R7',
    ...whereMovesGoOn,
    rule: 'Nobody goes on whom another source still renews',
    patches: [
      {
        file: 'server/usecases/freeze.ts',
        find: 'return shared === undefined ? split : err(',
        replace: 'return shared === undefined || split.ok ? split : err(',
      },
    ],
    caught: { seed: 9000, checker: 'I5' },
  },
];

const byTelephone: readonly Mutant[] = [
  {
    name: 'T1',
    ...whereMovesTakeLong,
    rule: 'The held part of a move by telephone is a reserve, not free units',
    patches: [
      {
        file: 'server/usecases/held-key-pack.ts',
        find: "pool: reserve, to: 'reserved', told",
        replace: "pool: '', to: 'unissued', told",
      },
      {
        file: 'server/usecases/held-key-pack.ts',
        find: '  await openHeld(context, tx, {',
        replace: '  if (dead !== undefined) await openHeld(context, tx, {',
      },
    ],
    caught: { seed: 4002, checker: 'I5' },
  },
  {
    name: 'T2',
    rule: 'By telephone nothing is undone after the freeze',
    patches: [
      {
        file: 'core/move.ts',
        find: '    released: releasedByTelephone,\n',
        replace:
          "    released: releasedByTelephone,\n    cancel: { to: 'aborted', effects: [voidToSource, toSource('unfreeze')] },\n",
      },
      {
        file: 'core/undo.ts',
        find: "telephone: ['frozen', 'granted', 'installed', 'committed', 'closed', 'fenced'],",
        replace: "telephone: ['frozen', 'installed', 'committed', 'closed', 'fenced'],",
      },
    ],
    caught: { seed: 4, checker: 'I3' },
  },
  {
    name: 'T3',
    rule: 'Chains count, and are never compared with what is installed',
    patches: [
      {
        file: 'server/usecases/advance-chain.ts',
        find: 'const added = proof.k - present.k;\n  const value',
        replace:
          "const added = proof.chain === 'free' ? Math.max(0, proof.k - (await tx.balance(serverAccount(line.agreement, line.line).installed))) : proof.k - present.k;\n  const value",
      },
    ],
    caught: { seed: 3, checker: 'I3' },
  },
  {
    name: 'T4',
    atEnd: true,
    rule: 'A release wins over an undo',
    patches: [
      {
        file: 'core/move.ts',
        find: "const releasedAfterUndo: Cell = { to: 'closed', effects: [sourceToLapse] };",
        replace: "const releasedAfterUndo: Cell = { to: 'aborted', effects: [] };",
      },
    ],
    caught: { seed: 2013, checker: 'nothing is lost' },
  },
  {
    name: 'T5',
    ...whereMovesTakeLong,
    rule: 'A reserve is open to others when the last lease of its source can have ended',
    patches: [
      {
        file: 'store/reserve-rows.ts',
        find: 'from reserves r where line_id = ? and amount > 0 and opens_at < ? order by',
        replace: 'from reserves r where line_id = ? and amount > 0 and 0 < ? order by',
      },
    ],
    caught: { seed: 4007, checker: 'I5' },
  },
];

export const mutants: readonly Mutant[] = [...moves, ...chains, ...byTelephone, ...deadSources, ...putBacks];

/** Mutants of rules that belong to parts that are not there yet. */
export const notYet: Readonly<Record<string, string>> = {
  M8: 'a disk that is put back with everything that could tell it, which nobody can prevent',
  M11: 'a past that is in doubt: the simulation puts back only what is made good at once',
};
