/**
 * Behind each living license stands a unit: one that some server has for this very holder, by name, or one that waits for
 * somebody whom nobody knows. The sums of I5 do not see a holder without one while others have one too many.
 */
import { atRisk, unheardOf } from './risk.ts';
import type { Sim } from './sim.ts';
import { Violation } from './tokens.ts';

interface Named {
  readonly subs: ReadonlySet<string>;
  /**
   * Units that one holder has, or that wait for it, besides another: where a part moved without names, that of somebody
   * else may be among them. What is frozen stands for no unit of its own, since its place may be there already.
   */
  readonly second: number;
}

/** Holders whom some server names, also one that is gone: what it had committed stands for it. */
function namedOn({ servers, gone, books }: Sim, line: number): Named {
  const rows = [...servers, ...gone].flatMap(({ name }) => books.servers.get(name)?.seen.named ?? []);
  const named = rows.filter((each) => each.line === line);
  const units = named.filter(({ counts }) => counts === 1).map(({ sub }) => sub);
  return { subs: new Set(named.map(({ sub }) => sub)), second: units.length - new Set(units).size };
}

/** Units of a line that are nobody's: on their way, in quarantine, committed and not typed yet, or in a reserve. */
function namelessUnits(
  { servers, gone, books }: Sim,
  of: { readonly line: number; readonly out: number },
): number {
  const { away } = books.clearinghouse.seen;
  let installed = 0;
  let reserved = 0;
  for (const server of [...servers, ...gone]) {
    const seen = books.servers.get(server.name)?.seen;
    for (const { line, installed: all, held, quarantined } of seen?.lines ?? []) {
      if (line !== of.line) continue;
      installed += Math.max(0, all - held - unheardOf(away, server, line));
      // After an older database was put back: of holders whom it does not know.
      reserved += quarantined;
    }
    for (const { line, units } of seen?.nameless ?? []) if (line === of.line) reserved += units;
  }
  return Math.max(0, of.out - installed) + reserved;
}

/** Everybody with a living license is named by a server, or there is a unit without a name for it. */
export async function checkCovered(sim: Sim): Promise<void> {
  for (const { line, entitled, inHand, retired } of sim.books.clearinghouse.seen.lines) {
    const type = line === 0 ? 'device' : 'user';
    const named = namedOn(sim, line);
    const others = [...sim.tokens.holders(type, sim.latestMs)].filter((sub) => !named.subs.has(sub)).length;
    if (others === 0) continue;
    const units = named.second + namelessUnits(sim, { line, out: entitled - inHand - retired });
    if (others > units && others > units + (await atRisk(sim, { line, type }))) {
      throw new Violation(
        'a unit for each',
        `${others} holders per ${type} are named by no server, for ${units} units`,
      );
    }
  }
}
