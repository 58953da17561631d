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

type FoundLine = { readonly line: LineRow; readonly authority: AuthorityRow | undefined };

/**
 * The line of a product and type, with its active authority. Refused: `deactivated`, and what
 * `findAnyLine` refuses.
 */
export async function findNamedLine(
  tx: ReadTx,
  name: LineName,
): Promise<Result<{ readonly line: LineRow; readonly authority: AuthorityRow }, Refusal>> {
  const found = await findAnyLine(tx, name);
  if (!found.ok) return found;
  const { line, authority } = found.value;
  return authority?.state === 'active' ? ok({ line, authority }) : err({ code: 'deactivated' });
}

/**
 * The same whether or not the server has been deactivated since. Refused: `not-activated`, `line-unknown`,
 * `agreement-missing` (two agreements have it, and none was named).
 */
export async function findAnyLine(tx: ReadTx, name: LineName): Promise<Result<FoundLine, Refusal>> {
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
  return ok({ line, authority: authorities.find((row) => row.agreement === line.agreement) });
}
