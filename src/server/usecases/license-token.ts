/** Makes the token of a license: who holds which unit until when, signed by this server (protocol §4.3). */
import { serverAccount } from '../../core/account.ts';
import { firstBytes, hex } from '../../core/bytes.ts';
import { isoTime } from '../../core/time.ts';
import { signCalToken } from '../../protocol/cal-token.ts';
import type { LogHead } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import type { AuthorityFacts, ServerFacts } from './server-facts.ts';

/** The one journal of a license server. */
export const serverLog = 'server';

export interface TokenOrder {
  readonly facts: ServerFacts;
  readonly authority: AuthorityFacts;
  readonly line: LineRow;
  readonly sub: string;
  readonly unit: number;
  readonly origin: string;
  readonly late: boolean;
  readonly nowMs: number;
  readonly expiresAt: number;
  readonly jti: string;
  readonly head: LogHead;
}

/** The token of a permanent license. */
export function permanentToken(context: ServerContext, order: TokenOrder): string {
  return signCalToken(
    {
      t: 'cal',
      v: 1,
      iss: context.licenseServerId,
      gen: order.facts.generation,
      aid: order.authority.row.aid,
      line: order.line.line,
      prod: order.line.product,
      kind: order.line.type,
      unit: order.unit,
      origin: order.origin,
      ...(order.late ? { late: true } : {}),
      jti: order.jti,
      sub: order.sub,
      iat: isoTime(order.nowMs),
      nbf: isoTime(order.nowMs),
      exp: isoTime(order.expiresAt),
      lvl: order.authority.row.basis,
      log: [order.head.size, hex(firstBytes(order.head.root, 6))],
    },
    { key: context.key, bundle: order.authority.bundleHash },
  );
}

/** The token of a temporary license: no unit, and no authority where the server has none. */
export function temporaryToken(
  context: ServerContext,
  order: {
    readonly facts: ServerFacts;
    readonly product: string;
    readonly sub: string;
    readonly nowMs: number;
    readonly expiresAt: number;
    readonly jti: string;
    readonly head: LogHead;
  },
): string {
  return signCalToken(
    {
      t: 'cal',
      v: 1,
      iss: context.licenseServerId,
      gen: order.facts.generation,
      aid: null,
      line: null,
      prod: order.product,
      kind: 'temp',
      unit: null,
      origin: null,
      jti: order.jti,
      sub: order.sub,
      iat: isoTime(order.nowMs),
      nbf: isoTime(order.nowMs),
      exp: isoTime(order.expiresAt),
      lvl: 'none',
      log: [order.head.size, hex(firstBytes(order.head.root, 6))],
    },
    { key: context.key, bundle: order.facts.bare.bundleHash },
  );
}

/** The accounts of a line on this server. */
export function accountsOf(line: Pick<LineRow, 'agreement' | 'line'>): ReturnType<typeof serverAccount> {
  return serverAccount(line.agreement, line.line);
}
