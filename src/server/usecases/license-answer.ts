/** What a license request is answered with, where it is not refused (docs/http.md, 2). */
import type { CalType } from '../../core/product.ts';
import { isoTime } from '../../core/time.ts';
import type { ServerContext } from '../context.ts';
import type { Asked, Candidate, Situation } from './license-situation.ts';
import { permanentToken, temporaryToken } from './license-token.ts';
import type { OwnToken } from './own-token.ts';
import type { LicenseRequest } from './request-license.ts';

/** An answer whose token is being signed while the transaction goes on. */
export interface Granted {
  readonly status: 'issued' | 'renewed' | 'unchanged';
  readonly kind: 'permanent' | 'temporary';
  readonly product: string;
  readonly type: CalType;
  readonly unit: number | null;
  readonly origin: string | null;
  readonly token: Promise<string>;
  readonly expiresAt: string;
  readonly bundleText: string;
  /** Where the CAL is going, so that its holder can go there before; null: nowhere. */
  readonly referral: string | null;
}

/** A permanent license as it stands in the books. */
export function permanentAnswer(
  context: ServerContext,
  status: Granted['status'],
  of: Candidate & {
    readonly license: Parameters<typeof permanentToken>[2];
    readonly referral: string | null;
  },
): Granted {
  const { license, line, referral } = of;
  return {
    status,
    kind: 'permanent',
    product: line.product,
    type: line.type,
    unit: license.unit,
    origin: license.origin,
    token: permanentToken(context, of, license),
    expiresAt: isoTime(license.expiresAt),
    bundleText: of.authority.bundleText,
    referral,
  };
}

/** A license that is no CAL: a temporary one, or one that bridges a gap. */
export function temporaryAnswer(
  context: ServerContext,
  status: Granted['status'],
  of: {
    readonly situation: Pick<Situation, 'facts'>;
    readonly asked: Pick<Asked, 'request'>;
    readonly row: Parameters<typeof temporaryToken>[2];
    readonly referral: string | null;
  },
): Granted {
  const { row, asked, situation, referral } = of;
  return {
    status,
    kind: 'temporary',
    product: asked.request.product,
    type: asked.request.type,
    unit: null,
    origin: null,
    token: temporaryToken(context, situation.facts, row),
    expiresAt: isoTime(row.expiresAt),
    bundleText: situation.facts.bare.bundleText,
    referral,
  };
}

/** The license that was shown, as it was shown: these books cannot renew it. */
export function shownAnswer(
  of: Candidate & {
    readonly own: OwnToken;
    readonly request: LicenseRequest;
    readonly referral: string | null;
  },
): Granted {
  const { own, line, request, referral } = of;
  return {
    status: 'unchanged',
    kind: 'permanent',
    product: line.product,
    type: line.type,
    unit: own.unit,
    origin: own.origin,
    token: Promise.resolve(request.source?.token ?? ''),
    expiresAt: isoTime(own.expiresAt),
    bundleText: JSON.stringify(request.source?.bundle),
    referral,
  };
}
