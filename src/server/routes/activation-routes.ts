/** Administration: method, kits, activation, installation, codes, deactivation. */
import Type from 'typebox';
import { recoveryReasons } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { canonicalAddress } from '../../platform/addresses.ts';
import type { App } from '../../platform/http.ts';
import { sendRefusal, sendResult } from '../../platform/http-problem.ts';
import {
  AgreementNumber,
  AlsoFrom,
  answer,
  body,
  CalTypeName,
  CodeText,
  FileText,
  fileLimitBytes,
  ProductId,
  Quantity,
  ServerId,
} from '../../platform/http-schemas.ts';
import { Address } from '../../protocol/schema.ts';
import type { ServerContext } from '../context.ts';
import { applyCode } from '../usecases/apply-code.ts';
import { settleByContact } from '../usecases/contact.ts';
import { deactivateServer } from '../usecases/deactivate.ts';
import type { AskedFor } from '../usecases/requests.ts';
import { requestActivation, requestInstall } from '../usecases/requests.ts';
import { addKit, setAddress, setHosts, setMethod } from '../usecases/settings.ts';

/** `contact`: ask the clearinghouse now and wait; `file`: leave the request in the outbox. */
const By = Type.Enum(['contact', 'file']);

/** Why a deactivated server is activated again. */
const Reason = Type.Optional(Type.Enum([...recoveryReasons]));

export function addActivationRoutes(app: App, context: ServerContext): void {
  addSettings(app, context);
  addActivate(app, context);
  addInstall(app, context);
  addDeactivation(app, context);
  addCodes(app, context);
}

function addSettings(app: App, context: ServerContext): void {
  app.put(
    '/v1/admin/method',
    {
      config: { admin: true, refusals: ['no-clearinghouse-address'] },
      schema: {
        tags: ['Settings'],
        summary: 'Sets the installation method',
        body: body({
          method: Type.Enum(['automatic', 'web', 'telephone']),
          clearinghouseUrl: Type.Optional(Type.String({ maxLength: 256 })),
        }),
        response: { 200: answer({ method: Type.String() }) },
      },
    },
    async (request, reply) => sendResult(reply, await setMethod(context, request.body)),
  );
  app.put(
    '/v1/admin/address',
    {
      config: { admin: true },
      schema: {
        tags: ['Settings'],
        summary:
          'Says where clients reach this server, for those that a move sends here; null: nowhere known',
        body: body({ address: Type.Union([Address, Type.Null()]) }),
        response: { 200: answer({ address: Type.Union([Type.String(), Type.Null()]) }) },
      },
    },
    async (request, reply) => sendResult(reply, await setAddress(context, request.body.address)),
  );
  addHosts(app, context);
  addKits(app, context);
}

function addHosts(app: App, context: ServerContext): void {
  const HostsAnswer = answer({ hosts: Type.Array(Type.String()) });
  app.get(
    '/v1/admin/hosts',
    {
      config: { admin: true },
      schema: {
        tags: ['Settings'],
        summary: 'The addresses that may ask for licenses; none: any host may',
        response: { 200: HostsAnswer },
      },
    },
    async () => ({ hosts: [...context.cache.hosts] }),
  );
  app.put(
    '/v1/admin/hosts',
    {
      config: { admin: true, refusals: ['invalid-input'] },
      schema: {
        tags: ['Settings'],
        summary: 'Limits license requests to the listed addresses; an empty list opens them to all',
        body: body({ hosts: Type.Array(Type.String({ maxLength: 45 }), { maxItems: 1000 }) }),
        response: { 200: HostsAnswer },
      },
    },
    async (request, reply) => {
      const hosts = request.body.hosts.map((host) => canonicalAddress(host));
      const wrong = request.body.hosts[hosts.indexOf(undefined)];
      if (wrong !== undefined) {
        return sendRefusal(reply, {
          code: 'invalid-input',
          field: 'hosts',
          problem: `"${wrong}" is no IP address`,
        });
      }
      return sendResult(
        reply,
        await setHosts(
          context,
          hosts.filter((host) => host !== undefined),
        ),
      );
    },
  );
}

function addKits(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/kits',
    {
      config: { admin: true, refusals: ['file-damaged', 'file-other-kind', 'message-untrusted'] },
      bodyLimit: fileLimitBytes,
      schema: {
        tags: ['Settings'],
        summary: 'Adds an agreement kit',
        body: body({ file: FileText }),
        response: {
          200: answer({ agreement: Type.String(), customer: Type.String(), slots: Type.Integer() }),
        },
      },
    },
    async (request, reply) => sendResult(reply, await addKit(context, request.body.file)),
  );
}

/** What was asked for, or what came of it where the clearinghouse was asked at once. */
async function settle(
  context: ServerContext,
  asked: Result<AskedFor, Refusal>,
  by: 'contact' | 'file',
): Promise<Result<Record<string, unknown>, Refusal>> {
  if (!asked.ok) return asked;
  if (by === 'file') return { ok: true, value: { ...asked.value, state: 'waiting' } };
  const settled = await settleByContact(context, asked.value.id);
  return settled.ok ? { ok: true, value: { ...asked.value, state: 'done', ...settled.value } } : settled;
}

const Settled = answer({ id: Type.String(), state: Type.Enum(['waiting', 'done']), resumed: Type.Boolean() });

function addActivate(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/activate',
    {
      config: {
        admin: true,
        refusals: [
          'agreement-missing',
          'agreement-unknown',
          'already-activated',
          'clearinghouse-unreachable',
        ],
      },
      schema: {
        tags: ['Activation'],
        summary: 'Asks for activation under an agreement',
        body: body({ agreement: Type.Optional(AgreementNumber), by: By, reason: Reason }),
        response: { 200: Settled },
      },
    },
    async (request, reply) => {
      const { agreement, by, reason } = request.body;
      const requestId = request.idempotencyKey;
      const asked = await requestActivation(context, { agreement, reason, requestId });
      sendResult(reply, await settle(context, asked, by));
    },
  );
}

function addInstall(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/install',
    {
      config: {
        admin: true,
        refusals: [
          'agreement-missing',
          'not-activated',
          'quantity-above-agreement',
          'clearinghouse-unreachable',
        ],
      },
      schema: {
        tags: ['Installation'],
        summary: 'Asks for a key pack and installs it',
        body: body({
          agreement: Type.Optional(AgreementNumber),
          product: ProductId,
          type: CalTypeName,
          quantity: Quantity,
          authorization: Type.Optional(Type.String()),
          license: Type.Optional(Type.String()),
          by: By,
        }),
        response: { 200: Settled },
      },
    },
    async (request, reply) => {
      const { by, agreement, ...order } = request.body;
      const asked = await requestInstall(context, { ...order, agreement, requestId: request.idempotencyKey });
      sendResult(reply, await settle(context, asked, by));
    },
  );
}

function addDeactivation(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/deactivate',
    {
      config: { admin: true, refusals: ['not-activated', 'holders-remain', 'deactivated', 'undo-open'] },
      schema: {
        tags: ['Activation'],
        summary: 'Releases what is frozen, gives back what is unissued, closes',
        body: body({ returnUnissued: Type.Boolean(), by: Type.Enum(['contact', 'file', 'telephone']) }),
        response: { 200: answer({ unissued: Type.Integer(), held: Type.Integer() }) },
      },
    },
    async (request, reply) => {
      const { returnUnissued, by } = request.body;
      const done = await deactivateServer(context, {
        returnUnissued,
        by: by === 'telephone' ? by : 'message',
      });
      if (!done.ok || by !== 'contact' || done.value.request === null) return sendResult(reply, done);
      const settled = await settleByContact(context, done.value.request);
      return settled.ok ? sendResult(reply, done) : sendRefusal(reply, settled.error);
    },
  );
}

function addCodes(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/codes',
    {
      config: {
        admin: true,
        refusals: [
          ...([
            'code-unreadable',
            'code-mistyped',
            'code-wrong-kind',
            'already-applied',
            'code-other-server',
          ] as const),
          ...([
            'code-other-kit',
            'code-not-for-this-server',
            'source-needed',
            'not-activated',
            'kit-missing',
          ] as const),
        ],
      },
      schema: {
        tags: ['Installation'],
        summary: 'Takes in a code that was read out; unconfirmed, only says what it would do',
        body: body({
          code: CodeText,
          quantity: Type.Optional(Quantity),
          from: Type.Optional(ServerId),
          alsoFrom: AlsoFrom,
          reason: Reason,
          confirmed: Type.Boolean(),
        }),
        response: { 200: answer({ kind: Type.String() }) },
      },
    },
    async (request, reply) => {
      const { code, ...input } = request.body;
      sendResult(
        reply,
        await applyCode(context, { text: code, ...input, requestId: request.idempotencyKey }),
      );
    },
  );
}
