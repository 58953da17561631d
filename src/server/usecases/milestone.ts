/**
 * How far the journal was looked through for the high-water mark, kept in the database itself: a start goes on from there,
 * and takes no longer with a million licenses than with a few. What it says is of the entries before it, which never change;
 * so it holds in every copy of the database, an older one as well.
 */
import { base64url, bytesOfBase64url, hex } from '../../core/bytes.ts';
import type { HighWater } from '../../core/high-water.ts';
import { kindsOfLicenses, kindsThatFree, readHighWater, writeHighWater } from '../../core/high-water.ts';
import type { Frontier } from '../../core/merkle.ts';
import { decodeFrontier, encodeFrontier, rootOf } from '../../core/merkle.ts';
import { ok } from '../../core/result.ts';
import { committedFrontier } from '../../store/high-water-rows.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ServerContext } from '../context.ts';

const milestoneKey = 'milestone';

/** What was looked for in the entries: a version that looks for something else reads them again. */
const lookedFor = [...kindsOfLicenses, '/', ...kindsThatFree].join(' ');

/** It is set again after so many entries: looking through them takes some 50 ms. */
const milestoneEvery = 20_000;

export interface Milestone {
  /** What would have been the mark there. */
  readonly mark: HighWater;
  /** The right edge of the journal there. */
  readonly frontier: Frontier;
}

interface Kept {
  readonly lookedFor: string;
  readonly mark: string;
  readonly frontier: string;
}

/** Null where there is none, where it was set by a version that looked for something else, or does not agree with itself. */
export async function readMilestone(
  { digest }: Pick<ServerContext, 'digest'>,
  tx: ReadTx,
): Promise<Milestone | null> {
  const text = await readMeta(tx, milestoneKey);
  if (text === undefined) return null;
  const kept = JSON.parse(text) as Kept;
  const mark = readHighWater(kept.mark);
  const frontier = decodeFrontier(bytesOfBase64url(kept.frontier) ?? new Uint8Array(0));
  if (kept.lookedFor !== lookedFor || mark === undefined || frontier === undefined) return null;
  return mark.logSize === frontier.size && mark.logRoot === hex(rootOf(digest, frontier))
    ? { mark, frontier }
    : null;
}

/** Sets it where the journal has grown by enough since. */
export async function keepMilestone(context: ServerContext, every = milestoneEvery): Promise<void> {
  const { store, cache } = context;
  const before = await store.read((tx) => readMilestone(context, tx));
  const frontier = await store.read(committedFrontier);
  const { mark } = cache;
  // Between the two somebody may have been given a license: then another time.
  if (mark === null || frontier?.size !== mark.logSize) return;
  if (mark.logSize - (before?.frontier.size ?? 0) < every) return;
  const kept: Kept = { lookedFor, mark: writeHighWater(mark), frontier: base64url(encodeFrontier(frontier)) };
  await store.write(async (tx) => {
    await writeMeta(tx, milestoneKey, JSON.stringify(kept));
    return ok(null);
  });
}
