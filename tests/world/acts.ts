/** What people do in a world, in one line each, as the tests that are about something else need it. */

import { activateByTelephone } from '../../src/clearinghouse/usecases/desk-activate.ts';
import { grantKeyPack } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { answerFile } from '../../src/clearinghouse/usecases/exchange.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import type { CalType } from '../../src/core/product.ts';
import type { OpenServer } from '../../src/server/app.ts';
import type { CodeOutcome } from '../../src/server/usecases/apply-code.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { settleByContact } from '../../src/server/usecases/contact.ts';
import { requestFile } from '../../src/server/usecases/outbox.ts';
import type { LicenseAnswer } from '../../src/server/usecases/request-license.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import { requestActivation, requestInstall } from '../../src/server/usecases/requests.ts';
import { validateLicense } from '../../src/server/usecases/return-license.ts';
import { readStatus } from '../../src/server/usecases/status.ts';
import type { World } from './world.ts';
import { agreement, product, value } from './world.ts';

let requests = 0;

/** An idempotency key that nobody has used. */
export function newRequest(): string {
  requests += 1;
  return `request-${requests}`;
}

export const idOf = (server: OpenServer): string => server.context.licenseServerId;

/** The activation code of a server, as it is read out. */
export async function activationCode(world: World, server: OpenServer, number = agreement): Promise<string> {
  const desk = await activateByTelephone(world.clearinghouse.context, {
    agreement: number,
    serverId: idOf(server),
  });
  return value(desk).code ?? '';
}

export async function activate(world: World, server: OpenServer, number = agreement): Promise<void> {
  value(
    await applyCode(server.context, { text: await activationCode(world, server, number), confirmed: true }),
  );
}

export interface Pack {
  readonly quantity: number;
  readonly type?: CalType;
  readonly agreement?: string;
}

/** A key pack for a server, as it is read out. */
export async function packCode(world: World, server: OpenServer, pack: Pack): Promise<string> {
  const desk = await grantKeyPack(world.clearinghouse.context, {
    ...{
      agreement: pack.agreement ?? agreement,
      serverId: idOf(server),
      product,
      type: pack.type ?? 'device',
    },
    ...{ quantity: pack.quantity, requestId: newRequest() },
  });
  return value(desk).code ?? '';
}

/** Types a code and answers what it did. */
export async function typeCode(
  server: OpenServer,
  text: string,
  more: { readonly from?: string; readonly quantity?: number } = {},
): Promise<CodeOutcome> {
  return value(await applyCode(server.context, { text, ...more, confirmed: true }));
}

export async function install(world: World, server: OpenServer, pack: Pack): Promise<void> {
  await typeCode(server, await packCode(world, server, pack));
}

/** Activates by telephone and installs so many per device. */
export async function setUp(world: World, server: OpenServer, quantity: number): Promise<void> {
  await activate(world, server);
  if (quantity > 0) await install(world, server, { quantity });
}

/** Activates over the network and installs so many per device. */
export async function connect(server: OpenServer, quantity: number): Promise<void> {
  value(
    await settleByContact(server.context, value(await requestActivation(server.context, { agreement })).id),
  );
  if (quantity === 0) return;
  const order = { agreement, product, type: 'device', quantity };
  value(await settleByContact(server.context, value(await requestInstall(server.context, order)).id));
}

/** A permanent license for a device: it asks, signs in, and asks again. */
export async function permanent(server: OpenServer, holder: string): Promise<LicenseAnswer> {
  const request = { product, type: 'device', holder } as const;
  const first = value(await requestLicense(server.context, request));
  if (first.kind === 'permanent') return first;
  value(await validateLicense(server.context, request));
  return value(await requestLicense(server.context, request));
}

export async function permanents(server: OpenServer, holders: readonly string[]): Promise<void> {
  for (const holder of holders) await permanent(server, holder);
}

/** A move by telephone as the desk starts it; answers its id. */
export async function deskMove(
  world: World,
  ends: { readonly from: OpenServer; readonly to: OpenServer },
  quantity: number | 'all' = 'all',
): Promise<string> {
  const started = await startDeskMove(world.clearinghouse.context, {
    ...{ agreement, from: idOf(ends.from), to: idOf(ends.to), product, type: 'device', quantity },
    ...{ reason: 'replaced', requestId: newRequest() },
  });
  return String(value(started)['move']);
}

/** The answer file to the request file of a server. */
export async function answerTo(world: World, from: OpenServer): Promise<string> {
  return value(await answerFile(world.clearinghouse.context, await requestFile(from.context))).file;
}

/** Installed, issued, unissued, held, reserved and quarantined, of the first line or the line of a type. */
export async function counts(server: OpenServer, type: CalType = 'device'): Promise<readonly number[]> {
  const pack = (await readStatus(server.context)).packs.find((each) => each.type === type);
  if (pack === undefined) return [];
  return [pack.installed, pack.issued, pack.unissued, pack.held, pack.reserved, pack.quarantined];
}
