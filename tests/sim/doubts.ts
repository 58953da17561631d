/**
 * License servers whose past is in doubt (protocol §5.2): a disk is put back to any earlier copy, or the high-water mark is
 * lost. Nothing new is given there until the clearinghouse has answered; where it has seen more, there is no way back, and
 * the CALs go to another server as those of one that no longer functions.
 */
import { dayMs } from '../../src/core/time.ts';
import { lookAgain } from '../../src/server/usecases/identity.ts';
import type { Past } from '../../src/server/usecases/past.ts';
import { readPast } from '../../src/server/usecases/past.ts';
import { askAgain, settlePast } from '../../src/server/usecases/revalidate.ts';
import { typeAgain } from './carry-on.ts';
import { takePlace } from './dead.ts';
import type { Act } from './people.ts';
import { contact } from './post.ts';
import { copies } from './put-back.ts';
import { checkOfServer, isInDoubt } from './replayed.ts';
import type { Sim, SimServer } from './sim.ts';
import { anyServer } from './sim.ts';

/** What its people have done there is another story from here on, and so is its journal. */
function forget(sim: Sim, server: SimServer): void {
  sim.books.servers.delete(server.name);
  sim.done.splice(0);
}

/** A disk is put back, whatever has happened since; or the mark is lost. */
const doubt: Act = async (sim) => {
  const server = anyServer(sim);
  const copy = copies.get(server);
  if (sim.chance.happens(0.2) && server.mark !== undefined) {
    await server.program.stop();
    server.mark.last = undefined;
    await server.program.start();
    return `the mark of ${server.name} is lost`;
  }
  if (copy === undefined) return `nobody has a copy of the disk of ${server.name}`;
  await server.program.stop();
  server.program.putBack(copy);
  forget(sim, server);
  await server.program.start();
  return `${server.name} is put back to the copy of its disk, whatever it has told since`;
};

/** What a license server does by itself every hour. */
async function lookRound({ program: { context } }: SimServer): Promise<void> {
  await settlePast(context);
  await lookAgain(context);
  await askAgain(context);
}

const looks: Act = async (sim) => {
  const server = anyServer(sim);
  await lookRound(server);
  const past = checkOfServer(sim, server.name).seen.past?.state ?? 'certain';
  return `${server.name} looks at its past, which was ${past}`;
};

const pastOf = ({ program }: SimServer): Promise<Past | null> => program.store.read(readPast);

/** Whether the clearinghouse has seen more of a server than it has. */
function isBehind(sim: Sim, { name }: SimServer): boolean {
  const { past } = checkOfServer(sim, name).seen;
  return past?.state === 'doubted' && past.answer !== null && past.answer.ahead !== null;
}

/** Where there is no way back a new license server takes its place. */
const startAnew: Act = async (sim) => {
  const server = sim.servers.find((each) => isBehind(sim, each));
  return server === undefined ? 'no past is lost' : takePlace(sim, server);
};

export const doubts = { doubt, looks, startAnew };

/** At the end every doubt is settled, by an answer and the time that it takes; who is behind is given up. */
export async function settleDoubts(sim: Sim): Promise<string> {
  const words: string[] = [];
  for (const server of sim.servers.filter(({ name }) => isInDoubt(sim, name))) {
    for (let round = 0; round < 3; round += 1) {
      await contact(sim, server);
      await typeAgain(sim, server);
      await lookRound(server);
    }
    const past = await pastOf(server);
    sim.nowMs = Math.max(sim.nowMs, (past?.untilMs ?? 0) + dayMs);
    sim.latestMs = Math.max(sim.latestMs, sim.nowMs);
    await lookRound(server);
    const left = await pastOf(server);
    words.push(`${server.name} ${left?.state ?? 'is certain'}`);
    if (left?.state !== 'doubted') continue;
    server.condition = 'gone';
    await server.program.stop();
    sim.servers.splice(sim.servers.indexOf(server), 1);
    sim.gone.push(server);
  }
  return `doubts are settled: ${words.join(', ') || 'there are none'}`;
}
