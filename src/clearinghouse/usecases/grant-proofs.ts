/**
 * What a grant and its undoing prove, and what of it belongs to others: both chains of a line may have gone on
 * since the license server was last told, by key packs that were read out and are not typed yet.
 */
import { base64url } from '../../core/bytes.ts';
import { freeChain, heldChain } from '../../core/chain.ts';
import type { JsonObject } from '../../core/json.ts';
import type { SourcedPack } from '../../store/committed-server-rows.ts';
import { sourcedPacks } from '../../store/committed-server-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { revealAt } from '../signer.ts';
import { idBytes } from '../stored-ids.ts';

/**
 * What a certificate says of the key packs under the authority before it, of which those that were never typed are among
 * its open units: the held ones, and the unissued ones of sources that no longer function (protocol §3.5).
 */
export async function packsBefore(tx: ReadTx, aid: string): Promise<JsonObject> {
  const packs = await sourcedPacks(tx, aid);
  const place = ({ line, kBefore, kAfter, source }: SourcedPack) => ({ line, kBefore, kAfter, source });
  const held = packs.filter(({ kind }) => kind === 'held');
  const free = packs.filter(({ kind, dead }) => kind === 'free' && dead === 1);
  return {
    heldBefore: held.map((pack) => ({ ...place(pack), ...(pack.dead === 1 ? { dead: true } : {}) })),
    ...(free.length === 0 ? {} : { freeBefore: free.map(place) }),
  };
}

/** The proofs of both chains up to the positions of a grant, with the held key packs below them. */
export async function grantProofs(
  context: ClearinghouseContext,
  tx: ReadTx,
  of: { readonly aid: string; readonly line: number; readonly free: number; readonly held: number },
): Promise<JsonObject> {
  const proof = (chain: number, k: number): JsonObject => ({
    k,
    value: base64url(revealAt(context, { aid: idBytes(of.aid), chain, k })),
  });
  const below = (await sourcedPacks(tx, of.aid)).filter(
    ({ kind, line, kAfter }) => kind === 'held' && line === of.line && kAfter <= of.held,
  );
  const heldBefore = below.map(({ kBefore, kAfter, source }) => ({ kBefore, kAfter, source }));
  return {
    free: proof(freeChain(of.line), of.free),
    heldChain: proof(heldChain(of.line), of.held),
    ...(heldBefore.length === 0 ? {} : { heldBefore }),
  };
}
