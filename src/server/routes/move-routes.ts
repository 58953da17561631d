/** Administration: moves out of this server, and what the source decides by telephone. */
import Type from 'typebox';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import {
  AgreementNumber,
  AlsoFrom,
  answer,
  body,
  CalTypeName,
  CodeAnswer,
  ProductId,
  Quantity,
  QuantityOrAll,
  ServerId,
} from '../../platform/http-schemas.ts';
import { Address } from '../../protocol/schema.ts';
import type { ServerContext } from '../context.ts';
import { hastenContact } from '../usecases/contact.ts';
import { declareDead } from '../usecases/declare-dead.ts';
import { returnByTelephone } from '../usecases/give-back.ts';
import { recover } from '../usecases/recover.ts';
import { rehearseDead } from '../usecases/rehearse-dead.ts';
import { rehearseMove } from '../usecases/rehearse-move.ts';
import { listMoves, noteSeen, showMove, startMove } from '../usecases/start-move.ts';
import { freezeByTelephone, heartbeatByTelephone, releaseByTelephone } from '../usecases/telephone-move.ts';
import { undoMove } from '../usecases/undo-move.ts';

const LineFields = { product: ProductId, type: CalTypeName, agreement: Type.Optional(AgreementNumber) };
/** Where the target was found: clients are referred there. */
const ToUrl = Type.Optional(Address);
const MoveAnswer = answer({ id: Type.String(), state: Type.String(), resumed: Type.Boolean() });

/** The body with the idempotency key of the request, under which the act is done once. */
function keyed<Body extends object>(request: {
  readonly body: Body;
  readonly idempotencyKey: string | undefined;
}): Body & { readonly requestId: string | undefined } {
  return { ...request.body, requestId: request.idempotencyKey };
}

export function addMoveRoutes(app: App, context: ServerContext): void {
  addStart(app, context);
  addDeadSource(app, context);
  addRecovery(app, context);
  addRehearsal(app, context);
  addMoves(app, context);
  addTelephone(app, context);
}

function addStart(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/moves',
    {
      config: {
        admin: true,
        refusals: [
          'agreement-missing',
          'move-to-itself',
          'move-more-than-there-is',
          'move-open',
          'not-yet-supported',
        ],
      },
      schema: {
        tags: ['Moves'],
        summary: 'Starts a move to another license server, or goes on with the open one',
        body: body({
          ...LineFields,
          to: ServerId,
          toName: Type.Optional(Type.String({ maxLength: 128 })),
          toUrl: ToUrl,
          quantity: QuantityOrAll,
          reason: Type.Enum(['replaced', 'dead']),
          hold: Type.Boolean(),
          watched: Type.Optional(Type.Boolean()),
        }),
        response: { 200: MoveAnswer },
      },
    },
    async (request, reply) => {
      const { agreement, ...order } = request.body;
      const started = await startMove(context, { ...order, agreement, requestId: request.idempotencyKey });
      if (started.ok) hastenContact(context);
      sendResult(reply, started);
    },
  );
}

const DeadStatement = Type.String({ maxLength: 1200 });

function addRecovery(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/recoveries',
    {
      config: { admin: true, refusals: ['not-activated', 'nothing-to-recover', 'invalid-input'] },
      schema: {
        tags: ['Moves'],
        summary: 'Asks for the CALs of the server in whose place this one has come',
        body: body({
          from: Type.Optional(ServerId),
          agreement: Type.Optional(AgreementNumber),
          reason: Type.Optional(Type.String({ maxLength: 32 })),
          statement: Type.Optional(DeadStatement),
          by: Type.Enum(['message', 'telephone']),
        }),
        response: { 200: answer({ from: Type.Array(Type.String()), moves: Type.Array(MoveAnswer) }) },
      },
    },
    async (request, reply) => {
      const recovered = await recover(context, { ...request.body, requestId: request.idempotencyKey });
      if (recovered.ok) hastenContact(context);
      sendResult(reply, recovered);
    },
  );
}

function addDeadSource(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/dead-sources',
    {
      config: {
        admin: true,
        refusals: ['agreement-missing', 'move-to-itself', 'line-unknown', 'not-activated', 'invalid-input'],
      },
      schema: {
        tags: ['Moves'],
        summary: 'Declares that another license server no longer functions: its CALs are to come here',
        body: body({
          ...LineFields,
          from: ServerId,
          alsoFrom: AlsoFrom,
          statement: DeadStatement,
          by: Type.Enum(['message', 'telephone']),
        }),
        response: { 200: MoveAnswer },
      },
    },
    async (request, reply) => {
      const { agreement, ...order } = request.body;
      const requestId = request.idempotencyKey;
      const declared = await declareDead(context, { ...order, agreement, requestId });
      if (declared.ok) hastenContact(context);
      sendResult(reply, declared);
    },
  );

  app.post(
    '/v1/admin/dead-sources/rehearsal',
    {
      config: {
        admin: true,
        refusals: ['agreement-missing', 'move-to-itself', 'line-unknown', 'not-activated', 'invalid-input'],
      },
      schema: {
        tags: ['Moves'],
        summary: 'What such a declaration would come to, on the real books; nothing is changed',
        body: body({
          ...LineFields,
          from: ServerId,
          alsoFrom: AlsoFrom,
          statement: Type.Optional(DeadStatement),
          by: Type.Enum(['message', 'telephone']),
        }),
        response: { 200: answer({ source: ServerId, carrier: Type.String() }) },
      },
    },
    async (request, reply) => {
      const { agreement, statement, ...order } = request.body;
      sendResult(reply, await rehearseDead(context, { ...order, agreement, statement }));
    },
  );
}

const RehearsalAnswer = answer({ unissued: Type.Integer(), held: Type.Integer() });

function addRehearsal(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/moves/rehearsal',
    {
      config: {
        admin: true,
        refusals: ['agreement-missing', 'move-to-itself', 'move-more-than-there-is', 'move-open'],
      },
      schema: {
        tags: ['Moves'],
        summary: 'What a move would come to, on the real books, and what would refuse it; nothing is changed',
        body: body({
          ...LineFields,
          to: ServerId,
          quantity: QuantityOrAll,
          carrier: Type.Enum(['online', 'telephone']),
          hold: Type.Optional(Type.Boolean()),
        }),
        response: { 200: RehearsalAnswer },
      },
    },
    async (request, reply) => {
      const { agreement, hold, ...order } = request.body;
      sendResult(reply, await rehearseMove(context, { ...order, agreement, hold: hold ?? false }));
    },
  );
}

const MoveId = Type.Object({ id: Type.String({ maxLength: 128 }) });

function addMoves(app: App, context: ServerContext): void {
  app.get(
    '/v1/admin/moves',
    {
      config: { admin: true },
      schema: {
        tags: ['Moves'],
        summary: 'The moves this server knows of',
        response: { 200: answer({ items: Type.Array(MoveAnswer) }) },
      },
    },
    async () => ({ items: [...(await listMoves(context))] }),
  );
  app.get(
    '/v1/admin/moves/:id',
    {
      config: { admin: true, refusals: ['move-unknown'] },
      schema: {
        tags: ['Moves'],
        summary: 'How a move stands',
        params: MoveId,
        response: { 200: MoveAnswer },
      },
    },
    async (request, reply) => sendResult(reply, await showMove(context, request.params.id)),
  );
  app.post(
    '/v1/admin/moves/:id/undo',
    {
      config: { admin: true, refusals: ['move-unknown', 'undo-too-late'] },
      schema: {
        tags: ['Moves'],
        summary: 'Asks the clearinghouse to undo a move, which it does until the commit',
        params: MoveId,
        response: { 200: MoveAnswer },
      },
    },
    async (request, reply) => {
      const undone = await undoMove(context, request.params.id);
      if (undone.ok) hastenContact(context);
      sendResult(reply, undone);
    },
  );
  app.post(
    '/v1/admin/moves/:id/seen',
    {
      config: { admin: true, refusals: ['move-unknown'] },
      schema: {
        tags: ['Moves'],
        summary: 'The end of a watched move was shown: the same order asks for another one now',
        params: MoveId,
        response: { 200: answer({ seen: Type.Boolean() }) },
      },
    },
    async (request, reply) => {
      const seen = await noteSeen(context, request.params.id);
      sendResult(reply, seen.ok ? { ok: true, value: { seen: true } } : seen);
    },
  );
}

function addTelephone(app: App, context: ServerContext): void {
  const route = <Fields extends Parameters<typeof body>[0]>(
    path: string,
    summary: string,
    fields: Fields,
  ) => ({
    url: `/v1/admin/telephone/${path}`,
    options: {
      config: { admin: true as const },
      schema: { tags: ['Telephone'], summary, body: body(fields), response: { 200: CodeAnswer } },
    },
  });
  const freeze = route('freeze', 'Freezes CALs for a move and answers the code to read', {
    ...LineFields,
    to: ServerId,
    toUrl: ToUrl,
    quantity: QuantityOrAll,
  });
  app.post(freeze.url, freeze.options, async (request, reply) =>
    sendResult(reply, await freezeByTelephone(context, keyed(request))),
  );
  const release = route('release', 'Gives up what is frozen and answers the code to read', LineFields);
  app.post(release.url, release.options, async (request, reply) =>
    sendResult(reply, await releaseByTelephone(context, keyed(request))),
  );
  const giveBack = route('return', 'Gives unissued CALs back and answers the code to read', {
    ...LineFields,
    quantity: Quantity,
  });
  app.post(giveBack.url, giveBack.options, async (request, reply) =>
    sendResult(reply, await returnByTelephone(context, keyed(request))),
  );
  const heartbeat = route('heartbeat', 'The yearly report: answers the code to read', {
    agreement: Type.Optional(AgreementNumber),
  });
  app.post(heartbeat.url, heartbeat.options, async (request, reply) =>
    sendResult(reply, await heartbeatByTelephone(context, keyed(request))),
  );
}
