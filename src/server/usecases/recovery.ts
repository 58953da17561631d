/**
 * What this server does for a clearinghouse that was restored from a backup and says so (protocol §5.6): it takes the
 * journals that it is shown for the ones that hold from now on, and reports how far it has come until nobody asks any more.
 */
import { isoTime } from '../../core/time.ts';
import { clearinghouseOrigin } from '../../protocol/checkpoint.ts';
import { clearinghouseName } from '../../protocol/envelope.ts';
import type { Recovery, RecoveryReport, ReportedAuthority } from '../../protocol/recovery.ts';
import { msOf } from '../../protocol/schema.ts';
import { listCheckpoints } from '../../store/checkpoint-rows.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { AuthorityRow, LineRow } from '../../store/server-authority-rows.ts';
import { linesOfAgreement, listAuthorities } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { openServerMoves, settleRequest, waitingRequests } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import type { ServerContent } from '../send.ts';
import { noteEvent } from './events.ts';
import { accountsOf } from './license-token.ts';
import { requestActivation } from './requests.ts';

/** The highest epoch that was declared to this server. */
const epochKey = 'clearinghouseEpoch';
/** The epoch that a report is asked for in; empty: none is. */
const reportKey = 'recoveryReport';
/** Agreements for which a certificate is to be asked for (JSON). */
const certificatesKey = 'recoveryCertificates';

/** Takes in what a welcome says; answers whether the clearinghouse was restored since the last one. */
export async function takeRecovery(
  context: ServerContext,
  tx: WriteTx,
  recovery: Recovery | undefined,
): Promise<boolean> {
  const known = Number((await readMeta(tx, epochKey)) ?? '0');
  // One that was put back behind an epoch has not declared that: its journals tell.
  if (recovery === undefined || recovery.epoch < known) return false;
  await writeMeta(tx, reportKey, recovery.report ? String(recovery.epoch) : '');
  await writeMeta(tx, certificatesKey, JSON.stringify(recovery.certificates));
  if (recovery.epoch === known) return false;
  await writeMeta(tx, epochKey, String(recovery.epoch));
  // Who meets it for the first time has seen nothing before.
  if (((await readMeta(tx, 'lastContactAt')) ?? '') === '') return false;
  const seen = (await listCheckpoints(tx)).flatMap(({ origin, note }) =>
    origin.startsWith(`${clearinghouseOrigin(context.publisher)}/`) ? [note] : [],
  );
  const data = { epoch: recovery.epoch, backup: isoTime(msOf(recovery.backup)), seen };
  await noteEvent(context, tx, { number: 5045, data });
  await endForgotten(tx, data.backup);
  return true;
}

/** What was asked for and received may be forgotten, and would never be answered: it is to be asked for again. */
async function endForgotten(tx: WriteTx, backup: string): Promise<void> {
  for (const { id, kind } of await waitingRequests(tx)) {
    const refused = { code: 'request-forgotten', request: kind, backup };
    await settleRequest(tx, { id, state: 'refused', answer: JSON.stringify(refused) });
  }
}

/** The report that a contact carries; undefined where nobody asks. */
export async function readReport(tx: ReadTx): Promise<RecoveryReport | undefined> {
  const epoch = (await readMeta(tx, reportKey)) ?? '';
  if (epoch === '') return undefined;
  const moves = await openServerMoves(tx);
  const returns = await unheardReturns(tx);
  const authorities: ReportedAuthority[] = [];
  for (const authority of await listAuthorities(tx)) {
    const lines = await linesOfAgreement(tx, authority.agreement);
    const ofAgreement = moves.filter(({ agreement }) => agreement === authority.agreement);
    authorities.push(await reportOf(tx, { authority, lines, moves: ofAgreement, returns }));
  }
  return { epoch: Number(epoch), authorities };
}

/** Units by line that were given back in messages which the clearinghouse has not confirmed: it will hear of them. */
async function unheardReturns(tx: ReadTx): Promise<ReadonlyMap<string, number>> {
  const returns = new Map<string, number>();
  for (const { type, body } of await tx.outbox(clearinghouseName, everything)) {
    if (type !== 'return') continue;
    const { agreement, line, quantity } = (body as ServerContent).body as Record<string, number | string>;
    const key = `${agreement}/${line}`;
    returns.set(key, (returns.get(key) ?? 0) + Number(quantity));
  }
  return returns;
}

const everything = 1_000_000;

async function reportOf(
  tx: ReadTx,
  of: {
    readonly authority: AuthorityRow;
    readonly lines: readonly LineRow[];
    readonly moves: readonly ServerMoveRow[];
    readonly returns: ReadonlyMap<string, number>;
  },
): Promise<ReportedAuthority> {
  const { agreement, aid, basis, document, slot, state, horizonE } = of.authority;
  const { confirmationSeq: seq, freezes, releases, returns } = of.authority;
  const lines: ReportedAuthority['lines'][number][] = [];
  for (const row of of.lines) {
    const { line, openUnits: open, freeK, freeValue, heldK, heldValue } = row;
    const unheard = of.returns.get(`${agreement}/${line}`) ?? 0;
    const installed = (await tx.balance(accountsOf(row).installed)) + unheard;
    const free = { k: freeK, value: freeValue };
    lines.push({ line, open, free, held: { k: heldK, value: heldValue }, installed });
  }
  return {
    ...{ agreement, aid, certificate: basis === 'key' ? document : null, slot, active: state === 'active' },
    ...{ horizonE, seq, freezes, releases, returns, lines },
    moves: of.moves.filter(isUnderWay).map(({ id: move, line, role, unissued, held }) => ({
      ...{ move, line, role, units: unissued + held },
    })),
  };
}

/** Moves of which units are frozen here, or have come here and may still be with their source as well. */
function isUnderWay({ role, state, held }: ServerMoveRow): boolean {
  if (role === 'source') return state === 'frozen';
  return state === 'provisional' || (state === 'final' && held > 0);
}

/** Asks for the certificates that the clearinghouse wants to be asked for. What is refused is asked for again later. */
export async function askCertificates(context: ServerContext): Promise<void> {
  const wanted = await context.store.read((tx) => readMeta(tx, certificatesKey));
  for (const agreement of JSON.parse(wanted ?? '[]') as readonly string[]) {
    await requestActivation(context, { agreement, renew: true });
  }
}
