/** What people do in a world, in one line each, as the tests that are about something else need it. */

import { addAgreement, showAgreement } from '../../src/clearinghouse/usecases/agreements.ts';
import { activateByTelephone } from '../../src/clearinghouse/usecases/desk-activate.ts';
import type { DeskAnswer } from '../../src/clearinghouse/usecases/desk-answer.ts';
import { confirmByTelephone } from '../../src/clearinghouse/usecases/desk-confirm.ts';
import { grantKeyPack } from '../../src/clearinghouse/usecases/desk-key-pack.ts';
import { showMove } from '../../src/clearinghouse/usecases/desk-moves.ts';
import { answerFile } from '../../src/clearinghouse/usecases/exchange.ts';
import { startDeskMove } from '../../src/clearinghouse/usecases/start-move.ts';
import type { CalType } from '../../src/core/product.ts';
import type { OpenServer } from '../../src/server/app.ts';
import type { CodeInput, CodeOutcome } from '../../src/server/usecases/apply-code.ts';
import { applyCode } from '../../src/server/usecases/apply-code.ts';
import { contactClearinghouse, settleByContact } from '../../src/server/usecases/contact.ts';
import { deactivateServer } from '../../src/server/usecases/deactivate.ts';
import { requestFile } from '../../src/server/usecases/outbox.ts';
import type { LicenseAnswer, LicenseRequest } from '../../src/server/usecases/request-license.ts';
import { requestLicense } from '../../src/server/usecases/request-license.ts';
import { requestActivation, requestInstall } from '../../src/server/usecases/requests.ts';
import { validateLicense } from '../../src/server/usecases/return-license.ts';
import { startMove } from '../../src/server/usecases/start-move.ts';
import { readStatus } from '../../src/server/usecases/status.ts';
import type { ToldAct } from '../../src/server/usecases/telephone-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../../src/server/usecases/telephone-move.ts';
import type { World } from './world.ts';
import { agreement, product, value } from './world.ts';

let requests = 0;

/** An idempotency key that nobody has used. */
export function newRequest(): string {
  requests += 1;
  return `request-${requests}`;
}

/** More CALs on a Select agreement of Contoso, or on another one of theirs. */
export async function sell(world: World, sold: Pack): Promise<void> {
  const { agreement: number = agreement, ...line } = sold;
  const paper = { number, program: 'select', customer: 'Contoso', product, type: 'device', ...line };
  value(await addAgreement(world.clearinghouse.context, { ...paper, requestId: newRequest() }));
}

/** In hand, committed and in transit, of the first line of the agreement. */
export async function books(world: World): Promise<readonly (number | undefined)[]> {
  const [line] = value(await showAgreement(world.clearinghouse.context, agreement)).lines;
  return [line?.inHand, line?.committed, line?.inTransit];
}

/** A license server of which only the context matters: with routes or without. */
export type Running = Pick<OpenServer, 'context'>;

export const idOf = (server: Running): string => server.context.licenseServerId;

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
  readonly product?: string;
  readonly agreement?: string;
}

/** A key pack for a server, as it is read out. */
export async function packCode(world: World, server: OpenServer, pack: Pack): Promise<string> {
  const call = { agreement, serverId: idOf(server), product, type: 'device', ...pack };
  const desk = await grantKeyPack(world.clearinghouse.context, { ...call, requestId: newRequest() });
  return value(desk).code ?? '';
}

/** Types a code and answers what it did. */
export async function typeCode(
  server: OpenServer,
  text: string,
  more: Omit<CodeInput, 'text' | 'confirmed'> = {},
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

/** Reads a code of a server to the desk. */
export async function confirm(world: World, code: string): Promise<DeskAnswer> {
  return value(await confirmByTelephone(world.clearinghouse.context, { code }));
}

/** One contact of each, in their order. */
export async function contact(...servers: readonly OpenServer[]): Promise<void> {
  for (const server of servers) value(await contactClearinghouse(server.context, { waitMs: 0 }));
}

/** Activates over the network, with a certificate. */
export async function activateByContact(server: OpenServer, number = agreement): Promise<void> {
  const asked = value(await requestActivation(server.context, { agreement: number }));
  value(await settleByContact(server.context, asked.id));
}

/** Asks for CALs over the network, and installs them. */
export async function installByContact(server: OpenServer, pack: Pack): Promise<void> {
  const order = { agreement, product, type: 'device', ...pack };
  value(await settleByContact(server.context, value(await requestInstall(server.context, order)).id));
}

/** Activates over the network and installs so many per device. */
export async function connect(server: OpenServer, quantity: number): Promise<void> {
  await activateByContact(server);
  if (quantity > 0) await installByContact(server, { quantity });
}

/** A new license server of a world, activated over the network, with so many per device. */
export async function addConnected(world: World, name: string, quantity: number): Promise<OpenServer> {
  const server = await world.addServer(name, { connected: true });
  await connect(server, quantity);
  return server;
}

/** Deactivates over the network: the clearinghouse has heard of it. */
export async function closeByContact(server: OpenServer, returnUnissued: boolean): Promise<void> {
  const closed = value(await deactivateServer(server.context, { returnUnissued, by: 'message' }));
  value(await settleByContact(server.context, closed.request ?? ''));
}

type Source = NonNullable<LicenseRequest['source']>;

/** A permanent license for a device: it asks, signs in, and asks again; with what it has from elsewhere. */
export async function permanent(server: Running, holder: string, source?: Source): Promise<LicenseAnswer> {
  const request = { product, type: 'device', holder, source } as const;
  const first = value(await requestLicense(server.context, request));
  if (first.kind === 'permanent') return first;
  value(await validateLicense(server.context, { product, type: 'device', holder }));
  return value(await requestLicense(server.context, request));
}

/** What a holder shows to another server. */
export function sourceOf({ token, bundleText }: LicenseAnswer): Source {
  return { token, bundle: JSON.parse(bundleText) as unknown };
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

/** A whole move by telephone, every code read and typed; answers what the release told. */
export async function moveByTelephone(
  world: World,
  ends: { readonly from: OpenServer; readonly to: OpenServer; readonly quantity?: number },
): Promise<ToldAct> {
  const { from, to, quantity = 'all' } = ends;
  const device = { product, type: 'device' } as const;
  await deskMove(world, ends);
  const frozen = value(await freezeByTelephone(from.context, { ...device, to: idOf(to), quantity }));
  const free = await confirm(world, frozen.code);
  if (free.code !== undefined && free.code !== null) await typeCode(to, free.code);
  const told = value(await releaseByTelephone(from.context, device));
  const held = await confirm(world, told.code);
  const { alsoFrom } = told;
  if (told.held > 0) await typeCode(to, String(held.code), { from: idOf(from), alsoFrom });
  return told;
}

/** A move by messages as its source asks for it; answers its id. */
export async function askMove(
  from: OpenServer,
  to: OpenServer,
  change: { readonly quantity?: number | 'all'; readonly hold?: boolean; readonly type?: CalType } = {},
): Promise<string> {
  const wish = { agreement, to: idOf(to), product, type: 'device', quantity: 'all' } as const;
  return value(await startMove(from.context, { ...wish, reason: 'replaced', hold: false, ...change })).id;
}

/** How a move stands for the clearinghouse. */
export async function stateOf(world: World, move: string): Promise<string> {
  return value(await showMove(world.clearinghouse.context, move)).state;
}

/** The answer file to the request file of a server. */
export async function answerTo(world: World, from: OpenServer): Promise<string> {
  return value(await answerFile(world.clearinghouse.context, await requestFile(from.context))).file;
}

/** Installed, issued, unissued, held, reserved and quarantined, of the first line or the line of a type. */
export async function counts(server: Running, type: CalType = 'device'): Promise<readonly number[]> {
  const pack = (await readStatus(server.context)).packs.find((each) => each.type === type);
  if (pack === undefined) return [];
  return [pack.installed, pack.issued, pack.unissued, pack.held, pack.reserved, pack.quarantined];
}
