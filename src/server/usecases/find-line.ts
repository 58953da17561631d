/** Finds the line and the authority that an administrator's words point at. */
import { checkCalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { ReadTx } from '../../store/port.ts';
import type { AuthorityRow, LineRow } from '../../store/server-authority-rows.ts';
import { listAuthorities, listLines } from '../../store/server-authority-rows.ts';

export interface LineName {
  readonly product: string;
  readonly type: string;
  /** Needed only where two agreements have the same product and type. */
  readonly agreement?: string | undefined;
}

/**
 * The line of a product and type, with its active authority. Refused: `not-activated`, `deactivated`,
 * `line-unknown`, `agreement-missing` (two agreements have it, and none was named).
 */
export async function findNamedLine(
  tx: ReadTx,
  name: LineName,
): Promise<Result<{ readonly line: LineRow; readonly authority: AuthorityRow }, Refusal>> {
  const type = checkCalType(name.type);
  if (!type.ok) return type;
  const authorities = await listAuthorities(tx);
  if (authorities.length === 0) return err({ code: 'not-activated', agreement: name.agreement ?? null });
  const lines = (await listLines(tx)).filter(
    (line) =>
      line.product === name.product &&
      line.type === type.value &&
      (name.agreement === undefined || line.agreement === name.agreement),
  );
  const [line, second] = lines;
  if (line === undefined) {
    return err({
      code: 'line-unknown',
      agreement: name.agreement ?? '',
      product: name.product,
      type: name.type,
    });
  }
  if (second !== undefined) return err({ code: 'agreement-missing' });
  const authority = authorities.find((row) => row.agreement === line.agreement);
  if (authority?.state !== 'active') return err({ code: 'deactivated' });
  return ok({ line, authority });
}
