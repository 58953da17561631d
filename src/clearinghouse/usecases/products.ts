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

/** Adds a product version. Refused: `invalid-input`, `product-exists`. */
export async function addProduct(
  context: ClearinghouseContext,
  draft: Product,
): Promise<Result<Product, Refusal>> {
  const checked = checkProduct(draft);
  if (!checked.ok) return checked;
  const product = checked.value;
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    if ((await findProduct(tx, product.id)) !== undefined) {
      return err({ code: 'product-exists', product: product.id });
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

export async function listProducts(context: ClearinghouseContext): Promise<readonly Product[]> {
  return context.store.read(productRows);
}
