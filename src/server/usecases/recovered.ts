/**
 * Whether what a license server before this one had has come here (protocol §5.5). Its own database does not say what it had,
 * since a backup may be older than its CALs: the clearinghouse has granted each line, or said that there is nothing of it.
 */
import type { LostLine } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import { openSuccession } from '../../protocol/succession.ts';
import type { EndedDeclaration } from '../../store/gap-rows.ts';
import { endedDeclarations, holdingDeclaration, openDeclaration } from '../../store/gap-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { PredecessorRow } from '../../store/predecessor-rows.ts';
import { listPredecessors } from '../../store/predecessor-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { listAuthorities, listLines } from '../../store/server-authority-rows.ts';
import { findServerMove } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';

/** A line of this server, and the server before. */
interface Place {
  readonly lineId: number;
  readonly source: string;
}

/** Lines of agreements that this server gives out CALs of. */
export async function activeLines(tx: ReadTx, agreement: string | undefined): Promise<readonly LineRow[]> {
  const active = new Set(
    (await listAuthorities(tx)).filter((row) => row.state === 'active').map((row) => row.agreement),
  );
  const lines = (await listLines(tx)).filter((line) => active.has(line.agreement));
  return agreement === undefined ? lines : lines.filter((line) => line.agreement === agreement);
}

export async function isGranted(tx: ReadTx, place: Place): Promise<boolean> {
  return (await holdingDeclaration(tx, place))?.state === 'granted';
}

/** Whether a line has come, or the clearinghouse has said that the server before has nothing of it. */
export async function isSettled(tx: ReadTx, place: Place): Promise<boolean> {
  return (await isGranted(tx, place)) || (await endedDeclarations(tx, place)).some(saysNothing);
}

/** What the clearinghouse answers where its books have nothing of a server, which may never have reached it. */
const nothingCodes: readonly string[] = ['move-more-than-there-is', 'server-unknown'];

const isOf = (
  line: Pick<LineRow, 'agreement' | 'line'>,
  { agreement, line: number }: Pick<LostLine, 'agreement' | 'line'>,
): boolean => line.agreement === agreement && line.line === number;

/**
 * Whether an answer only says that there is nothing of a line, of which the server before is not known to have had any:
 * every line is asked for, so that is as it should be.
 */
export async function isNothingMissed(
  tx: ReadTx,
  of: Pick<LineRow, 'agreement' | 'line'> & { readonly source: string; readonly code: string },
): Promise<boolean> {
  if (!nothingCodes.includes(of.code)) return false;
  const before = (await listPredecessors(tx)).find((row) => row.licenseServerId === of.source);
  return before !== undefined && before.lines?.some((had) => isOf(of, had)) !== true;
}

/** By telephone the representative says so, and the administrator takes the declaration back. */
function saysNothing({ carrier, refused }: EndedDeclaration): boolean {
  if (carrier === 'telephone') return true;
  return refused !== null && nothingCodes.includes((JSON.parse(refused) as Refusal).code);
}

/**
 * Of a line that is not known to have had anything the desk reads nothing, and no answer comes here: the key pack of
 * another line of the agreement shows that all of them were looked up. A line that came later is no matter of this.
 */
async function isPassedOver(tx: ReadTx, { lineId, source }: Place): Promise<boolean> {
  const lines = await listLines(tx);
  const agreement = lines.find(({ id }) => id === lineId)?.agreement;
  const open = await openDeclaration(tx, { lineId, source });
  if (open !== undefined && (await findServerMove(tx, open.move))?.carrier !== 'telephone') return false;
  for (const line of lines) {
    if (line.agreement === agreement && (await isSettled(tx, { lineId: line.id, source }))) {
      return open !== undefined || (await endedDeclarations(tx, { lineId, source })).length === 0;
    }
  }
  return false;
}

/** Whether all that a server before had is here, as far as this server can ask for it. */
export async function isRecovered(
  tx: ReadTx,
  own: { readonly all: readonly LineRow[]; readonly active: readonly LineRow[] },
  { lines, licenseServerId: source }: PredecessorRow,
): Promise<boolean> {
  // Lines of an agreement that this server is not activated for are not here either.
  if (own.all.length === 0 || lines?.some((had) => !own.all.some((line) => isOf(line, had)))) return false;
  const active = new Set(own.active.map(({ id }) => id));
  for (const line of own.all) {
    const place = { lineId: line.id, source };
    const isKnown = lines?.some((had) => isOf(line, had)) ?? false;
    if ((!isKnown && !active.has(line.id)) || (await isSettled(tx, place))) continue;
    if (isKnown || !(await isPassedOver(tx, place))) return false;
  }
  return true;
}

/** The word of the server before, where it is for this one: one handed on names the server in between. */
export function proofFor(
  { digest, licenseServerId }: ServerContext,
  { proof }: Pick<PredecessorRow, 'proof'>,
): string | null {
  const word = proof === null ? undefined : openSuccession(digest, proof);
  return word?.ok && word.value.to === licenseServerId ? proof : null;
}

/**
 * The servers before whose CALs are not all here: they are those of the next one as well. Their word was for this one, and
 * says nothing of the next.
 */
export async function unrecovered(tx: ReadTx): Promise<readonly PredecessorRow[]> {
  const own = { all: await listLines(tx), active: await activeLines(tx, undefined) };
  const rows: PredecessorRow[] = [];
  for (const row of await listPredecessors(tx)) {
    if (!(await isRecovered(tx, own, row))) rows.push({ ...row, proof: null });
  }
  return rows;
}
