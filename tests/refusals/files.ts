/**
 * Files carried by hand that were altered, cut short, brought twice, too late, or to the wrong place: at
 * 200 places of each, with the checksum as it was and with one that was made anew.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { answerFile } from '../../src/clearinghouse/usecases/exchange.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import type { MessageFileKind } from '../../src/protocol/message-file.ts';
import { readMessageFile, writeMessageFile } from '../../src/protocol/message-file.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { applyAnswerFile } from '../../src/server/usecases/apply-message.ts';
import { requestFile } from '../../src/server/usecases/outbox.ts';
import { requestActivation, requestInstall } from '../../src/server/usecases/requests.ts';
import { addKit } from '../../src/server/usecases/settings.ts';
import { Chance } from '../kill/random.ts';
import * as acts from '../world/acts.ts';
import { differences, takeSnapshot } from '../world/snapshot.ts';
import type { World } from '../world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from '../world/world.ts';
import type { Row } from './table.ts';
import { daysAway, refuses } from './table.ts';

interface Stage {
  readonly world: World;
  /** Activated, and asked for 7 by file: the answer is made and not applied yet. */
  readonly server: OpenServer;
  readonly other: OpenServer;
  readonly request: string;
  readonly answer: string;
  /** The answer that brought the certificate, applied long ago. */
  readonly applied: string;
}

async function makeStage(kit: boolean): Promise<Stage> {
  const world = await makeWorld(100, { kit });
  const server = await world.addServer('LS');
  const other = await world.addServer('LS-OTHER');
  value(await requestActivation(server.context, { agreement }));
  const applied = await acts.answerTo(world, server);
  value(await applyAnswerFile(server.context, applied));
  value(await requestInstall(server.context, { agreement, product, type: 'device', quantity: 7 }));
  const request = await requestFile(server.context);
  const answer = value(await answerFile(world.clearinghouse.context, request)).file;
  return { world, server, other, request, answer, applied };
}

type Take = (stage: Stage, text: string) => Promise<Result<unknown, Refusal>>;

const takers: Readonly<Record<MessageFileKind, Take>> = {
  request: ({ world }, text) => answerFile(world.clearinghouse.context, text),
  answer: ({ server }, text) => applyAnswerFile(server.context, text),
};

const damaged = new Set(['file-damaged', 'file-other-kind', 'message-invalid', 'message-untrusted']);

/** Every altered text is refused as damaged or forged, and nothing at all changes. */
async function refusesAll(stage: Stage, kind: MessageFileKind, texts: readonly string[]): Promise<void> {
  const start = await takeSnapshot(stage.world.programs());
  for (const text of texts) {
    const refusal = refusalOf(await takers[kind](stage, text));
    assert.ok(damaged.has(refusal.code), `${JSON.stringify(refusal)} of ${text.slice(0, 200)}`);
  }
  assert.deepEqual(differences(start, await takeSnapshot(stage.world.programs())), []);
}

/** The text with another character at one place. */
function altered(text: string, at: number, chance: Chance): string {
  const replacement = chance.pick([...'0aZ_-."{ 9']);
  const other = replacement === text.charAt(at) ? '~' : replacement;
  return text.slice(0, at) + other + text.slice(at + 1);
}

const samples = 200;

/** Places spread over the whole text, one in each of equal parts of it. */
function placesIn(text: string, chance: Chance): readonly number[] {
  return Array.from({ length: samples }, (_, part) =>
    Math.floor(((part + chance.next()) * text.length) / samples),
  );
}

/** A file with one character of one of its tokens altered, and a checksum that is right again. */
function reforged(kind: MessageFileKind, text: string, chance: Chance): string {
  const file = value(readMessageFile(nodeDigest, text, kind));
  const which = chance.between(0, file.messages.length - 1);
  const messages = file.messages.map((token, index) => {
    if (index !== which) return token;
    const at = chance.between(0, token.length - 1);
    const other = token.charAt(at) === 'A' ? 'B' : 'A';
    return token.slice(0, at) + other + token.slice(at + 1);
  });
  return writeMessageFile(nodeDigest, { ...file, messages });
}

function damage(kind: MessageFileKind, chance: Chance): void {
  let stage: Stage;
  before(async () => {
    stage = await makeStage(false);
  });
  after(async () => stage.world.close());

  it(`one character altered at ${samples} places`, async () => {
    const text = stage[kind];
    await refusesAll(
      stage,
      kind,
      placesIn(text, chance).map((at) => altered(text, at, chance)),
    );
  });

  it(`cut short at ${samples} places`, async () => {
    const text = stage[kind];
    // Only the line end after the last brace may be missing.
    await refusesAll(
      stage,
      kind,
      placesIn(text.trimEnd(), chance).map((at) => text.slice(0, at)),
    );
  });

  it(`a message in it altered at ${samples} places, with a checksum made anew`, async () => {
    await refusesAll(
      stage,
      kind,
      Array.from({ length: samples }, () => reforged(kind, stage[kind], chance)),
    );
  });

  it('messages of it left out, doubled or in another order, with the old checksum', async () => {
    const text = stage[kind];
    const file = JSON.parse(text) as { messages: readonly string[] };
    const [first = '', ...rest] = file.messages;
    const orders = [rest, [first], [...file.messages, first], [...file.messages].reverse()];
    await refusesAll(
      stage,
      kind,
      orders.map((messages) => JSON.stringify({ ...file, messages })),
    );
  });
}

const places: readonly Row<Stage>[] = [
  {
    name: 'a request file on a license server',
    attempt:
      ({ server, request }) =>
      () =>
        applyAnswerFile(server.context, request),
    refused: { code: 'file-other-kind', expected: 'answer', found: 'request' },
  },
  {
    name: 'an answer file at the clearinghouse',
    attempt:
      ({ world, answer }) =>
      () =>
        answerFile(world.clearinghouse.context, answer),
    refused: { code: 'file-other-kind', expected: 'request', found: 'answer' },
  },
  {
    name: 'an answer file in the place of a kit',
    attempt:
      ({ server, answer }) =>
      () =>
        addKit(server.context, answer),
    refused: { code: 'file-other-kind', found: 'answer' },
  },
  {
    name: 'a kit in the place of an answer file',
    attempt:
      ({ world, server }) =>
      () =>
        applyAnswerFile(server.context, world.kitFile),
    refused: { code: 'file-other-kind', expected: 'answer', found: 'agreement-kit' },
  },
  {
    name: 'an empty file',
    attempt:
      ({ server }) =>
      () =>
        applyAnswerFile(server.context, ''),
    refused: { code: 'file-damaged', problem: 'it is empty' },
  },
  {
    name: 'the answer file of another server',
    attempt:
      ({ other, answer }) =>
      () =>
        applyAnswerFile(other.context, answer),
    refused: { code: 'message-invalid', problem: 'there is no message for this license server in it' },
  },
  {
    name: 'the answer file of another clearinghouse',
    attempt: async ({ server }) => {
      const elsewhere = await makeWorld(10, { publisher: 'Elsewhere', kit: false });
      const stranger = await elsewhere.addServer('LS');
      value(await requestActivation(stranger.context, { agreement }));
      const foreign = await acts.answerTo(elsewhere, stranger);
      await elsewhere.close();
      return () => applyAnswerFile(server.context, foreign);
    },
    refused: { code: 'message-untrusted' },
  },
  {
    name: 'an answer file that was in a drawer for 61 days',
    attempt:
      ({ world, server, answer }) =>
      () =>
        daysAway(world.clock, 61, () => applyAnswerFile(server.context, answer)),
    refused: { code: 'message-expired' },
  },
  {
    name: 'a request file that was in a drawer for 61 days',
    attempt:
      ({ world, request }) =>
      () =>
        daysAway(world.clock, 61, () => answerFile(world.clearinghouse.context, request)),
    refused: { code: 'message-expired' },
  },
  {
    name: 'an answer file brought twice',
    attempt: async ({ server, answer }) => {
      value(await applyAnswerFile(server.context, answer));
      return () => applyAnswerFile(server.context, answer);
    },
    refused: { code: 'already-applied', product, type: 'device', added: 7, installed: 7 },
  },
  {
    name: 'an answer file of long ago',
    attempt:
      ({ server, applied }) =>
      () =>
        applyAnswerFile(server.context, applied),
    refused: { code: 'already-applied', added: 0 },
    // That it holds these messages is to be told again at the next contact, and the proof of its journal
    // begins once more where the file says that it was seen.
    recorded: ['LS.applied_messages+', 'LS.checkpoints~'],
  },
];

export function filesAreRefused(): void {
  describe('a request file is refused:', () => damage('request', new Chance(1)));
  describe('an answer file is refused:', () => damage('answer', new Chance(2)));
  refuses('a file is refused:', () => makeStage(true), places);
  describe('a request file brought twice', () => {
    it('is answered again, and its requests are carried out once', async () => {
      const stage = await makeStage(false);
      const books = async () => (await takeSnapshot(stage.world.programs())).get('clearinghouse.accounts');
      const once = await books();
      const again = value(await answerFile(stage.world.clearinghouse.context, stage.request));
      assert.deepEqual(await books(), once);
      value(await applyAnswerFile(stage.server.context, again.file));
      assert.deepEqual(await acts.counts(stage.server), [7, 0, 7, 0, 0, 0]);
      await stage.world.close();
    });
  });
}
