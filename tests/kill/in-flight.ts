/**
 * Contacts that are under way while one end is killed: they arrive late, twice, in part, or are
 * answered to nobody. Whatever the network makes of an honest server's messages, the clearinghouse
 * must go on trusting it, and nothing it asked for may be granted twice.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../in-time.ts';
import type { Letter } from './gate.ts';
import type { Answer, Reply } from './http.ts';
import { tolerateLost } from './http.ts';
import { installedOn } from './moves.ts';
import type { Place } from './place.ts';
import { activate, agreement, contact, must, persist, product, sell } from './place.ts';
import type { Program } from './programs.ts';
import type { Chance } from './random.ts';
import { lookStopped, lookTogether } from './together.ts';

/** All of them, one after the other, twice: each leaves the place fit for the next. */
export async function scenes(place: Place, chance: Chance): Promise<{ readonly ordered: number }> {
  for (const program of [place.clearinghouse, place.old]) await program.start(0);
  await sell(place.clearinghouse, { device: 5000, user: 10 });
  await activate(place.old);
  const scene: Scene = { place, server: place.old, ordered: 0 };
  for (let round = 0; round < 2; round += 1) {
    for (const run of [
      () => arrivesLate(scene),
      () => arrivesTogether(scene, 'old'),
      () => arrivesTogether(scene, 'new'),
      () => arrivesAfterPart(scene),
      () => isAnsweredToNobody(scene),
      () => isKilledByTheAnswer(scene, chance.between(0, 8)),
      () => isCutInTheMiddle(scene, chance.between(0, 12)),
      () => isHeldBackForTheDead(scene),
    ]) {
      await run();
      await checkScene(scene);
    }
  }
  return { ordered: scene.ordered };
}

interface Scene {
  readonly place: Place;
  readonly server: Program;
  /** How many CALs the orders of this scene come to. */
  ordered: number;
}

interface Held {
  readonly letter: Letter;
  /** The letter with its first messages only: what a clearinghouse has taken in that is killed then. */
  readonly deliverPart: (messages: number) => Promise<Reply | undefined>;
}

/** The next letter that carries more than a contact is kept back, and everything after it goes its way. */
function holdNext(place: Place): Promise<Held> {
  return new Promise((resolve) => {
    place.gate.carrier = async (letter) => {
      const { messages } = JSON.parse(letter.text) as { readonly messages: readonly string[] };
      if (messages.length <= 1) return letter.reply(await letter.deliver());
      place.gate.carrier = undefined;
      resolve({ letter, deliverPart: (many) => letter.deliver(messages.slice(0, many)) });
    };
  });
}

let orders = 0;

/** An order of CALs: the same key at every repetition. `file` leaves it in the outbox. */
function order(scene: Scene, by: 'contact' | 'file'): () => Promise<Answer> {
  orders += 1;
  // Another quantity than those still under way: the same order again would be one with the first.
  const quantity = 1 + (orders % 11);
  scene.ordered += quantity;
  const body = { agreement, product, type: 'device', quantity, by };
  const ask = { method: 'POST', path: '/v1/admin/install', body, key: `order-${orders}` } as const;
  return () => scene.server.call(ask);
}

const orLost = (answer: Promise<Answer>): Promise<Answer | undefined> => answer.catch(tolerateLost);

async function restart(program: Program): Promise<void> {
  if (program.port !== undefined) await program.kill();
  await program.start(0);
}

interface Underway extends Held {
  /** The answer to who sent the letter, or undefined where none came. */
  readonly answered: Promise<Answer | undefined>;
}

/** Holds back the letter that a request to the server brings forth. */
async function holdBack(place: Place, ask: () => Promise<Answer>): Promise<Underway> {
  const held = holdNext(place);
  const answered = orLost(ask());
  return { ...(await held), answered };
}

/** So many orders wait in the outbox, and the letter with them is held back. */
async function holdOrders(scene: Scene, many: number): Promise<Underway> {
  for (let index = 0; index < many; index += 1) await must200(order(scene, 'file')());
  return holdBack(scene.place, () => scene.server.call(contact));
}

/** The server dies with a letter out; it arrives after the letters of the server that was started again. */
async function arrivesLate(scene: Scene): Promise<void> {
  const { place, server } = scene;
  const ask = order(scene, 'contact');
  const { letter, deliverPart, answered } = await holdBack(place, ask);
  await server.kill();
  assert.equal(await answered, undefined);
  await server.start(0);
  assert.equal((await ask()).status, 200);
  await letter.deliver();
  await deliverPart(1);
}

/** Both letters are taken in at once, in either order. */
async function arrivesTogether(scene: Scene, first: 'old' | 'new'): Promise<void> {
  const { place, server } = scene;
  const old = await holdOrders(scene, 5);
  await server.kill();
  await old.answered;
  const again = holdNext(place);
  await server.start(0);
  const { letter } = await again;
  const letters = first === 'old' ? [old.letter, letter] : [letter, old.letter];
  await Promise.all(
    letters.map(async (each) => {
      const reply = await each.deliver();
      if (each === letter) each.reply(reply);
    }),
  );
}

/** The clearinghouse dies when it has taken in only the first messages; then the older letter arrives. */
async function arrivesAfterPart(scene: Scene): Promise<void> {
  const { place, server } = scene;
  const old = await holdOrders(scene, 3);
  await server.kill();
  await old.answered;
  place.gate.carrier = async (letter) => letter.reply(undefined);
  await server.start(0);
  // The journal goes on: what is signed from here on tells of a longer one than the old letter.
  await must(server, { method: 'PUT', path: `/v1/licenses/${product}/devices/device-${scene.ordered}` });
  const { letter, deliverPart, answered } = await holdBack(place, () => server.call(contact));
  await deliverPart(1);
  await restart(place.clearinghouse);
  await old.letter.deliver();
  letter.reply(undefined);
  await answered;
}

/** The clearinghouse has taken everything in, and dies before its answer has left. */
async function isAnsweredToNobody(scene: Scene): Promise<void> {
  const { place } = scene;
  const ask = order(scene, 'contact');
  const { letter, answered } = await holdBack(place, ask);
  assert.equal((await letter.deliver())?.status, 200);
  await restart(place.clearinghouse);
  letter.reply(undefined);
  await answered;
  await persist200(scene, ask);
}

/** The answer is there, and the server dies over it. */
async function isKilledByTheAnswer(scene: Scene, afterMs: number): Promise<void> {
  const { place, server } = scene;
  const ask = order(scene, 'contact');
  const { letter, answered } = await holdBack(place, ask);
  letter.reply(await letter.deliver());
  await sleep(afterMs);
  await restart(server);
  await answered;
  await persist200(scene, ask);
}

/** The clearinghouse dies somewhere in the middle of a long letter, then the server does as well. */
async function isCutInTheMiddle(scene: Scene, afterMs: number): Promise<void> {
  const { place, server } = scene;
  const { letter, answered } = await holdOrders(scene, 8);
  const delivered = letter.deliver();
  await sleep(afterMs);
  await place.clearinghouse.kill();
  letter.reply(await delivered);
  await answered;
  await restart(server);
  await place.clearinghouse.start(0);
}

/** The contact that the clearinghouse holds back is that of a dead server; the new one contacts beside it. */
async function isHeldBackForTheDead(scene: Scene): Promise<void> {
  const { place, server } = scene;
  const contacts: Letter[] = [];
  place.gate.carrier = async (letter) => {
    contacts.push(letter);
    letter.reply(await letter.deliver());
  };
  await restart(server);
  const ofTheDead = await until('the contact of a server that was started', () => contacts[0]);
  await sleep(20);
  await restart(server);
  const ask = order(scene, 'contact');
  await persist200(scene, ask);
  // And once more, the very letter of the dead one.
  void ofTheDead.deliver();
  await must200(order(scene, 'contact')());
  place.gate.carrier = undefined;
}

async function must200(asked: Promise<Answer>): Promise<void> {
  const answer = await asked;
  assert.equal(answer.status, 200, answer.text);
}

/** Repeats an order until it is answered; the line may be broken a while yet. */
async function persist200({ server }: Scene, ask: () => Promise<Answer>): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const answer = await orLost(ask());
    if (answer?.status === 200) return;
    assert.ok(answer === undefined || answer.status === 503, answer?.text);
    await server.isUp();
    await sleep(20);
  }
  assert.fail('the order is never answered');
}

/** After a scene: everything that was ordered is there, once, and the server is trusted. */
async function checkScene(scene: Scene): Promise<void> {
  const { place, server } = scene;
  place.gate.carrier = undefined;
  await server.isUp();
  for (let tries = 0; (await installedOn(server)) < scene.ordered && tries < 100; tries += 1) {
    await persist(server, contact);
    await sleep(10);
  }
  await lookStopped(place, async () => void lookTogether(place));
  assert.equal(await installedOn(server), scene.ordered, 'what was ordered, once each');
  await must(server, contact);
  await lookStopped(place, async () => {
    const { clearinghouse } = lookTogether(place);
    const committed = clearinghouse.lines.reduce((sum, line) => sum + line.committed, 0);
    assert.equal(committed, scene.ordered, 'what was committed, once each');
  });
}
