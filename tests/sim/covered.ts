/**
 * Behind each living license stands a unit: one that some server has for this very holder, by name, or one that waits for
 * somebody whom nobody knows. The sums of I5 do not see a holder without one while others have one too many.
 */
import { atRisk, givenTo, unheardOf } from './risk.ts';
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
  sim: Sim,
  of: { readonly line: number; readonly out: number; readonly alive: ReadonlySet<string> },
): number {
  const { servers, gone, books } = sim;
  const { away } = books.clearinghouse.seen;
  let installed = 0;
  let reserved = 0;
  for (const server of [...servers, ...gone]) {
    const seen = books.servers.get(server.name)?.seen;
    for (const { agreement, line, installed: all, held, quarantined } of seen?.lines ?? []) {
      if (line !== of.line) continue;
      const usable = Math.max(0, all - held - unheardOf(away, server, line));
      const given = givenTo(sim, { key: `${agreement}/${line}`, id: server.id });
      // In doubt, its books may have what has gone from it since.
      const isInDoubt = seen?.past?.state === 'doubted';
      installed += isInDoubt ? Math.min(usable, given) : usable;
      // And they may have a unit with its holder of before, who has nothing that runs.
      const before = (seen?.named ?? []).filter((each) => each.line === line && each.counts === 1);
      if (isInDoubt) reserved += before.filter(({ sub }) => !of.alive.has(sub)).length;
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
    const alive = sim.tokens.holders(type, sim.latestMs);
    const others = [...alive].filter((sub) => !named.subs.has(sub)).length;
    if (others === 0) continue;
    const units = named.second + namelessUnits(sim, { line, out: entitled - inHand - retired, alive });
    if (others > units && others > units + (await atRisk(sim, { line, type }))) {
      throw new Violation(
        'a unit for each',
        `${others} holders per ${type} are named by no server, for ${units} units`,
      );
    }
  }
}
