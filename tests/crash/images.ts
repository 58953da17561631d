/**
 * Images of a recorded scenario, cut at random points, each opened with the real store and held against
 * the books, the journal and everything that had been acknowledged before the cut.
 */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { nodeDigest } from '../../src/platform/digest.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { ServerImage } from '../kill/image.ts';
import { readClearinghouse, readServer } from '../kill/image.ts';
import type { Chance } from '../kill/random.ts';
import { Replay } from '../kill/replay.ts';
import type { Together } from '../kill/together.ts';
import { checkTogether } from '../kill/together.ts';
import type { Recorded } from './disk.ts';
import { Disk } from './disk.ts';
import type { Acknowledged, Claim, MoveStates } from './marks.ts';

/** What became of the images: those that are none of the other three are as they should be. */
export interface Verdict {
  readonly images: number;
  /** Could not be opened, or SQLite finds fault with the file. */
  readonly corrupt: number;
  /** Books, rows and journal do not fit, within one program or between them. */
  readonly unbalanced: number;
  /** Something acknowledged is missing. */
  readonly lost: number;
  /** The first few of all these, in words. */
  readonly findings: readonly string[];
}

const databases: Readonly<Record<string, string>> = { clearinghouse: 'clearinghouse.db' };
const databaseOf = (name: string): string => databases[name] ?? 'license-server.db';
const folderOf = (name: string): string => (name === 'clearinghouse' ? 'ch' : name);

const ranks: Readonly<Record<keyof MoveStates, readonly string[]>> = {
  clearinghouse: ['', 'reserved', 'granted', 'installed', 'committed', 'closed'],
  source: ['', 'requested', 'frozen', 'closed'],
  target: ['', 'provisional', 'final', 'closed'],
};

/** A database could not be used at all; everything else that is wrong fails an assertion. */
class Corrupt extends Error {}

interface Found {
  readonly kind: 'corrupt' | 'unbalanced' | 'lost';
  readonly words: string;
}

interface Seen {
  readonly together: Together;
  /** States of moves by program. */
  readonly moves: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export class Images {
  readonly #recording: readonly Recorded[];
  readonly #scratch: string;
  readonly #dir: string;
  readonly #ids: ReadonlyMap<string, string>;
  /** What each device was told in the whole recording, in order: an image may be ahead of what it knew. */
  readonly #claims = new Map<string, string[]>();
  readonly #marks: readonly (Acknowledged | undefined)[];
  readonly #firstCut: number;

  constructor(recording: readonly Recorded[], scratch: string) {
    this.#recording = recording;
    this.#scratch = scratch;
    this.#marks = recording.map((call) =>
      call.kind === 'mark' ? (JSON.parse(call.text) as Acknowledged) : undefined,
    );
    const place = this.#marks.find((mark) => mark !== undefined && 'place' in mark);
    assert.ok(place !== undefined && 'place' in place, 'the scenario says where its folders are');
    this.#dir = place.place.dir;
    this.#ids = new Map(Object.entries(place.place.servers));
    this.#firstCut = this.#marks.findIndex((mark) => mark !== undefined && 'ready' in mark);
    assert.ok(this.#firstCut > 0, 'the scenario says when it is ready');
    for (const mark of this.#marks) {
      if (mark === undefined || !('holder' in mark)) continue;
      this.#claims.set(mark.holder, [...(this.#claims.get(mark.holder) ?? []), textOf(mark.claim)]);
    }
  }

  /** Cuts the power so many times, at points that `chance` picks, and looks at what is left. */
  async check(count: number, chance: Chance): Promise<Verdict> {
    const points = Array.from({ length: count }, () =>
      chance.between(this.#firstCut + 1, this.#recording.length),
    ).sort((left, right) => left - right);
    const disk = new Disk();
    const verdict = { images: 0, corrupt: 0, unbalanced: 0, lost: 0, findings: [] as string[] };
    const told = new Told();
    let at = 0;
    for (const point of points) {
      for (; at < point; at += 1) {
        disk.take(this.#recording[at] as Recorded);
        told.take(this.#marks[at]);
      }
      verdict.images += 1;
      const found = await this.#look(disk.cut(chance), told);
      if (found === undefined) continue;
      verdict[found.kind] += 1;
      if (verdict.findings.length < 5) verdict.findings.push(`cut ${point}: ${found.kind}: ${found.words}`);
    }
    return verdict;
  }

  async #look(files: ReadonlyMap<string, Buffer>, told: Told): Promise<Found | undefined> {
    try {
      this.#lay(files);
      const seen = await this.#open();
      checkTogether(this.#ids, seen.together);
      const lost = told.lostIn(seen, this.#claims);
      return lost === undefined ? undefined : { kind: 'lost', words: lost };
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      return { kind: error instanceof Corrupt ? 'corrupt' : 'unbalanced', words };
    }
  }

  #lay(files: ReadonlyMap<string, Buffer>): void {
    rmSync(this.#scratch, { recursive: true, force: true });
    for (const name of ['clearinghouse', ...this.#ids.keys()]) {
      mkdirSync(join(this.#scratch, name), { recursive: true });
      for (const end of ['', '-wal']) {
        const bytes = files.get(join(this.#dir, folderOf(name), `${databaseOf(name)}${end}`));
        if (bytes !== undefined) writeFileSync(join(this.#scratch, name, `${databaseOf(name)}${end}`), bytes);
      }
    }
  }

  async #open(): Promise<Seen> {
    const servers = new Map<string, ServerImage>();
    const moves = new Map<string, ReadonlyMap<string, string>>();
    for (const name of this.#ids.keys()) {
      const [image, states] = await this.#use(name, (db) => [readServer(name)(db), movesIn(db)] as const);
      servers.set(name, image);
      moves.set(name, states);
    }
    const clearinghouse = await this.#use('clearinghouse', readClearinghouse);
    moves.set('clearinghouse', new Map(clearinghouse.moves.map(({ id, state }) => [id, state])));
    return { together: { clearinghouse, servers }, moves };
  }

  /** The real store recovers the database and checks it; then SQLite does, and the journal is replayed. */
  async #use<T>(name: string, read: (db: DatabaseSync) => T): Promise<T> {
    const file = join(this.#scratch, name, databaseOf(name));
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
      new Replay(name).readOn(db);
      return read(db);
    } finally {
      db.close();
    }
  }
}

/** What had been acknowledged up to a point. */
class Told {
  readonly #answers = new Map<string, number>();
  readonly #served = new Set<string>();
  readonly #moves = new Map<string, Extract<Acknowledged, { move: string }>>();

  take(mark: Acknowledged | undefined): void {
    if (mark === undefined) return;
    if ('holder' in mark) this.#answers.set(mark.holder, (this.#answers.get(mark.holder) ?? 0) + 1);
    if ('served' in mark) this.#served.add(mark.served);
    if ('move' in mark) this.#moves.set(mark.move, mark);
  }

  /** The first thing that is not there any more, in words. */
  lostIn({ together, moves }: Seen, claims: ReadonlyMap<string, readonly string[]>): string | undefined {
    const [first] = together.servers.values();
    for (const [holder, answers] of this.#answers) {
      const all = claims.get(holder) ?? [];
      const there = claimIn(first, holder);
      // One answer more may be on the disk than had left: it was under way.
      if (!all.slice(answers - 1).includes(there))
        return `${holder} has ${there}, was told ${all[answers - 1]}`;
    }
    const served = [...together.servers.values()].flatMap(({ live, waiting }) => [...live, ...waiting]);
    const subs = new Set(served.map(({ sub }) => sub));
    for (const sub of this.#served) if (!subs.has(sub)) return `${sub} has no license and none is reserved`;
    for (const { move, source, target, states } of this.#moves.values()) {
      for (const [party, name] of [
        ['clearinghouse', 'clearinghouse'],
        ['source', source],
        ['target', target],
      ] as const) {
        const there = moves.get(name)?.get(move) ?? '';
        const order = ranks[party];
        if (order.indexOf(there) < order.indexOf(states[party])) {
          return `move ${move} is ${there} on its ${party}, was ${states[party]}`;
        }
      }
    }
    return undefined;
  }
}

const textOf = ({ permanent, temporary, validated }: Claim): string =>
  JSON.stringify([permanent?.unit ?? null, permanent?.jti ?? null, temporary, validated]);

function claimIn(image: ServerImage | undefined, holder: string): string {
  const license = image?.live.find((row) => row.holder === holder);
  const temporary = image?.temporaries.get(holder);
  return textOf({
    permanent: license === undefined ? null : { unit: license.unit, jti: license.jti },
    temporary: temporary?.jti ?? null,
    validated: temporary?.validated ?? false,
  });
}

function movesIn(db: DatabaseSync): ReadonlyMap<string, string> {
  const rows = db.prepare('select id, state from moves').all() as unknown as { id: string; state: string }[];
  return new Map(rows.map(({ id, state }) => [id, state]));
}
