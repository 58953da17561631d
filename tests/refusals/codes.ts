/** What a license server refuses of codes that were read out to it: mistyped, foreign, early, or typed twice. */

import { confirmByTelephone } from '../../src/clearinghouse/usecases/desk-confirm.ts';
import { giveHorizonCode } from '../../src/clearinghouse/usecases/desk-horizon.ts';
import { grantKeyPack } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { makeKit } from '../../src/clearinghouse/usecases/make-kit.ts';
import { formatCode, parseCode } from '../../src/core/code.ts';
import { formatDigits } from '../../src/core/code-digits.ts';
import { alphabet } from '../../src/core/code-repair.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import type { OpenServer } from '../../src/server/app.ts';
import type { CodeInput } from '../../src/server/usecases/apply-code.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { addKit } from '../../src/server/usecases/settings.ts';
import {
  freezeByTelephone,
  heartbeatByTelephone,
  releaseByTelephone,
} from '../../src/server/usecases/telephone-move.ts';
import * as acts from '../world/acts.ts';
import type { World } from '../world/world.ts';
import { agreement, makeWorld, product, value } from '../world/world.ts';
import type { Attempt, Row } from './table.ts';
import { refuses } from './table.ts';

interface Stage {
  readonly world: World;
  /** Gave 40 to `next` by telephone, 3 of them with holders, and has 25 again. */
  readonly old: OpenServer;
  readonly next: OpenServer;
  /** Has the kit and is not activated. */
  readonly fresh: OpenServer;
  /** Has no kit. */
  readonly bare: OpenServer;
  readonly closed: OpenServer;
  readonly codes: {
    readonly activation: string;
    readonly pack: string;
    readonly held: string;
    readonly horizon: string;
    readonly heartbeat: string;
  };
}

async function makeStage(): Promise<Stage> {
  const world = await makeWorld(10_000);
  const { context } = world.clearinghouse;
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  const fresh = await world.addServer('LS-FRESH', { kit: true });
  const bare = await world.addServer('LS-BARE');
  const closed = await world.addServer('LS-CLOSED', { kit: true });
  const activation = await acts.activationCode(world, old);
  await acts.setUp(world, old, 40);
  await acts.setUp(world, next, 0);
  await acts.setUp(world, closed, 0);
  value(await deactivateServer(closed.context, { returnUnissued: false, by: 'telephone' }));
  await acts.permanents(old, ['ws-1', 'ws-2', 'ws-3']);
  await acts.deskMove(world, { from: old, to: next });
  const line = { product, type: 'device' };
  const order = { ...line, to: acts.idOf(next), quantity: 'all' } as const;
  const frozen = value(await freezeByTelephone(old.context, order));
  await acts.typeCode(next, (await acts.confirm(world, frozen.code)).code ?? '');
  const released = value(await releaseByTelephone(old.context, line));
  const held = (await acts.confirm(world, released.code)).code ?? '';
  const pack = await acts.packCode(world, old, { quantity: 25 });
  await acts.typeCode(old, pack);
  const asked = { agreement, serverId: acts.idOf(old) };
  world.clock.advanceDays(40);
  const horizon = value(await giveHorizonCode(context, asked)).code ?? '';
  world.clock.advanceDays(-40);
  await acts.typeCode(old, horizon);
  const heartbeat = value(await heartbeatByTelephone(old.context, undefined)).code;
  return { world, old, next, fresh, bare, closed, codes: { activation, pack, held, horizon, heartbeat } };
}

/** Types something into a server, which has seen no failures before. */
function type(server: OpenServer, text: string, more: Partial<CodeInput> = {}): Attempt {
  server.context.cache.codeFailures = 0;
  return () => applyCode(server.context, { text, confirmed: true, ...more });
}

/** The same code with another character at one of its 35 places (1-based). */
function mistype(code: string, group: number, place: number): string {
  const at = (group - 1) * 6 + place - 1;
  const right = alphabet.indexOf(code.charAt(at));
  return code.slice(0, at) + alphabet.charAt((right + 7) % 32) + code.slice(at + 1);
}

const groups = [1, 2, 3, 4, 5, 6, 7];
const places = [1, 2, 3, 4, 5];

/** Each place of each group, mistyped: the group is named, and the right repair is among the five. */
function mistyped(
  what: string,
  of: (stage: Stage) => { readonly right: string; readonly attempt: (text: string) => Attempt },
): readonly Row<Stage>[] {
  return groups.flatMap((group) =>
    places.map(
      (place): Row<Stage> => ({
        name: `${what} with another character at place ${place} of group ${group}`,
        attempt: (stage) => {
          const { right, attempt } = of(stage);
          return attempt(mistype(right, group, place));
        },
        refused: (stage) => {
          const { right } = of(stage);
          const typed = mistype(right, group, place).split('-')[group - 1] ?? '';
          return { code: 'code-mistyped', groups: [{ group, typed, repairs: [] }] };
        },
        also: (refusal, stage) => {
          if (refusal.code !== 'code-mistyped') return false;
          const text = of(stage).right.split('-')[group - 1];
          const repairs = refusal.groups.flatMap((each) => each.repairs);
          return (
            repairs.length === 5 && repairs.some((repair) => repair.text === text && repair.place === place)
          );
        },
      }),
    ),
  );
}

const typing: readonly Row<Stage>[] = [
  ...mistyped('a key pack', ({ old, codes }) => ({ right: codes.pack, attempt: (text) => type(old, text) })),
  ...mistyped('a License Server ID', ({ world, next }) => ({
    right: acts.idOf(next),
    attempt: (serverId) => () =>
      grantKeyPack(world.clearinghouse.context, {
        ...{ agreement, serverId, product, type: 'device', quantity: 1, requestId: acts.newRequest() },
      }),
  })),
  {
    name: 'a code of 34 characters',
    attempt: ({ old, codes }) => type(old, codes.pack.slice(0, -1)),
    refused: { code: 'code-unreadable', problem: 'length', length: 34 },
  },
  {
    name: 'a code with a letter that none has',
    attempt: ({ old, codes }) => type(old, `${codes.pack.slice(0, 7)}U${codes.pack.slice(8)}`),
    refused: { code: 'code-unreadable', problem: 'character', places: [{ place: 7, found: 'U' }] },
  },
  {
    name: 'no code at all',
    attempt: ({ old }) => type(old, ''),
    refused: { code: 'code-unreadable', problem: 'length', length: 0 },
  },
  ...(
    [
      ['fifth', 5, 5018],
      ['twentieth', 20, 5012],
    ] as const
  ).map(
    ([which, count, event]): Row<Stage> => ({
      name: `the ${which} code in a row that fits nothing, which the administrator is told of`,
      attempt: ({ old }) => {
        const attempt = type(old, 'NONSENSE');
        old.context.cache.codeFailures = count - 1;
        return attempt;
      },
      refused: { code: 'code-unreadable', problem: 'length', length: 8 },
      recorded: [`LS-OLD.events+:${event}`],
    }),
  ),
  {
    name: 'two groups of a code exchanged',
    attempt: ({ old, codes }) => {
      const [a, b, ...rest] = codes.pack.split('-');
      return type(old, [b, a, ...rest].join('-'));
    },
    refused: { code: 'code-mistyped' },
  },
  {
    name: 'two digits of the digits form exchanged',
    attempt: ({ old, codes }) => {
      const parsed = value(parseCode(nodeDigest, codes.pack));
      const digits = formatDigits(nodeDigest, parsed);
      const at = [...digits].findIndex((digit, index) => index % 7 < 5 && digit !== digits.charAt(index + 1));
      return type(
        old,
        digits.slice(0, at) + digits.charAt(at + 1) + digits.charAt(at) + digits.slice(at + 2),
      );
    },
    refused: { code: 'code-mistyped' },
  },
  {
    name: 'a code of a kind that there is not',
    attempt: ({ old, codes }) => {
      const { value: bytes } = value(parseCode(nodeDigest, codes.pack));
      // Type 3 is in the upper four bits of the first two characters; 7 names nothing.
      const known = formatCode({ kind: 'key-pack', ctx: 0, value: bytes });
      return type(old, withFirstSymbol(known, 'E'));
    },
    refused: { code: 'code-kind-unknown', type: 7 },
  },
];

/** Another first character, with the check character of its group set right for it. */
function withFirstSymbol(code: string, symbol: string): string {
  for (const check of alphabet) {
    const text = symbol + code.slice(1, 4) + check + code.slice(5);
    const parsed = parseCode(nodeDigest, text);
    if (parsed.ok || parsed.error.code === 'code-kind-unknown') return text;
  }
  throw new Error('no check character fits');
}

const foreign: readonly Row<Stage>[] = [
  {
    name: 'a key pack for a server that this one knows',
    attempt: async ({ world, old, next }) => type(old, await acts.packCode(world, next, { quantity: 5 })),
    refused: ({ next }) => ({ code: 'code-other-server', licenseServerId: acts.idOf(next) }),
  },
  {
    name: 'a key pack for a server that this one has never heard of',
    attempt: async ({ world, old, closed }) => {
      await acts.activationCode(world, closed);
      return type(old, await acts.packCode(world, closed, { quantity: 5 }));
    },
    refused: { code: 'code-not-for-this-server', kind: 'key-pack', searched: 2048, quantity: null },
  },
  {
    name: 'an activation code for a server that this one knows',
    attempt: async ({ world, old, next }) => type(old, await acts.activationCode(world, next)),
    refused: ({ next }) => ({ code: 'code-other-server', licenseServerId: acts.idOf(next) }),
  },
  {
    name: 'an activation code for a server that this one has never heard of',
    attempt: async ({ world, fresh, next }) => type(fresh, await acts.activationCode(world, next)),
    refused: { code: 'code-not-for-this-server', kind: 'activation', searched: 1, quantity: null },
  },
  {
    name: 'an activation code of a newer kit than the one that is here',
    attempt: async ({ world, fresh }) => {
      const { context } = world.clearinghouse;
      await acts.activationCode(world, fresh);
      value(await makeKit(context, agreement));
      const late = await world.addServer('LS-LATE', { kit: true });
      const code = await acts.activationCode(world, late);
      return type(late, code);
    },
    refused: { code: 'code-other-kit', slot: 4, slots: [0, 1, 2, 3] },
  },
  {
    name: 'a horizon code for a server that this one knows',
    attempt: async ({ world, old, next }) => {
      const call = { agreement, serverId: acts.idOf(next) };
      return type(old, value(await giveHorizonCode(world.clearinghouse.context, call)).code ?? '');
    },
    refused: ({ next }) => ({ code: 'code-other-server', licenseServerId: acts.idOf(next) }),
  },
  {
    name: 'the kit of another publisher',
    attempt: async ({ bare }) => {
      const other = await makeWorld(10, { publisher: 'Other Publisher' });
      await other.close();
      return () => addKit(bare.context, other.kitFile);
    },
    refused: { code: 'message-untrusted' },
  },
  {
    name: 'a key pack of a product that was added to the agreement after the kit was made',
    attempt: async ({ world, old }) => {
      const { context } = world.clearinghouse;
      await acts.sell(world, { type: 'user', quantity: 9 });
      return () =>
        grantKeyPack(context, {
          ...{ agreement, serverId: acts.idOf(old), product, type: 'user', quantity: 9 },
          requestId: acts.newRequest(),
        });
    },
    refused: { code: 'kit-missing', agreement },
  },
  {
    name: 'a key pack that is larger than the search reaches, without its quantity',
    attempt: async ({ world, next }) => type(next, await acts.packCode(world, next, { quantity: 3000 })),
    refused: { code: 'code-not-for-this-server', kind: 'key-pack', searched: 2048, quantity: null },
  },
  {
    name: 'a key pack that is larger than the search reaches, with another quantity',
    attempt: async ({ world, next }) =>
      type(next, await acts.packCode(world, next, { quantity: 3000 }), { quantity: 4000 }),
    refused: { code: 'code-not-for-this-server', kind: 'key-pack', searched: 2048, quantity: 4000 },
  },
];

const early: readonly Row<Stage>[] = [
  {
    name: 'a key pack before activation, with the kit',
    attempt: ({ fresh, codes }) => type(fresh, codes.pack),
    refused: { code: 'not-activated', agreement },
  },
  {
    name: 'a key pack before activation, without the kit',
    attempt: ({ bare, codes }) => type(bare, codes.pack),
    refused: { code: 'kit-missing', agreement: null },
  },
  {
    name: 'an activation code without the kit',
    attempt: ({ bare, codes }) => type(bare, codes.activation),
    refused: { code: 'kit-missing', agreement: null },
  },
  {
    name: 'a horizon code before activation',
    attempt: ({ fresh, codes }) => type(fresh, codes.horizon),
    refused: { code: 'not-activated', agreement },
  },
  {
    name: 'a held key pack without its source',
    attempt: ({ next, codes }) => type(next, codes.held),
    refused: { code: 'source-needed' },
  },
  {
    name: 'a held key pack with this server as its source',
    attempt: ({ next, codes }) => type(next, codes.held, { from: acts.idOf(next) }),
    refused: ({ next }) => ({ code: 'source-wrong', licenseServerId: acts.idOf(next) }),
  },
  {
    name: 'a held key pack with a source that it does not come from',
    attempt: ({ next, fresh, codes }) => type(next, codes.held, { from: acts.idOf(fresh) }),
    refused: ({ fresh }) => ({ code: 'source-wrong', licenseServerId: acts.idOf(fresh) }),
  },
  {
    name: 'a held key pack with a mistyped source',
    attempt: ({ next, old, codes }) => type(next, codes.held, { from: mistype(acts.idOf(old), 3, 2) }),
    refused: { code: 'code-mistyped' },
  },
  {
    name: 'a key pack on a deactivated server',
    attempt: async ({ world, closed }) => {
      await acts.activationCode(world, closed);
      return type(closed, await acts.packCode(world, closed, { quantity: 4 }));
    },
    refused: { code: 'deactivated' },
  },
];

const again: readonly Row<Stage>[] = [
  {
    name: 'a key pack typed twice',
    attempt: ({ old, codes }) => type(old, codes.pack),
    refused: { code: 'already-applied', product, type: 'device', added: 25, installed: 25 },
    also: (refusal) => refusal.code === 'already-applied' && refusal.at !== '',
  },
  {
    name: 'a key pack typed twice, the second time in digits',
    attempt: ({ old, codes }) =>
      type(old, formatDigits(nodeDigest, value(parseCode(nodeDigest, codes.pack)))),
    refused: { code: 'already-applied', product, type: 'device', added: 25, installed: 25 },
  },
  {
    name: 'a key pack typed twice, the second time in small letters and without hyphens',
    attempt: ({ old, codes }) => type(old, codes.pack.toLowerCase().replaceAll('-', '')),
    refused: { code: 'already-applied', added: 25, installed: 25 },
  },
  {
    name: 'a key pack that a later one has counted in',
    attempt: async ({ world, next }) => {
      const first = await acts.packCode(world, next, { quantity: 3 });
      await acts.typeCode(next, await acts.packCode(world, next, { quantity: 4 }), { quantity: 3012 });
      return type(next, first);
    },
    refused: { code: 'already-applied', product, added: 0 },
  },
  {
    name: 'a horizon code typed twice',
    attempt: ({ old, codes }) => type(old, codes.horizon),
    refused: { code: 'already-applied', product: null, added: 0 },
    also: (refusal) => refusal.code === 'already-applied' && refusal.at !== '',
  },
  {
    name: 'the activation code of a server that is active',
    attempt: ({ old, codes }) => type(old, codes.activation),
    refused: { code: 'already-activated', agreement },
  },
];

const kinds: readonly Row<Stage>[] = [
  {
    name: 'a confirmation typed into a server',
    attempt: ({ old, codes }) => type(old, codes.heartbeat),
    refused: { code: 'code-wrong-kind', found: 'confirmation' },
  },
  {
    name: 'a License Server ID typed into a server as a code',
    attempt: ({ old }) => type(old, acts.idOf(old)),
    refused: { code: 'code-wrong-kind', found: 'license-server-id' },
  },
  {
    name: 'a key pack typed at the desk',
    attempt:
      ({ world, codes }) =>
      () =>
        confirmByTelephone(world.clearinghouse.context, { code: codes.pack }),
    refused: { code: 'code-wrong-kind', expected: 'confirmation', found: 'key-pack' },
  },
];

export function serversRefuseCodes(): void {
  refuses('a license server refuses, of codes read out to it,', makeStage, [
    ...[...typing, ...early, ...again, ...kinds, ...foreign],
  ]);
}
