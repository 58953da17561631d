/** The conservation reports at the end of moves: the last statements come with the contacts after it. */
import type { JsonObject } from '../core/json.ts';
import { secondMs } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import type { ApiClient } from './client.ts';
import { reportPath } from './move-report.ts';
import type { Report } from './move-report-page.ts';

/** How long the end of a command is kept back until the target has stated what it has, milliseconds. */
const reportWaitMs = 10 * secondMs;
/** How long one contact may be held back by the clearinghouse, milliseconds. */
const contactWaitMs = 2 * secondMs;

/**
 * The reports of moves that have ended on this source, asked for until they are complete or the time is up.
 * The moves are over: a line that breaks now only leaves a report for later.
 */
export async function awaitReports(
  api: ApiClient,
  moves: readonly { readonly id: string }[],
): Promise<readonly Report[]> {
  const untilMs = systemClock.nowMs() + reportWaitMs;
  for (;;) {
    const reports: Report[] = [];
    for (const { id } of moves) reports.push(await api.call<Report>('GET', reportPath.server(id)));
    const leftMs = untilMs - systemClock.nowMs();
    if (leftMs <= 0 || reports.every(({ verdict }) => verdict !== 'incomplete')) return reports;
    const waitMs = Math.min(contactWaitMs, leftMs);
    const contact = await api.request('POST', '/v1/admin/contact', { body: { waitMs } });
    if (contact.status !== 200) return reports;
  }
}

/** What a command that is about more prints of a report. */
export function shortReport({ move, verdict, findings, totals, missing }: Report): JsonObject {
  return { move, verdict, findings: [...findings], totals, missing: [...missing] };
}
