/** How messages and files travel in a run: lost, twice, late, in another order, or as they should. */
import { answerFile, exchangeMessages } from '../../src/clearinghouse/usecases/exchange.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import { err, ok } from '../../src/core/result.ts';
import type { Delivery } from '../../src/platform/delivery.ts';
import { applyAnswerFile, applyMessages } from '../../src/server/usecases/apply-message.ts';
import { contactClearinghouse } from '../../src/server/usecases/contact.ts';
import { requestFile } from '../../src/server/usecases/outbox.ts';
import { Crashed } from './program.ts';
import type { Parcel, Sim, SimServer } from './sim.ts';
import { anyServer, recent } from './sim.ts';

/** So much lies about at most; what is older is lost for good. */
const mostParcels = 40;

type Sent = Omit<Parcel, 'sentMs'>;

function put(sim: Sim, sent: Sent): void {
  if (!sim.faults) return;
  sim.parcels.push({ ...sent, sentMs: sim.nowMs });
  if (sim.parcels.length > mostParcels) sim.parcels.shift();
}

const unreachable = (url: string): Result<readonly string[], Refusal> =>
  err({ code: 'clearinghouse-unreachable', url, detail: 'the line was cut' });

/** Messages go one way; answers whether they are lost. They may arrive later all the same. */
function isLost(sim: Sim, parcel: Sent): boolean {
  if (!sim.faults || !sim.chance.happens(sim.profile.loss)) return false;
  if (sim.chance.happens(0.6)) put(sim, parcel);
  return sim.chance.happens(0.7);
}

/** The line between a server and the clearinghouse, with everything that happens on it. */
export function deliveryOf(sim: Sim, from: () => SimServer): Delivery {
  return {
    exchange: async ({ url, messages }) => {
      const parcel = { by: 'wire', server: from(), file: '' } as const;
      if (parcel.server.condition === 'cut') return unreachable(url);
      if (isLost(sim, { ...parcel, to: 'clearinghouse', messages })) return unreachable(url);
      try {
        const answered = await exchangeMessages(sim.clearinghouse.context, { messages, waitMs: 0 });
        if (!answered.ok) return answered;
        const answers = answered.value.messages;
        return isLost(sim, { ...parcel, to: 'server', messages: answers }) ? unreachable(url) : ok(answers);
      } catch (error) {
        if (error instanceof Crashed) return unreachable(url);
        throw error;
      }
    },
  };
}

const outcome = (result: Result<unknown, Refusal>): string => (result.ok ? 'done' : result.error.code);

/** One contact over the network. */
export async function contact(sim: Sim, server = anyServer(sim)): Promise<string> {
  const done = await contactClearinghouse(server.program.context, { waitMs: 0 });
  if (!done.ok) return `${server.name} contacts the clearinghouse: ${done.error.code}`;
  const { applied, failed } = done.value;
  const not = failed.map(({ type, refusal }) => `, not ${type} (${refusal.code})`);
  return `${server.name} contacts the clearinghouse: ${applied.join(' ')}${not.join('')}`;
}

/** A request file is written, and lies on a stick. */
export async function writeFile(sim: Sim): Promise<string> {
  const server = anyServer(sim);
  const file = await requestFile(server.program.context);
  put(sim, { to: 'clearinghouse', by: 'file', server, messages: [], file });
  return `${server.name} writes a request file`;
}

/** Something that lies about arrives, perhaps not for the last time. */
export async function deliver(sim: Sim): Promise<string> {
  const parcel = recent(sim, sim.parcels);
  if (parcel === undefined) return 'nothing to deliver';
  if (!sim.chance.happens(0.25)) sim.parcels.splice(sim.parcels.indexOf(parcel), 1);
  sim.latestArrivalMs = Math.max(sim.latestArrivalMs, sim.nowMs - parcel.sentMs);
  const late = parcel.by === 'wire' ? 'messages' : 'a file';
  if (parcel.to === 'clearinghouse') {
    return `${late} of ${parcel.server.name} reach the clearinghouse: ${await toClearinghouse(sim, parcel)}`;
  }
  const { server } = parcel;
  const at = parcel.by === 'file' && sim.chance.happens(0.5) ? anyServer(sim) : server;
  if (parcel.by === 'wire' && at.condition === 'cut') return `${late} for ${server.name} are lost`;
  return `${late} for ${server.name} reach ${at.name}: ${await toServer(at, parcel)}`;
}

async function toClearinghouse(sim: Sim, parcel: Parcel): Promise<string> {
  const { context } = sim.clearinghouse;
  if (parcel.by === 'file') {
    const answered = await answerFile(context, parcel.file);
    if (answered.ok) put(sim, { ...parcel, to: 'server', file: answered.value.file });
    return outcome(answered);
  }
  const answered = await exchangeMessages(context, { messages: parcel.messages, waitMs: 0 });
  if (answered.ok) put(sim, { ...parcel, to: 'server', messages: answered.value.messages });
  return outcome(answered);
}

async function toServer(server: SimServer, parcel: Parcel): Promise<string> {
  const { context } = server.program;
  const { messages } = parcel;
  return outcome(
    parcel.by === 'file'
      ? await applyAnswerFile(context, parcel.file)
      : await applyMessages(context, { messages, ofOthers: 'refuse' }),
  );
}
