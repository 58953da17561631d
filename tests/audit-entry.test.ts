/**
 * `calyx audit --entry`, with real processes: what it prints of a license, and of an entry of the clearinghouse, proves
 * both to somebody who has no bundle and only the root (docs/audit.md, §1).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { utf8 } from '../src/core/bytes.ts';
import { leafHash } from '../src/core/merkle.ts';
import { verifyInclusion } from '../src/core/merkle-proof.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import { readPayload } from '../src/protocol/paseto.ts';
import { arrive } from './ten-steps/devices.ts';
import type { Site } from './ten-steps/site.ts';
import { addPair, agreement, openSite } from './ten-steps/site.ts';

interface Proof {
  readonly id: string;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly position: number;
  readonly entry: string;
  readonly proof: readonly string[];
}

interface Audited {
  readonly verdict: string;
  readonly findings: readonly { readonly code: string; readonly level: string }[];
  readonly journals: readonly { readonly origin: string; readonly size: number; readonly root: string }[];
  readonly proofs: readonly Proof[];
}

/** As somebody does who has these lines, the root, and RFC 6962. */
function holds(proof: Proof, entry = proof.entry): boolean {
  const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
  return verifyInclusion(nodeDigest, {
    leaf: leafHash(nodeDigest, utf8(entry)),
    index: proof.position,
    head: { size: proof.size, root: bytes(proof.root) },
    proof: proof.proof.map(bytes),
  });
}

describe('calyx audit --entry', () => {
  let site: Site;
  let jti = '';
  let bundles: readonly string[] = [];

  before(async () => {
    site = await openSite(10);
    const { old } = await addPair(site, 5);
    for (const name of ['pc-1', 'pc-2', 'pc-3']) {
      const { token } = await arrive(old.address, name);
      if (name === 'pc-2') jti = String(readPayload(token)?.['jti']);
    }
    bundles = [site.file('old.bundle'), site.file('clearinghouse.bundle')];
    const [own = '', other = ''] = bundles;
    await old.done('server', 'export', '--out', own);
    await site.clearinghouse.done('clearinghouse', 'export', '--agreement', agreement, '--out', other);
  });
  after(() => site.close());

  it('proves a license under the checkpoint of its journal, and nothing else by the same hashes', async () => {
    const words = ['audit', ...bundles, '--root', site.bundle, '--entry', jti];
    const { verdict, proofs, journals } = await site.calyx.done<Audited>(...words);
    const [proof] = proofs;
    assert.ok(proof);
    assert.deepEqual([verdict, proofs.length, proof.id], ['ok', 1, jti]);
    const journal = journals.find(({ origin }) => origin === proof.origin);
    assert.deepEqual([journal?.size, journal?.root], [proof.size, proof.root]);
    assert.equal((JSON.parse(proof.entry) as { kind: string }).kind, 'issued');
    assert.equal(holds(proof), true);
    assert.equal(holds(proof, proof.entry.replace('"issued"', '"renewed"')), false);
    assert.equal(holds({ ...proof, position: proof.position - 1 }), false);
  });

  it('proves entries of several journals at once, on the page word for word', async () => {
    const page = await site.calyx.page('audit', ...bundles, '--entry', jti);
    const { proofs } = await site.calyx.done<Audited>('audit', ...bundles, '--entry', jti);
    const [proof] = proofs;
    assert.ok(proof);
    assert.match(page, new RegExp(`Entry ${jti} stands in a journal`));
    for (const line of [proof.entry, ...proof.proof, `position ${proof.position} of ${proof.size}`]) {
      assert.ok(page.includes(line), line);
    }
    const granted = /"id":"([^"]+)","kind":"granted"/.exec(readFileSync(bundles[1] ?? '', 'utf8'))?.[1] ?? '';
    const both = await site.calyx.done<Audited>('audit', ...bundles, '--entry', jti, granted);
    // The license server has put in its journal what it was granted, under the same id.
    assert.deepEqual(
      both.proofs
        .map(({ id, origin }) => `${id} ${origin === proof.origin ? 'server' : 'publisher'}`)
        .toSorted(),
      [`${jti} server`, `${granted} publisher`, `${granted} server`].toSorted(),
    );
    assert.ok(both.proofs.every((each) => holds(each)));
  });

  it('says of an entry that no journal has that it is not shown', async () => {
    const { verdict, proofs, findings } = await site.calyx.done<Audited>(
      ...['audit', ...bundles, '--entry', 'no-such-entry'],
    );
    assert.deepEqual([verdict, proofs], ['ok', []]);
    assert.deepEqual(
      findings.filter(({ code }) => code === 'entry-not-shown').map(({ level }) => level),
      ['not-shown'],
    );
  });
});
