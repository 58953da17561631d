/** Bundles of a world as its programs export them, and the audit of them, without files. */
import assert from 'node:assert/strict';
import type { AuditOptions, AuditResult } from '../../src/audit/audit.ts';
import { audit } from '../../src/audit/audit.ts';
import type { OpenClearinghouse } from '../../src/clearinghouse/app.ts';
import * as atClearinghouse from '../../src/clearinghouse/usecases/export-bundle.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import type { OpenServer } from '../../src/server/app.ts';
import * as onServer from '../../src/server/usecases/export-bundle.ts';
import type { World } from '../world/world.ts';
import { agreement, value } from '../world/world.ts';

/** Bundles by the name that findings tell. */
export type Bundles = Readonly<Record<string, Uint8Array>>;

const textOf = (start: string, entries: readonly string[]): Uint8Array =>
  new TextEncoder().encode(start + entries.map((line) => `${line}\n`).join(''));

export async function serverBundle({ context }: Pick<OpenServer, 'context'>): Promise<Uint8Array> {
  const { start, journals } = await onServer.beginBundle(context);
  const limit = journals[0]?.size ?? 0;
  return textOf(start, await onServer.exportEntries(context, { from: 0, limit }));
}

export async function clearinghouseBundle(
  { context }: Pick<OpenClearinghouse, 'context'>,
  number = agreement,
): Promise<Uint8Array> {
  const { start, journals } = value(await atClearinghouse.beginBundle(context, number));
  const entries: string[] = [];
  for (const { log, size } of journals) {
    entries.push(...(await atClearinghouse.exportEntries(context, { log, from: 0, limit: size })));
  }
  return textOf(start, entries);
}

/** Everything in a world, exported in the right order: the clearinghouse last. */
export async function worldBundles(world: World): Promise<Bundles> {
  const bundles: Record<string, Uint8Array> = {};
  for (const [name, server] of world.servers) bundles[name] = await serverBundle(server);
  bundles['ch'] = await clearinghouseBundle(world.clearinghouse);
  return bundles;
}

/** Fails where the audit of a world finds a break, or what its own bundles do not show. */
export async function assertSound(world: World): Promise<AuditResult> {
  const result = auditOf(await worldBundles(world));
  assert.deepEqual(
    result.findings.filter(({ level }) => level !== 'note'),
    [],
  );
  assert.equal(result.verdict, 'ok');
  return result;
}

/** The audit of bundles; the chunks are small, so that lines run over their ends. */
export function auditOf(bundles: Bundles, more: Partial<AuditOptions> = {}): AuditResult {
  const files = Object.entries(bundles).map(([name, bytes]) => ({ name, chunks: chunksOf(bytes) }));
  return audit({ digest: nodeDigest, files, tokens: [], root: undefined, ...more });
}

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  const size = 4093;
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Codes of the findings of a level, each once, in order. */
export function codesOf(result: AuditResult, level: 'break' | 'not-shown' | 'note'): readonly string[] {
  return [...new Set(result.findings.filter((each) => each.level === level).map(({ code }) => code))].sort();
}
