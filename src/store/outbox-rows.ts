/** What waits in the outbox, without the messages themselves: a long move leaves many of them, and large ones. */
import type { ReadTx } from './port.ts';

/**
 * How many messages for `recipient`, oldest first, have `mostBytes` at most together; one at least where
 * any waits. `more` says whether others wait behind them.
 */
export async function waitingWithin(
  tx: ReadTx,
  recipient: string,
  most: { readonly messages: number; readonly bytes: number },
): Promise<{ readonly count: number; readonly more: boolean }> {
  const sizes = await tx.all<{ bytes: number }>(
    `select octet_length(body) as bytes from outbox where recipient = ? and acknowledged = 0
     order by position limit ?`,
    recipient,
    most.messages + 1,
  );
  let bytes = 0;
  let count = 0;
  for (const row of sizes.slice(0, most.messages)) {
    bytes += row.bytes;
    if (count > 0 && bytes > most.bytes) break;
    count += 1;
  }
  return { count, more: count < sizes.length };
}

/** The grants that wait for a license server, and of which moves they are. */
export async function waitingGrants(
  tx: ReadTx,
  recipient: string,
): Promise<readonly { readonly id: string; readonly move: string }[]> {
  const rows = await tx.all<{ id: string; body: string }>(
    `select id, body from outbox where recipient = ? and acknowledged = 0 and type = 'grant' order by position`,
    recipient,
  );
  return rows.map(({ id, body }) => ({ id, move: (JSON.parse(body) as { readonly move: string }).move }));
}

/** Those of `ids` that wait for `recipient`: whoever confirms something confirms its own mail only. */
export async function waitingAmong(
  tx: ReadTx,
  recipient: string,
  ids: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const id of ids) {
    const row = await tx.get<{ id: string }>(
      'select id from outbox where id = ? and recipient = ? and acknowledged = 0',
      id,
      recipient,
    );
    if (row !== undefined) found.push(row.id);
  }
  return found;
}
