/**
 * Images of a recorded scenario, cut at random points, each opened with the real store and held against
 * the books, the journal and everything that had been acknowledged before the cut.
 */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Chance } from '../kill/random.ts';
import { Replay } from '../kill/replay.ts';
import type { Recorded } from './disk.ts';
import { Disk } from './disk.ts';
import { Corrupt, lookAt } from './look.ts';
import type { Acknowledged } from './marks.ts';
import { Told, textOf } from './told.ts';

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
export const databaseOf = (name: string): string => databases[name] ?? 'license-server.db';
export const folderOf = (name: string): string => (name === 'clearinghouse' ? 'ch' : name);

/** What is wrong with an image. */
export interface Found {
  readonly kind: 'corrupt' | 'unbalanced' | 'lost';
  readonly words: string;
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

  /** Looks at what a program left behind that ran to its end, whichever that was. */
  async checkEnd(chance: Chance): Promise<Found | undefined> {
    const disk = new Disk();
    const told = new Told();
    for (const [at, call] of this.#recording.entries()) {
      disk.take(call);
      told.take(this.#marks[at]);
    }
    return this.#look(disk.cut(chance), told);
  }

  async #look(files: ReadonlyMap<string, Buffer>, told: Told): Promise<Found | undefined> {
    try {
      this.#lay(files);
      const seen = await lookAt({
        ids: this.#ids,
        fileOf: (name) => join(this.#scratch, name, databaseOf(name)),
        replayOf: (name) => new Replay(name),
      });
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
}
