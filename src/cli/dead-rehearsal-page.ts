/** What a declaration that a source no longer functions comes to, as a rehearsal shows it, here and at the desk. */

import { cals, when } from '../protocol/problem-words.ts';
import type { Cell } from './page.ts';
import type { DeadOutlook, End } from './rehearsal-page.ts';
import { addressText, lastHeard } from './rehearsal-page.ts';
import type { Reach } from './server-move-target.ts';

type Rows = readonly (readonly [string, Cell])[];

/** The days, what is at risk, and who may release the CALs early; `source` as the clearinghouse knows it. */
export function outlookRows(dead: DeadOutlook, source: End & { readonly licenseServerId: string }): Rows {
  const { horizon, opensAt, atRisk } = dead;
  const passed = dead.early === null;
  return [
    ['Source', `${source.name ?? source.licenseServerId}; ${lastHeard(source)}`],
    ['Its horizon', `${when(horizon)}: until then it may give CALs to new holders, should it live`],
    [
      'CALs come',
      passed
        ? 'at once: the horizon has passed, or they were released'
        : 'when that has passed, for the holders of the source',
    ],
    ['Open to others', `after ${when(opensAt)}, when every license of the source has ended`],
    [
      'Units at risk',
      atRisk.units === 0
        ? 'none'
        : `${atRisk.units}, from ${when(atRisk.from)} to ${when(atRisk.until)}: what the source renews late, should it live`,
    ],
    ...earlyRows(dead),
  ];
}

function earlyRows({ early }: DeadOutlook): Rows {
  if (early === null) return [];
  const { left, next, atRisk } = early;
  if (left === 0) {
    return [
      ['Early release', `not before ${next ?? ''}: this agreement has had its early releases of the year`],
    ];
  }
  return [
    [
      'Early release',
      `by a second person at the clearinghouse (calyx desk approve), not by who declares or enters this; ${left} left for this ` +
        `agreement within a year. Units at risk then: ${atRisk.units}, until ${when(atRisk.until)}`,
    ],
  ];
}

/** Whether the source answers after all: one that can be started need not be waited for. */
export function aliveText(source: Reach): string {
  const at = addressText(source);
  if (at === null) return 'not asked: no address of it is known';
  if (!source.reached) return `no, not at ${at}: ${source.reason ?? ''}`;
  return `yes, at ${at}. Move its CALs from there instead (calyx server move --to …): then nothing has to wait`;
}

/** What will be said of the source; or what is still to be said. */
export function statementRow(
  statement: { readonly by: string; readonly text: string } | null,
): readonly [string, Cell] {
  return [
    'Statement',
    statement === null
      ? 'still to be given: --statement "NAME: what happened". It stays in the journals'
      : `${statement.by}: ${statement.text} (it stays in the journals)`,
  ];
}

/** Whom it concerns: nobody but the source knows its holders. */
export function holdersText(holders: { readonly waiting: number; readonly takenOver: number }): string {
  const { waiting, takenOver } = holders;
  const shown = waiting === 0 ? '' : ` ${waiting} wait here with one already.`;
  const early = takenOver === 0 ? '' : ` ${cals(takenOver)} of this server's own are with holders of it.`;
  return (
    'the holders of the source; only it knows their names. Whoever shows a license of it here, running or ended for at most ' +
    `90 days, is given a gap license for 90 days, once.${shown}${early}`
  );
}
