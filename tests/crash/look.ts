/** A look at the databases of a clearinghouse and its license servers after they were stopped, however. */
import { DatabaseSync } from 'node:sqlite';
import { nodeDigest } from '../../src/platform/digest.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { ServerImage } from '../kill/image.ts';
import { readClearinghouse, readServer } from '../kill/image.ts';
import type { Replay } from '../kill/replay.ts';
import type { Together } from '../kill/together.ts';
import { checkTogether } from '../kill/together.ts';

/** A database could not be used at all; everything else that is wrong fails an assertion. */
export class Corrupt extends Error {}

export interface Seen {
  readonly together: Together;
  /** States of moves by program. */
  readonly moves: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export interface Place {
  /** License Server IDs by name. */
  readonly ids: ReadonlyMap<string, string>;
  /** Where the database of a license server is, or of `clearinghouse`. */
  readonly fileOf: (name: string) => string;
  /** Who replays the journal of a program: from the first entry, or on from the last look. */
  readonly replayOf: (name: string) => Replay;
}

/** Everything that must hold, of each program alone and of all together, or an error that says what does not. */
export async function lookAt(place: Place): Promise<Seen> {
  const servers = new Map<string, ServerImage>();
  const moves = new Map<string, ReadonlyMap<string, string>>();
  for (const name of place.ids.keys()) {
    const [image, states] = await use(place, name, (db) => [readServer(name)(db), movesIn(db)] as const);
    servers.set(name, image);
    moves.set(name, states);
  }
  const clearinghouse = await use(place, 'clearinghouse', readClearinghouse);
  moves.set('clearinghouse', new Map(clearinghouse.moves.map(({ id, state }) => [id, state])));
  const together = { clearinghouse, servers };
  checkTogether(place.ids, together);
  return { together, moves };
}

/** The real store recovers the database and checks it; then SQLite does, and the journal is replayed. */
async function use<T>(place: Place, name: string, read: (db: DatabaseSync) => T): Promise<T> {
  const file = place.fileOf(name);
  const migrations = name === 'clearinghouse' ? 'clearinghouse' : 'server';
  try {
    await openSqliteStore({ file, migrations, digest: nodeDigest }).close();
  } catch (error) {
    throw new Corrupt(`${name}: ${String(error)}`, { cause: error });
  }
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const check = db.prepare('pragma integrity_check(1)').get();
    if (check?.['integrity_check'] !== 'ok') throw new Corrupt(`${name}: ${JSON.stringify(check)}`);
    place.replayOf(name).readOn(db);
    return read(db);
  } finally {
    db.close();
  }
}

function movesIn(db: DatabaseSync): ReadonlyMap<string, string> {
  const rows = db.prepare('select id, state from moves').all() as unknown as { id: string; state: string }[];
  return new Map(rows.map(({ id, state }) => [id, state]));
}
