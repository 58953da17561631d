/**
 * What devices and users do: ask, sign in, show what they have, follow where they are sent, give back.
 * Who has a living license is never turned away by the server that serves it (protocol §1.1, promise 5).
 */
import { dayMs } from '../../src/core/time.ts';
import { sweepLapsed } from '../../src/server/usecases/reclaim.ts';
import type { LicenseAnswer } from '../../src/server/usecases/request-license.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import { returnLicense, validateLicense } from '../../src/server/usecases/return-license.ts';
import { listMoves } from '../../src/server/usecases/start-move.ts';
import { readStatus } from '../../src/server/usecases/status.ts';
import { product } from '../world/world.ts';
import type { Act } from './people.ts';
import { grantedAway } from './risk.ts';
import type { LineType, Sim, SimServer } from './sim.ts';
import { anyServer, anyType, isDense, otherServer, recent, serverOf } from './sim.ts';
import type { HeldToken } from './tokens.ts';
import { Violation } from './tokens.ts';

interface Asking {
  readonly holder: string;
  readonly type: LineType;
  readonly server: SimServer;
  readonly shown: HeldToken | undefined;
  readonly hops: number;
}

function anyHolder(sim: Sim, type: LineType): string {
  return `${type === 'device' ? 'ws' : 'user'}-${sim.chance.between(1, sim.profile.holders)}`;
}

/** Where it works, most often; and what it shows there. */
const request: Act = async (sim) => {
  const type = anyType(sim);
  const holder = anyHolder(sim, type);
  const before = sim.tokens.of(holder, type);
  const server = askAt(sim, before.at(-1));
  const some = sim.chance.happens(0.6) ? recent(sim, before) : undefined;
  // As clients do: who was given a license since shows it to the server that was put back.
  const own = before.findLast(({ issuer }) => issuer === server.id) ?? before.at(-1);
  const shown = sim.profile.putBacks > 0 ? own : some;
  return ask(sim, { holder, type, server, shown, hops: 0 });
};

/** Where a holder asks: where its license is from, or anywhere; and who gets no answer there asks another server. */
export function askAt(sim: Sim, newest: HeldToken | undefined): SimServer {
  const home = serverOf(sim, newest?.issuer ?? '');
  const first = home === undefined || sim.chance.happens(0.3) ? anyServer(sim) : home;
  return first.program.isUp ? first : otherServer(sim, first);
}

export async function ask(sim: Sim, asking: Asking): Promise<string> {
  const { holder, type, server, shown } = asking;
  const mine = sim.tokens.of(holder, type);
  const source = shown === undefined ? {} : { source: { token: shown.token, bundle: shown.bundle } };
  const { context } = server.program;
  const answer = await requestLicense(context, { product, type, holder, ...source });
  const with_ =
    shown === undefined ? '' : `, showing unit ${shown.unit} of ${serverOf(sim, shown.issuer)?.name}`;
  const words = `${holder} asks ${server.name}${with_}`;
  if (answer.ok) {
    return `${words}: ${answer.value.status} ${await take(sim, asking, answer.value)}`;
  }
  const { code } = answer.error;
  const why = code === 'source-token-invalid' ? ` (${answer.error.problem})` : '';
  const own = mine.find((each) => each.issuer === server.id && each.endsMs > sim.latestMs && !each.resigned);
  if (own !== undefined && code !== 'license-moved' && code !== 'deactivated') {
    if (await isLostThere(server, own)) return `${words}: ${code}, for it has no such unit of theirs`;
    throw new Violation('holders keep working', `${words}: ${code}, with unit ${own.unit} of it still alive`);
  }
  if (answer.error.code !== 'license-moved' || asking.hops > 3) return `${words}: ${code}${why}`;
  return `${words}: ${code}; ${await follow(sim, asking, answer.error.licenseServerId)}`;
}

/**
 * Whether a server in doubt has nothing to renew a license on: the unit was installed after the copy that it was put back
 * to, or is another's by these books, so that nobody can tell who has it now. Whoever has the license keeps it as it is.
 */
async function isLostThere({ program }: SimServer, { line, unit, holder }: HeldToken): Promise<boolean> {
  if ((await readStatus(program.context)).past?.state !== 'doubted') return false;
  const there = await program.store.read((tx) =>
    tx.get(
      `select 1 from unit_ranges u join lines l on l.id = u.line_id where l.type = ? and ? between u.first_unit and u.last_unit
       union all select 1 from licenses where kind = ? and unit = ? and holder = ? and state in ('issued', 'held')`,
      ...[line, unit, line, unit, holder],
    ),
  );
  return there === undefined;
}

/** It goes on to where it was sent, with the newest license that it has. */
async function follow(sim: Sim, asking: Asking, to: string): Promise<string> {
  const { holder, type } = asking;
  const target = serverOf(sim, to);
  if (target === undefined || !target.program.isUp) return 'nobody there';
  const alive = sim.tokens.of(holder, type).filter((each) => each.endsMs > sim.latestMs + dayMs);
  const shown = alive.at(-1);
  const words = await ask(sim, { holder, type, server: target, shown, hops: asking.hops + 1 });
  const served = / permanent|deactivated|horizon-passed|clock-behind|license-moved/.test(words);
  if (shown?.issuer !== asking.server.id || shown.resigned || served) return words;
  if ((await movedByMessage(asking, to)) && !(await mayBeWithout(asking, target))) {
    throw new Violation('holders keep working', `${asking.server.name} sent ${holder} on, but ${words}`);
  }
  return words;
}

/**
 * Whether a target may have nothing lasting for whom it was sent: past its own horizon it gives a license that has ended
 * there to nobody again; units that came without a name may have gone on from it before their holder came,
 * and be under way for as long as that takes (by name the holder would be sent after them); and it may have
 * given up what came back to it.
 */
async function mayBeWithout({ server, type }: Asking, target: SimServer): Promise<boolean> {
  const { horizonWarning, past } = await readStatus(target.program.context);
  if (horizonWarning === 'passed' || past?.state === 'doubted') return true;
  const gone = await target.program.store.read((tx) =>
    tx.get(
      `select 1 from frozen_reserves f join reserves r on r.id = f.reserve join lines l on l.id = r.line_id
       where r.source = ? and l.type = ?`,
      server.id,
      type,
    ),
  );
  return gone !== undefined || (await isWithoutWhatCameBack({ server, type }, target));
}

/**
 * Whether CALs of a move that `server` has given back are not on the source of that again: it has not heard of them yet,
 * or has given them up by itself meanwhile. The publisher has them then, when the licenses have ended that run on them.
 */
async function isWithoutWhatCameBack(
  { server, type }: Pick<Asking, 'server' | 'type'>,
  target: SimServer,
): Promise<boolean> {
  const returned = await server.program.store.read((tx) =>
    tx.all<{ id: string }>(
      `select id from moves where role = 'target' and state = 'relinquished' and source = ? and type = ?`,
      target.id,
      type,
    ),
  );
  const released = await target.program.store.read((tx) =>
    tx.all<{ id: string }>(`select id from moves where role = 'source' and state <> 'undone'`),
  );
  return returned.some(({ id }) => released.some((each) => each.id === id));
}

/**
 * Whether the clearinghouse has told the source to release what went this way: then the target has it. A
 * code that was not typed yet explains a gap, and so does a source that was made to release by itself.
 */
async function movedByMessage({ type, server }: Asking, to: string): Promise<boolean> {
  const moves = await listMoves(server.program.context);
  const way = moves.filter((move) => move.role === 'source' && move.target === to && move.type === type);
  const rows = await server.program.store.read((tx) =>
    tx.all<{ text: string }>(`select text from journal where kind = 'received-release'`),
  );
  const told = rows.map(({ text }) => (JSON.parse(text) as { body: { move?: string } }).body.move);
  return (
    way.length > 0 &&
    way.every((move) => move.carrier === 'online' && (move.state === 'undone' || told.includes(move.id)))
  );
}

/** A license comes home; after its first temporary one a device signs in, most often. */
async function take(sim: Sim, asking: Asking, answer: LicenseAnswer): Promise<string> {
  const { holder, type, server } = asking;
  if (answer.unit === null) {
    if (!sim.chance.happens(0.7)) return 'temporary';
    await validateLicense(server.program.context, { product, type, holder });
    const again = isDense(sim) && answer.status === 'issued';
    if (again) return `temporary, and signs in; ${await ask(sim, asking)}`;
    return 'temporary, and signs in';
  }
  const bundle = JSON.parse(answer.bundleText) as unknown;
  const { origin } = answer;
  const early =
    origin !== null &&
    !origin.startsWith(server.id) &&
    ((await tookEarly(asking)) || (await stayedBehind(sim, asking, origin)));
  const held = sim.tokens.take({ holder, token: answer.token, bundle, early }, sim.latestMs);
  if (held.issuer !== server.id)
    throw new Violation('tokens', `${server.name} gave a token of ${held.issuer}`);
  return `permanent unit ${held.unit}, first ${held.origin.slice(0, 5)}/${held.origin.split('/')[1]}`;
}

/** Whether the unit behind a license is one of the server's own, and its origin another server's. */
async function tookEarly({ server, type, holder }: Asking): Promise<boolean> {
  const { store } = server.program;
  const row = await store.read((tx) =>
    tx.get<{ early: string | null }>(
      `select early_source as early from licenses
       where kind = ? and holder = ? and state in ('issued', 'held') order by issued_at desc`,
      type,
      holder,
    ),
  );
  return row?.early != null;
}

/**
 * Whether the unit that an origin names never left its server, as that server knows. An anonymous reserve
 * (protocol §2.4, rule 5) serves whoever shows a token of its source: also a holder whose own unit was not
 * among those that moved. A unit of the reserve stands behind the license, and the source has the other one.
 */
async function stayedBehind(sim: Sim, { type, holder }: Asking, origin: string): Promise<boolean> {
  const [id = '', unit = ''] = origin.split('/');
  const first = serverOf(sim, id);
  // It was declared dead, and all that it had is another's: nothing stays behind.
  if ((await grantedAway(sim)).some(({ source }) => source === id)) return false;
  const row = await first?.program.store.read((tx) =>
    tx.get<{ state: string }>(
      'select state from licenses where kind = ? and holder = ? and unit = ? order by id desc limit 1',
      type,
      holder,
      Number(unit),
    ),
  );
  return row !== undefined && ['issued', 'expired'].includes(row.state);
}

/** What a server has on its list is nobody's any more, also where it was killed before it could say that it is given back. */
export async function revokeListed(sim: Sim, server: SimServer): Promise<void> {
  const { store } = server.program;
  const rows = await store.read((tx) => tx.all<{ jti: string }>('select jti from revoked_tokens'));
  sim.tokens.revoke(new Set(rows.map(({ jti }) => jti)));
}

const giveUp: Act = async (sim) => {
  const server = anyServer(sim);
  const type = anyType(sim);
  const holder = anyHolder(sim, type);
  const given = await returnLicense(server.program.context, { product, type, holder });
  if (given.ok) sim.tokens.resign(holder, { line: type, issuer: server.id });
  return `${holder} gives its license back to ${server.name}: ${given.ok ? 'done' : given.error.code}`;
};

const sweep: Act = async (sim) => {
  const server = anyServer(sim);
  const swept = await sweepLapsed(server.program.context, 100);
  return `${server.name} sweeps: ${swept.ok ? swept.value.reclaimed : swept.error.code}`;
};

export const holders = { request, giveUp, sweep };
