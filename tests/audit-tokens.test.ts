/** Licenses that were collected from holders, held against the journals and against each other. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { bytesOfHex } from '../src/core/bytes.ts';
import { leafHash } from '../src/core/merkle.ts';
import { verifyInclusion } from '../src/core/merkle-proof.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import type { PermanentClaims } from '../src/protocol/cal-token.ts';
import { signCalToken } from '../src/protocol/cal-token.ts';
import { readPayload } from '../src/protocol/paseto.ts';
import type { OpenServer } from '../src/server/app.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import type { Bundles } from './audit/bundles.ts';
import { auditOf, clearinghouseBundle, codesOf, serverBundle } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { makeWorld, product, value } from './world/world.ts';

describe('collected licenses', () => {
  let bundles: Bundles = {};
  let tokens: readonly string[] = [];
  let server: OpenServer | undefined;
  let late = '';

  before(async () => {
    const world = await makeWorld(50, { kit: false });
    server = await world.addServer('LS-OLD', { connected: true });
    await acts.connect(server, 3);
    const first = await acts.permanent(server, 'ws-1');
    value(await returnLicense(server.context, { product, type: 'device', holder: 'ws-1' }));
    const others: string[] = [];
    for (const holder of ['ws-2', 'ws-3', 'ws-4']) others.push((await acts.permanent(server, holder)).token);
    // Its unit was given back early, and one of the others has it now.
    tokens = [first.token, ...others];
    await acts.contact(server);
    bundles = { old: await serverBundle(server), ch: await clearinghouseBundle(world.clearinghouse) };
    value(await returnLicense(server.context, { product, type: 'device', holder: 'ws-4' }));
    world.clock.advanceDays(1);
    late = (await acts.permanent(server, 'ws-5')).token;
    await world.close();
  });

  /** The license of somebody else for the unit of a token, signed by the server itself. */
  function doubled(token: string | undefined): string {
    assert.ok(server !== undefined);
    const claims = readPayload(token ?? '') as unknown as PermanentClaims;
    const forged = { ...claims, sub: 'A'.repeat(43), jti: 'forged' };
    return signCalToken(forged, { key: server.context.key, bundle: 'A'.repeat(22) });
  }

  it('are sound where the journal has issued them, one given back early included', () => {
    const result = auditOf(bundles, { tokens });
    assert.equal(result.tokens, 4);
    assert.deepEqual(
      result.findings.filter(({ level }) => level !== 'note'),
      [],
    );
  });

  it('prove a unit with two holders, and one that no journal knows', () => {
    const result = auditOf(bundles, { tokens: [...tokens, doubled(tokens[2])] });
    assert.deepEqual(codesOf(result, 'break'), ['token-not-journaled', 'unit-collision']);
    const proof = result.findings.find(({ code }) => code === 'unit-collision');
    assert.ok(proof?.text.includes(tokens[2] ?? 'none') && proof.text.includes(doubled(tokens[2])));
  });

  it('prove nothing good by an early return: neither another license under its id, nor one given after it', () => {
    assert.ok(server !== undefined);
    const sign = { key: server.context.key, bundle: 'A'.repeat(22) };
    const claims = readPayload(tokens[0] ?? '') as unknown as PermanentClaims;
    const longer = signCalToken({ ...claims, exp: '2099-01-01T00:00:00Z' }, sign);
    const result = auditOf(bundles, { tokens: [longer, ...tokens.slice(1)] });
    assert.deepEqual(codesOf(result, 'break'), ['token-differs']);
    const again = signCalToken({ ...claims, jti: 'again' }, sign);
    const other = auditOf(bundles, { tokens: [again, ...tokens.slice(1)] });
    assert.deepEqual(codesOf(other, 'break'), ['token-not-journaled', 'unit-collision']);
  });

  it('prove it without the journal of their server', () => {
    const { ch = new Uint8Array(0) } = bundles;
    const result = auditOf({ ch }, { tokens: [tokens[2] ?? '', doubled(tokens[2])] });
    assert.deepEqual(codesOf(result, 'break'), ['unit-collision']);
  });

  it('are proven to stand in the journal by their ids, for somebody who has one root and nothing else', () => {
    const { jti } = readPayload(tokens[1] ?? '') as unknown as PermanentClaims;
    const { proofs, verdict, journals, findings } = auditOf(bundles, { entries: [jti, 'nowhere'] });
    assert.equal(verdict, 'ok');
    assert.deepEqual(
      findings.filter(({ level }) => level === 'not-shown').map(({ code }) => code),
      ['entry-not-shown'],
    );
    const [one] = proofs;
    assert.ok(one !== undefined && proofs.length === 1);
    const journal = journals.find(({ origin }) => origin === one.origin);
    assert.deepEqual([one.size, one.root], [journal?.size, journal?.root]);
    assert.equal((JSON.parse(one.entry) as { readonly id: string }).id, jti);
    const head = { size: one.size, root: bytesOfHex(one.root) ?? new Uint8Array(0) };
    const proof = one.proof.map((hash) => bytesOfHex(hash) ?? new Uint8Array(0));
    const proves = (entry: string, index: number): boolean =>
      verifyInclusion(nodeDigest, { leaf: leafHash(nodeDigest, Buffer.from(entry)), index, head, proof });
    assert.ok(proves(one.entry, one.position));
    assert.ok(!proves(one.entry.replace(jti, 'forged'), one.position));
    assert.ok(!proves(one.entry, one.position - 1));
  });

  it('prove nothing where they are forged, of a server that is not shown, or no licenses', () => {
    const [one = ''] = tokens;
    const middle = one.length / 2;
    const altered = one.slice(0, middle) + (one[middle] === 'A' ? 'B' : 'A') + one.slice(middle + 1);
    const result = auditOf(bundles, { tokens: [altered, 'nothing'] });
    assert.equal(result.verdict, 'ok');
    assert.deepEqual(codesOf(result, 'not-shown'), ['token-invalid', 'token-unknown']);
    assert.deepEqual(codesOf(auditOf({}, { tokens }), 'not-shown'), ['token-unknown']);
  });

  it('that were issued after the export are not shown, and no break', () => {
    const result = auditOf(bundles, { tokens: [late] });
    assert.equal(result.verdict, 'ok');
    assert.deepEqual(codesOf(result, 'not-shown'), ['token-not-journaled']);
  });
});
