/**
 * A license server whose disk is put back to an earlier copy, on the same machine: its high-water mark is newer than its
 * database. Where only licenses were given since it makes that good, and every promise holds (protocol §5.2).
 */
import { textOfUtf8 } from '../../src/core/bytes.ts';
import type { HighWater } from '../../src/core/high-water.ts';
import { readHighWater, standingOf } from '../../src/core/high-water.ts';
import { decideIdentity } from '../../src/core/server-identity.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import type { HighWaterFile } from '../../src/platform/high-water-file.ts';
import { readPast } from '../../src/server/usecases/past.ts';
import { settlePast } from '../../src/server/usecases/revalidate.ts';
import { freeRangesOf, highWaterOf } from '../../src/store/high-water-rows.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Act } from './people.ts';
import type { MemoryDatabase } from './program.ts';
import type { Sim, SimServer } from './sim.ts';
import { anyServer } from './sim.ts';
import { Violation } from './tokens.ts';

/** A mark that outlives its program, as the folder of an instance secret does. */
export class MemoryMark {
  last: Uint8Array | undefined;

  open(): HighWaterFile {
    return {
      ...{ found: this.last === undefined ? 'missing' : 'whole', last: this.last },
      write: (content) => {
        this.last = content;
      },
      close: () => undefined,
    };
  }

  read(): HighWater | undefined {
    return readHighWater(textOfUtf8(this.last ?? new Uint8Array(0)) ?? '');
  }
}

export const copies = new WeakMap<SimServer, MemoryDatabase>();

/** Somebody copies the disk of a server; and what is over of an earlier time is settled. */
const copyDisk: Act = async (sim) => {
  const server = anyServer(sim);
  await settlePast(server.program.context);
  copies.get(server)?.close();
  copies.set(server, server.program.copy());
  return `the disk of ${server.name} is copied`;
};

/** Whether a copy is older than what the server has told, and has all the rights that it has. */
async function canBeMadeGood(server: SimServer, copy: MemoryDatabase): Promise<boolean> {
  const mark = server.mark?.read();
  if (mark === undefined) return false;
  const store = openSqliteStore({ file: copy.file, migrations: 'server', digest: nodeDigest });
  const committed = store.committed();
  const database = highWaterOf(committed, { nowMs: 0, before: null });
  const free = freeRangesOf(committed);
  const past = await store.read(readPast);
  const doubted = past?.state === 'doubted' ? past.reason : null;
  await store.close();
  const standing = standingOf(mark, database, () => mark.logRoot);
  const facts = { secret: 'present', mark, database, standing, free, machine: 'same' } as const;
  return (
    standing === 'behind' && decideIdentity({ ...facts, seenAhead: false, doubted }).result === 'reconcile'
  );
}

const putBack: Act = async (sim: Sim) => {
  const server = anyServer(sim);
  const copy = copies.get(server);
  if (copy === undefined || !(await canBeMadeGood(server, copy))) return 'there is nothing to put back';
  await server.program.stop();
  server.program.putBack(copy);
  // What its journal says from here on is another story.
  sim.books.servers.delete(server.name);
  await server.program.start();
  const past = await server.program.store.read((tx) =>
    tx.get<{ value: string }>(`select value from meta where key = 'past'`),
  );
  if (past?.value.includes('"restored"') !== true) {
    throw new Violation('put back', `${server.name} did not make it good: ${past?.value}`);
  }
  return `${server.name} is put back to the copy of its disk`;
};

export const putBacks = { copyDisk, putBack };
