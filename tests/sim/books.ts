/**
 * The promises about books, looked at after every step for every program that wrote: sums, journals that
 * replay to the balances, licenses, reserves and unit numbers as the books count them, and never more out there than
 * the clearinghouse has given (protocol §1.3).
 */
import type { ServerLine } from '../../src/core/account.ts';
import { conservesEntitled, conservesInstalled } from '../../src/core/account.ts';
import type { ReadTx } from '../../src/store/port.ts';
import { checkCovered } from './covered.ts';
import { checkFrozen } from './frozen.ts';
import type { Program } from './program.ts';
import type { BookCheck } from './replayed.ts';
import { checkOfServer, compareBalances, isInDoubt, replay } from './replayed.ts';
import { atRisk, givenTo, isAtRisk, unheardOf } from './risk.ts';
import type { LineCount, Seen } from './seen.ts';
import { seeClearinghouse, seeServer } from './seen.ts';
import type { Sim, SimServer } from './sim.ts';
import { twoHolders, Violation } from './tokens.ts';

async function checkProgram<What extends Seen>(
  program: Program<unknown>,
  check: BookCheck<What>,
  see: (tx: ReadTx) => Promise<What>,
): Promise<void> {
  await program.store.read(async (tx) => {
    await replay(tx, program.name, check);
    check.seen = await see(tx);
  });
  compareBalances(program.name, check);
}

async function checkClearinghouse(sim: Sim): Promise<void> {
  const { clearinghouse, books, servers } = sim;
  await checkProgram(clearinghouse, books.clearinghouse, seeClearinghouse);
  for (const name of books.clearinghouse.seen.suspects) {
    // One that is gone was given up for that, most often.
    if (isInDoubt(sim, name) || !servers.some((server) => server.name === name)) continue;
    throw new Violation('honest servers', `${name} is taken for a fork`);
  }
}

/** Which promise about licenses, their numbers and reserves does not hold on a line. */
function brokenCount(
  count: LineCount,
  line: ServerLine,
): 'licenses' | 'unit numbers' | 'reserves' | undefined {
  if (count.issued !== line.issued || count.held > line.held) return 'licenses';
  if (count.units !== count.issued + count.held || count.free !== line.unissued) return 'unit numbers';
  return count.reserved === line.reserved ? undefined : 'reserves';
}

async function checkServer(sim: Sim, { program, name }: SimServer): Promise<void> {
  const check = checkOfServer(sim, name);
  await checkProgram(program, check, seeServer);
  const { lines, counts } = check.seen;
  for (const line of lines) {
    if (check.seen.past?.state === 'doubted' && line.unissued > 0) {
      throw new Violation('in doubt nothing is given', `${name}: ${JSON.stringify(line)}`);
    }
    if (!conservesInstalled(line)) throw new Violation('I2', `${name}: ${JSON.stringify(line)}`);
    const count = counts.find((each) => each.agreement === line.agreement && each.line === line.line);
    const broken = count && brokenCount(count, line);
    if (broken !== undefined) {
      throw new Violation(broken, `${name}: ${JSON.stringify(line)} has ${JSON.stringify(count)}`);
    }
  }
}

/** Installed and not held on a server, against what it was given; `exact` where nothing is under way. */
export function checkGiven(sim: Sim, exact: boolean): void {
  const { away } = sim.books.clearinghouse.seen;
  for (const server of sim.servers) {
    // Its books are older than what it has told: who has what of it, the other checks say.
    if (isInDoubt(sim, server.name)) continue;
    for (const line of checkOfServer(sim, server.name).seen.lines) {
      const key = `${line.agreement}/${line.line}`;
      const usable = line.installed - line.held;
      const unheard = exact ? 0 : unheardOf(away, server, line.line);
      const given = unheard + givenTo(sim, { key, id: server.id });
      if (usable > given || (exact && usable !== given)) {
        throw new Violation(
          exact ? 'nothing is lost' : 'I3',
          `${server.name} has ${usable} of ${key}, and was given ${given}`,
        );
      }
    }
  }
}

/** Units of a line that are free on the servers, or will be as soon as somebody asks: all leases on them have ended. */
function freeUnits(sim: Sim): ReadonlyMap<number, number> {
  const { away } = sim.books.clearinghouse.seen;
  const free = new Map<number, number>();
  for (const server of sim.servers) {
    const { program, name } = server;
    if (!program.isUp || isInDoubt(sim, name)) continue;
    const nowMs = program.clock.nowMs();
    const { lines, counts } = checkOfServer(sim, name).seen;
    for (const { line, unissued } of lines) {
      if (unheardOf(away, server, line) > 0) continue;
      const ends = counts.find((count) => count.line === line)?.leaseEnds ?? [];
      const lapsed = ends.filter((end) => end < nowMs).length;
      free.set(line, (free.get(line) ?? 0) + unissued + lapsed);
    }
  }
  return free;
}

/**
 * Holders with a living license are no more than the units that are out (protocol §1.3, I5), not counting
 * those that are free: nobody has a license on a unit that the next one to ask is given.
 */
async function checkHolders(sim: Sim): Promise<void> {
  const free = freeUnits(sim);
  for (const line of sim.books.clearinghouse.seen.lines) {
    if (!conservesEntitled(line)) throw new Violation('I1', JSON.stringify(line));
    const type = line.line === 0 ? 'device' : 'user';
    const out = line.entitled - line.inHand - line.retired;
    const alive = sim.tokens.holders(type, sim.latestMs).size;
    const unused = free.get(line.line) ?? 0;
    const most = out - unused;
    if (alive > most && alive > most + (await atRisk(sim, { line: line.line, type }))) {
      throw new Violation('I5', `${alive} holders of ${out} units per ${type}, of which ${unused} are free`);
    }
  }
}

/** Everything that must hold after every step; programs that are down show what they had committed. */
export async function checkStep(sim: Sim): Promise<void> {
  let touched = false;
  if (sim.clearinghouse.takeTouched()) {
    await checkClearinghouse(sim);
    touched = true;
  }
  for (const server of sim.servers) {
    if (!server.program.takeTouched()) continue;
    await checkServer(sim, server);
    touched = true;
  }
  if (touched) {
    checkGiven(sim, false);
    await checkFrozen(sim);
  }
  for (const shared of sim.tokens.takeShared()) {
    if (!(await isAtRisk(sim, shared))) throw twoHolders('origin', shared);
  }
  await checkHolders(sim);
  await checkCovered(sim);
}
