/**
 * Contacts that are under way while one end is killed: they arrive late, twice, in part, or are
 * answered to nobody. Whatever the network makes of an honest server's messages, the clearinghouse
 * must go on trusting it, and nothing it asked for may be granted twice.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Letter, Reply } from './gate.ts';
import type { Answer } from './http.ts';
import { tolerateLost } from './http.ts';
import { installedOn } from './moves.ts';
import type { Place } from './place.ts';
import { activate, agreement, must, persist, product, sell } from './place.ts';
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
function holdNext(place: Place, fits: (messages: number) => boolean): Promise<Held> {
  return new Promise((resolve) => {
    place.gate.carrier = async (letter) => {
      const { messages } = JSON.parse(letter.text) as { readonly messages: readonly string[] };
      if (!fits(messages.length)) return letter.reply(await letter.deliver());
      place.gate.carrier = undefined;
      resolve({ letter, deliverPart: (many) => letter.deliver(messages.slice(0, many)) });
    };
  });
}

let orders = 0;

/** An order of CALs: the same key at every repetition. `file` leaves it in the outbox. */
function order(
  scene: Scene,
  by: 'contact' | 'file',
): { readonly ask: () => Promise<Answer>; readonly quantity: number } {
  orders += 1;
  // Another quantity than those still under way: the same order again would be one with the first.
  const quantity = 1 + (orders % 11);
  scene.ordered += quantity;
  const body = { agreement, product, type: 'device', quantity, by };
  const ask = { method: 'POST', path: '/v1/admin/install', body, key: `order-${orders}` } as const;
  return { ask: () => scene.server.call(ask), quantity };
}

const orLost = (answer: Promise<Answer>): Promise<Answer | undefined> => answer.catch(tolerateLost);

async function restart(program: Program): Promise<void> {
  if (program.port !== undefined) await program.kill();
  await program.start(0);
}

const hasOrders = (messages: number): boolean => messages > 1;

/** The server dies with a letter out; it arrives after the letters of the server that was started again. */
async function arrivesLate(scene: Scene): Promise<void> {
  const { place, server } = scene;
  const held = holdNext(place, hasOrders);
  const { ask } = order(scene, 'contact');
  const lost = orLost(ask());
  const { letter, deliverPart } = await held;
  await server.kill();
  assert.equal(await lost, undefined);
  await server.start(0);
  assert.equal((await ask()).status, 200);
  await letter.deliver();
  await deliverPart(1);
}

/** Both letters are taken in at once, in either order. */
async function arrivesTogether(scene: Scene, first: 'old' | 'new'): Promise<void> {
  const { place, server } = scene;
  for (let index = 0; index < 5; index += 1) await must200(order(scene, 'file').ask());
  const held = holdNext(place, hasOrders);
  const lost = orLost(server.call({ method: 'POST', path: '/v1/admin/contact', body: { waitMs: 0 } }));
  const old = await held;
  await server.kill();
  await lost;
  const again = holdNext(place, hasOrders);
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
  for (let index = 0; index < 3; index += 1) await must200(order(scene, 'file').ask());
  const held = holdNext(place, hasOrders);
  const lost = orLost(server.call({ method: 'POST', path: '/v1/admin/contact', body: { waitMs: 0 } }));
  const old = await held;
  await server.kill();
  await lost;
  place.gate.carrier = async (letter) => letter.reply(undefined);
  await server.start(0);
  // The journal goes on: what is signed from here on tells of a longer one than the old letter.
  await must(server, { method: 'PUT', path: `/v1/licenses/${product}/devices/device-${scene.ordered}` });
  const again = holdNext(place, hasOrders);
  const lostAgain = orLost(server.call({ method: 'POST', path: '/v1/admin/contact', body: { waitMs: 0 } }));
  const { letter, deliverPart } = await again;
  await deliverPart(1);
  await restart(place.clearinghouse);
  await old.letter.deliver();
  letter.reply(undefined);
  await lostAgain;
}

/** The clearinghouse has taken everything in, and dies before its answer has left. */
async function isAnsweredToNobody(scene: Scene): Promise<void> {
  const { place } = scene;
  const held = holdNext(place, hasOrders);
  const { ask } = order(scene, 'contact');
  const lost = orLost(ask());
  const { letter } = await held;
  assert.equal((await letter.deliver())?.status, 200);
  await restart(place.clearinghouse);
  letter.reply(undefined);
  await lost;
  await persist200(scene, ask);
}

/** The answer is there, and the server dies over it. */
async function isKilledByTheAnswer(scene: Scene, afterMs: number): Promise<void> {
  const { place, server } = scene;
  const held = holdNext(place, hasOrders);
  const { ask } = order(scene, 'contact');
  const lost = orLost(ask());
  const { letter } = await held;
  letter.reply(await letter.deliver());
  await sleep(afterMs);
  await restart(server);
  await lost;
  await persist200(scene, ask);
}

/** The clearinghouse dies somewhere in the middle of a long letter, then the server does as well. */
async function isCutInTheMiddle(scene: Scene, afterMs: number): Promise<void> {
  const { place, server } = scene;
  for (let index = 0; index < 8; index += 1) await must200(order(scene, 'file').ask());
  const held = holdNext(place, hasOrders);
  const lost = orLost(server.call({ method: 'POST', path: '/v1/admin/contact', body: { waitMs: 0 } }));
  const { letter } = await held;
  const delivered = letter.deliver();
  await sleep(afterMs);
  await place.clearinghouse.kill();
  letter.reply(await delivered);
  await lost;
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
  while (contacts.length === 0) await sleep(5);
  await sleep(20);
  await restart(server);
  const { ask } = order(scene, 'contact');
  await persist200(scene, ask);
  // And once more, the very letter of the dead one.
  void contacts[0]?.deliver();
  await must200(order(scene, 'contact').ask());
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
    await persist(server, { method: 'POST', path: '/v1/admin/contact', body: { waitMs: 0 } });
    await sleep(10);
  }
  await lookStopped(place, async () => void lookTogether(place));
  assert.equal(await installedOn(server), scene.ordered, 'what was ordered, once each');
  await must(server, { method: 'POST', path: '/v1/admin/contact', body: { waitMs: 0 } });
  await lookStopped(place, async () => {
    const { clearinghouse } = lookTogether(place);
    const committed = clearinghouse.lines.reduce((sum, line) => sum + line.committed, 0);
    assert.equal(committed, scene.ordered, 'what was committed, once each');
  });
}
