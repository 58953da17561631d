import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { utf8 } from '../core/bytes.ts';
import { emptyFrontier, leafHash } from '../core/merkle.ts';
import { appendAll, headOf, subtreesOf } from '../core/merkle-proof.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import { serverOrigin } from './checkpoint.ts';
import { source, target } from './example-publisher.test.ts';
import type { ToldLog, Verdict } from './log-exchange.ts';
import { judgeLog, tellLog } from './log-exchange.ts';

const name = serverOrigin(source.kid);
const signer = { name, publicKey: source.publicKey, privateKey: source.privateKey };
const keys = [{ name, role: 'log', publicKey: source.publicKey } as const];

const leavesOf = (journal: string, size: number): Uint8Array[] =>
  Array.from({ length: size }, (_, at) => leafHash(digest, utf8(at < 5 ? `both ${at}` : `${journal} ${at}`)));
const edge = (journal: string, size: number) => appendAll(digest, emptyFrontier, leavesOf(journal, size));
const seenOf = (journal: string, size: number) => headOf(digest, edge(journal, size));
const told = (journal: string, from: number, size: number): ToldLog =>
  tellLog(digest, {
    signer,
    before: edge(journal, from),
    added: subtreesOf(digest, from, leavesOf(journal, size).slice(from)),
  });

describe('a journal that is told, held against the one that was seen', () => {
  const cases: readonly [string, ToldLog, ReturnType<typeof seenOf> | undefined, Verdict][] = [
    ['the first time', told('a', 0, 9), undefined, 'extends'],
    ['with more entries, proved from there', told('a', 7, 20), seenOf('a', 7), 'extends'],
    ['with the same entries', told('a', 7, 7), seenOf('a', 7), 'extends'],
    ['with the same entries, told from another size', told('a', 3, 7), seenOf('a', 7), 'extends'],
    ['proved from before, as after an answer that was lost', told('a', 3, 20), seenOf('a', 7), 'unproved'],
    ['proved from behind it', told('a', 12, 20), seenOf('a', 7), 'unproved'],
    ['of fewer entries, late', told('a', 3, 5), seenOf('a', 7), 'older'],
    ['another with as many entries', told('b', 7, 7), seenOf('a', 7), 'fork'],
    ['another that claims to go on from there', told('b', 7, 20), seenOf('a', 7), 'fork'],
    ['cut short, and claiming to go on from there', { ...told('a', 0, 5), from: 7 }, seenOf('a', 7), 'fork'],
    ['with a proof that is none', { ...told('a', 7, 20), proof: [] }, seenOf('a', 7), 'fork'],
  ];
  for (const [how, log, seen, verdict] of cases) {
    it(`${how}: ${verdict}`, () =>
      assert.equal(judgeLog(digest, { told: log, seen, keys })?.verdict, verdict));
  }

  it('is not looked at when it is signed by another, or altered', () => {
    const log = told('a', 0, 9);
    const others = [{ name, role: 'log', publicKey: target.publicKey } as const];
    assert.equal(judgeLog(digest, { told: log, seen: undefined, keys: others }), undefined);
    const altered = { ...log, note: log.note.replace('\n9\n', '\n8\n') };
    assert.equal(judgeLog(digest, { told: altered, seen: undefined, keys }), undefined);
  });
});
