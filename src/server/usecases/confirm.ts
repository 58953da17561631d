/**
 * Confirmations: what this server reports by telephone of what it has done (protocol §3.6). Made in the
 * transaction of the act, under the next key of the ratchet; the old key is gone with the commit.
 */
import { bytesOfBase64url } from '../../core/bytes.ts';
import { formatCode, parseCode } from '../../core/code.ts';
import { formatDigits } from '../../core/code-digits.ts';
import type { ConfirmationKind, Counters } from '../../core/confirmation.ts';
import {
  allLines,
  confirmationCode,
  confirmationState,
  mostInConfirmation,
  nextKey,
} from '../../core/confirmation.ts';
import { spellGroups } from '../../core/spelling.ts';
import { hasRevoked } from '../../store/license-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import { sourcesOfFrozen } from '../../store/reserve-source-rows.ts';
import type { AuthorityRow } from '../../store/server-authority-rows.ts';
import { linesOfAgreement, saveConfirmationState } from '../../store/server-authority-rows.ts';
import type { ConfirmationRow } from '../../store/server-rows.ts';
import { insertConfirmation, releasedAt } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';

/** What the administrator reads to the representative. */
export type ConfirmationView = {
  readonly code: string;
  readonly digits: string;
  readonly spelled: readonly (readonly string[])[];
  readonly kind: ConfirmationKind;
  readonly agreement: string;
  readonly unissued: number;
  readonly held: number;
  /**
   * Servers whose CALs had come here for holders who never came, and are among those that are given up: named with
   * the key pack on the new server, it serves those holders too.
   */
  readonly alsoFrom: readonly string[];
};

export interface Act {
  readonly authority: AuthorityRow;
  readonly kind: ConfirmationKind;
  readonly line: number;
  readonly unissued: number;
  readonly held: number;
  /** How many of each this act adds to the counters. */
  readonly counts: Partial<Counters>;
  readonly move: string | null;
  readonly nowMs: number;
}

/** Makes the code that reports an act, and moves the ratchet and the counters on. */
export async function confirmAct(context: ServerContext, tx: WriteTx, act: Act): Promise<ConfirmationView> {
  const { authority } = act;
  const key = nextKey(context.digest, context.box.unseal('confirmation', authority.confirmationKey));
  const seq = authority.confirmationSeq + 1;
  const counters = {
    freezes: authority.freezes + (act.counts.freezes ?? 0),
    releases: authority.releases + (act.counts.releases ?? 0),
    returns: authority.returns + (act.counts.returns ?? 0),
  };
  const lines = (await linesOfAgreement(tx, authority.agreement)).map((line) => ({
    free: line.freeK,
    held: line.heldK,
  }));
  const aid = authority.basis === 'key' ? bytesOfBase64url(authority.aid) : undefined;
  const state = confirmationState(context.digest, { aid, lines, counters });
  const { kind, line, unissued, held } = act;
  const someReturned = await hasReturned(tx, act);
  const content = { kind, line, unissued, held, someReturned };
  const code = confirmationCode(context.digest, key, { seq, ...content, state });
  await saveConfirmationState(tx, {
    aid: authority.aid,
    confirmationKey: context.box.seal('confirmation', key),
    confirmationSeq: seq,
    ...counters,
  });
  const row: ConfirmationRow = {
    aid: authority.aid,
    agreement: authority.agreement,
    seq,
    kind,
    line,
    unissued,
    held,
    move: act.move,
    code: formatCode(code),
    at: act.nowMs,
  };
  await insertConfirmation(tx, row);
  return viewConfirmation(context, tx, row);
}

/**
 * Whether licenses were returned, of what a code gives up, that still run. Who went to the new server before is counted
 * there among the holders of what comes; of these nobody can tell whether they still are (protocol §2.4).
 */
async function hasReturned(tx: ReadTx, { authority, kind, line, nowMs }: Act): Promise<boolean> {
  if (kind !== 'released' && kind !== 'deactivated') return false;
  const lines = await linesOfAgreement(tx, authority.agreement);
  const told = lines.filter((each) => line === allLines || each.line === line);
  for (const { id } of told) if (await hasRevoked(tx, id, nowMs)) return true;
  return false;
}

/** A confirmation in both forms and in words; one made earlier is shown as it was made. */
export async function viewConfirmation(
  context: Pick<ServerContext, 'digest'>,
  tx: ReadTx,
  row: ConfirmationRow,
): Promise<ConfirmationView> {
  const code = parseCode(context.digest, row.code);
  if (!code.ok) throw new Error('A confirmation in the database cannot be read.');
  const { agreement, kind, unissued, held } = row;
  return {
    code: row.code,
    digits: formatDigits(context.digest, code.value),
    spelled: spellGroups(row.code),
    kind,
    agreement,
    unissued,
    held,
    alsoFrom: await alsoFromOf(tx, row),
  };
}

async function alsoFromOf(tx: ReadTx, row: ConfirmationRow): Promise<readonly string[]> {
  const moves = row.kind === 'deactivated' ? await releasedAt(tx, row) : [row.move];
  const sources = new Set<string>();
  for (const move of row.kind === 'frozen' ? [] : moves) {
    const found = move === null ? [] : await sourcesOfFrozen(tx, move, 'with-named');
    for (const source of found) sources.add(source);
  }
  return [...sources].sort();
}

/** Whether an amount can be told in a confirmation at all: two bytes (protocol §3.4). */
export function tooMuchToTell(amount: number): boolean {
  return amount > mostInConfirmation;
}
