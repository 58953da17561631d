/** What had been acknowledged up to some point, and what of it a disk does not have any more. */
import type { ServerImage } from '../kill/image.ts';
import type { Seen } from './look.ts';
import type { Acknowledged, Claim, MoveStates } from './marks.ts';

const ranks: Readonly<Record<keyof MoveStates, readonly string[]>> = {
  clearinghouse: ['', 'reserved', 'granted', 'installed', 'committed', 'closed'],
  source: ['', 'requested', 'frozen', 'closed'],
  target: ['', 'provisional', 'final', 'closed'],
};

/** What had been acknowledged up to a point. */
export class Told {
  readonly #answers = new Map<string, number>();
  readonly #asking = new Set<string>();
  readonly #served = new Set<string>();
  readonly #moves = new Map<string, Extract<Acknowledged, { move: string }>>();

  take(mark: Acknowledged | undefined): void {
    if (mark === undefined) return;
    if ('asking' in mark) this.#asking.add(mark.asking);
    if ('holder' in mark) this.#asking.delete(mark.holder);
    if ('holder' in mark) this.#answers.set(mark.holder, (this.#answers.get(mark.holder) ?? 0) + 1);
    if ('served' in mark) this.#served.add(mark.served);
    if ('gone' in mark) this.#served.delete(mark.gone);
    if ('move' in mark) this.#moves.set(mark.move, mark);
  }

  /** The first thing that is not there any more, in words. */
  lostIn({ together, moves }: Seen, claims: ReadonlyMap<string, readonly string[]>): string | undefined {
    const [first] = together.servers.values();
    for (const [holder, answers] of this.#answers) {
      const all = claims.get(holder) ?? [];
      const [there, ...orElse] = claimsIn(first, holder);
      // What was under way may be on the disk: the answer that came later, or one that never came.
      const unanswered = this.#asking.has(holder) && answers === all.length;
      const mayBe = all.slice(answers - 1);
      if (!unanswered && ![there, ...orElse].some((claim) => mayBe.includes(claim))) {
        return `${holder} has ${there}, was told ${all[answers - 1]}`;
      }
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

export const textOf = ({ permanent, temporary, validated }: Claim): string =>
  JSON.stringify([permanent?.unit ?? null, permanent?.jti ?? null, temporary, validated]);

/** What an image says that a device has; of a license whose own token may be over, also that it has none. */
function claimsIn(image: ServerImage | undefined, holder: string): readonly [string, ...string[]] {
  const license = image?.live.find((row) => row.holder === holder);
  const temporary = image?.temporaries.get(holder);
  const claim: Claim = {
    permanent: license === undefined ? null : { unit: license.unit, jti: license.jti },
    temporary: temporary?.jti ?? null,
    validated: temporary?.validated ?? false,
  };
  const given = license?.mayBeEnded === true ? [textOf({ ...claim, permanent: null })] : [];
  return [textOf(claim), ...given];
}
