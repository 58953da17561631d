/**
 * Keeps the high-water mark of this server (protocol §5.1): each commit is noted there before anybody is answered, and at
 * the start the database is held against it. What does not fit is not opened: it would give out again what is gone.
 */
import { hex, textOfUtf8, utf8 } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { HighWater } from '../core/high-water.ts';
import { readHighWater, standingOf, writeHighWater } from '../core/high-water.ts';
import { rootOf } from '../core/merkle.ts';
import { ok } from '../core/result.ts';
import type { IdentityDecision } from '../core/server-identity.ts';
import { decideIdentity } from '../core/server-identity.ts';
import type { Clock } from '../platform/clock.ts';
import { Failure } from '../platform/failure.ts';
import type { HighWaterFile } from '../platform/high-water-file.ts';
import { frontierAt } from '../store/checkpoint-rows.ts';
import { highWaterOf } from '../store/high-water-rows.ts';
import { readMeta, writeMeta } from '../store/meta-rows.ts';
import type { Store } from '../store/port.ts';

/** Stands in the database once there is a mark: one that is missing then was taken away. */
const keptKey = 'highWater';
const log = 'server';

export interface Kept {
  readonly store: Store;
  readonly clock: Clock;
  readonly digest: Digest;
  readonly licenseServerId: string;
  /** Opens the file; `create` where there has never been one. */
  readonly open: (create: boolean) => HighWaterFile;
}

/**
 * Holds the database against the mark, and keeps the mark from now on. Throws `Failure`: `mark-missing`, `mark-damaged`,
 * `database-older`, `database-forked`.
 */
export async function keepHighWater(kept: Kept): Promise<void> {
  const { store, clock } = kept;
  const isKept = (await store.read((tx) => readMeta(tx, keptKey))) !== undefined;
  const file = kept.open(!isKept);
  try {
    const database = highWaterOf(store.committed(), clock.nowMs());
    const mark = file.last === undefined ? undefined : markOf(file.last);
    if (mark !== undefined || isKept) {
      const decision = await decide(kept, { mark: mark ?? null, database });
      if (decision.result !== 'ok') throw refused(kept, { decision, mark, database });
    }
    file.write(bytesOf(database));
  } catch (error) {
    file.close();
    throw error;
  }
  store.beforeAnswers({
    note: (committed) => file.write(bytesOf(highWaterOf(committed, clock.nowMs()))),
    close: file.close,
  });
  if (!isKept) {
    await store.write(async (tx) => {
      await writeMeta(tx, keptKey, 'kept');
      return ok(null);
    });
  }
}

const bytesOf = (mark: HighWater): Uint8Array => utf8(writeHighWater(mark));

function markOf(bytes: Uint8Array): HighWater | undefined {
  const text = textOfUtf8(bytes);
  return text === undefined ? undefined : readHighWater(text);
}

async function decide(
  { store, digest }: Kept,
  of: { readonly mark: HighWater | null; readonly database: HighWater },
): Promise<IdentityDecision> {
  const { mark, database } = of;
  const at =
    mark === null ? undefined : await store.read((tx) => frontierAt(digest, tx, { log, size: mark.logSize }));
  const root = at === undefined ? '' : hex(rootOf(digest, at));
  return decideIdentity({
    ...{ secret: 'present', mark, database, machine: 'unknown', machineId: 'unknown', seenAhead: false },
    standing: mark === null ? null : standingOf(mark, database, () => root),
  });
}

const elsewhere = (licenseServerId: string): string =>
  'Where that cannot be, set up another license server and move the CALs there: ' +
  `calyx server move --from ${licenseServerId} --reason dead.`;

function refused(
  { licenseServerId }: Kept,
  of: {
    readonly decision: IdentityDecision;
    readonly mark: HighWater | undefined;
    readonly database: HighWater;
  },
): Failure {
  const { mark, database } = of;
  const told = mark?.logSize ?? 0;
  const here = database.logSize;
  const details = { licenseServerId, entries: here, told };
  if (of.decision.result === 'revalidate' && of.decision.reason === 'forked') {
    return new Failure(
      `This database has ${here} entries in its journal, and they are not those that this license server has written: ` +
        'it is that of a copy, which went on by itself.',
      {
        code: 'database-forked',
        next: `Put the database of this license server back. ${elsewhere(licenseServerId)}`,
        details,
      },
    );
  }
  return new Failure(
    `This database is an older one: its journal has ${here} entries, and this license server had written ${told} ` +
      'when it was answered last. What was given out since would be given out again.',
    { code: 'database-older', next: `Put the newest database back. ${elsewhere(licenseServerId)}`, details },
  );
}
