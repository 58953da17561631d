/**
 * All programs looked at in one instant: stopped together, their files copied, and what no moment of
 * a move may break held against them (protocol §1.3, I1 to I4).
 */
import assert from 'node:assert/strict';
import type { ClearinghouseImage, ServerImage } from './image.ts';
import { readClearinghouse, readServer } from './image.ts';
import type { Place } from './place.ts';

export interface Together {
  readonly clearinghouse: ClearinghouseImage;
  readonly servers: ReadonlyMap<string, ServerImage>;
}

/** Stops every process where it stands, has a look, and lets them go on. */
export async function lookStopped(place: Place, look: () => Promise<void>): Promise<void> {
  for (const each of place.programs) each.pause();
  try {
    await look();
  } finally {
    for (const each of place.programs) each.resume();
  }
}

/** Only while every process is dead or stopped; `thoroughly` replays the journals from their first entry. */
export function lookTogether(place: Place, thoroughly = false): Together {
  const servers = new Map<string, ServerImage>();
  for (const name of place.ids.keys()) {
    servers.set(name, place.witnessOf(name).look(readServer(name), thoroughly));
  }
  const clearinghouse = place.witnessOf('clearinghouse').look(readClearinghouse, thoroughly);
  const together = { clearinghouse, servers };
  checkTogether(place.ids, together);
  return together;
}

/** What holds at every instant (protocol §1.3, I3 to I5); `ids` are License Server IDs by name. */
export function checkTogether(ids: ReadonlyMap<string, string>, together: Together): void {
  checkAmounts(ids, together);
  checkHolders(together);
  const { suspects } = together.clearinghouse;
  assert.deepEqual(suspects, [], 'no honest server is suspect, whenever it was killed');
}

/** The clearinghouse's books are an upper bound of what may be assigned out there (I3), also in sum. */
function checkAmounts(ids: ReadonlyMap<string, string>, { clearinghouse, servers }: Together): void {
  for (const line of clearinghouse.lines) {
    let outThere = 0;
    for (const [name, image] of servers) {
      const id = ids.get(name) ?? '';
      const own = image.lines.find((each) => each.line === line.line);
      const assignable = own === undefined ? 0 : own.installed - own.held;
      const committed = line.servers
        .filter((each) => each.licenseServerId === id)
        .reduce((sum, each) => sum + each.amount, 0);
      const coming = clearinghouse.moves
        .filter((move) => move.target === id && move.line === line.line)
        .reduce((sum, move) => sum + (clearinghouse.inTransit.get(`${move.id}/${move.line}`) ?? 0), 0);
      assert.ok(
        assignable <= committed + coming,
        `${name}, line ${line.line}: ${assignable} assignable, ${committed} committed, ${coming} in transit to it`,
      );
      outThere += assignable;
    }
    assert.ok(
      outThere <= line.entitled,
      `line ${line.line}: ${outThere} assignable of ${line.entitled} entitled`,
    );
  }
}

/** One CAL has one holder, and one holder has one CAL, on whatever server it stands in this instant. */
function checkHolders({ servers }: Together): void {
  const holders = new Map<string, string>();
  const origins = new Map<string, string>();
  const both = [...servers.values()].flatMap((image) => [...image.live, ...image.waiting]);
  for (const { server, line, sub, origin } of both) {
    const holder = holders.get(`${line}:${origin}`) ?? sub;
    assert.equal(sub, holder, `${server}: CAL ${origin} has two holders`);
    holders.set(`${line}:${origin}`, sub);
    const known = origins.get(`${line}:${sub}`) ?? origin;
    assert.equal(origin, known, `${server}: one holder has two CALs`);
    origins.set(`${line}:${sub}`, origin);
  }
}
