/** The publisher's products: versions within a family, which decide what serves what. */
import type { Product } from '../../core/product.ts';
import { checkProduct } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { findProduct, insertProduct, listProducts as productRows } from '../../store/agreement-rows.ts';
import type { ClearinghouseContext } from '../context.ts';

/** The journal of what belongs to no agreement. */
export const publisherLog = 'publisher';

/**
 * Adds a product version; word for word the same again changes nothing. Refused: `invalid-input`,
 * `product-exists`.
 */
export async function addProduct(
  context: ClearinghouseContext,
  draft: Product,
): Promise<Result<Product, Refusal>> {
  const checked = checkProduct(draft);
  if (!checked.ok) return checked;
  const product = checked.value;
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    const present = await findProduct(tx, product.id);
    if (present !== undefined) {
      return isSame(present, product) ? ok(product) : err({ code: 'product-exists', product: product.id });
    }
    await insertProduct(tx, product, nowMs);
    await tx.post({
      log: publisherLog,
      kind: 'product-added',
      id: `product:${product.id}`,
      at: nowMs,
      body: { ...product },
    });
    return ok(product);
  });
}

function isSame(a: Product, b: Product): boolean {
  return a.name === b.name && a.family === b.family && a.version === b.version;
}

export async function listProducts(context: ClearinghouseContext): Promise<readonly Product[]> {
  return context.store.read(productRows);
}
