/** A holder as messages name it: for whom a unit goes along with a move. */
import type { JsonObject } from '../../core/json.ts';
import { isoTime } from '../../core/time.ts';
import type { LicenseRow } from '../../store/license-rows.ts';

export type NamedHolder = Pick<LicenseRow, 'sub' | 'kind' | 'origin' | 'unit' | 'leaseEnd'>;

export function viewHolder({ sub, kind, origin, unit, leaseEnd }: NamedHolder): JsonObject {
  return { sub, kind, origin, unit, leaseEnd: isoTime(leaseEnd) };
}
