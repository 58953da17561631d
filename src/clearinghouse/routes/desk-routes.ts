/** The telephone desk: what a representative does while the caller is on the line. */
import Type from 'typebox';
import { recoveryReasons } from '../../core/recovery.ts';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import {
  AgreementNumber,
  AnyItem,
  answer,
  body,
  CalTypeName,
  CodeText,
  DeskAnswer,
  PageQuery,
  ProductId,
  QuantityOrAll,
  ServerId,
} from '../../platform/http-schemas.ts';
import type { ClearinghouseContext } from '../context.ts';
import { approveMove } from '../usecases/approve-release.ts';
import { cancelMove } from '../usecases/cancel-move.ts';
import { activateByTelephone } from '../usecases/desk-activate.ts';
import { confirmByTelephone } from '../usecases/desk-confirm.ts';
import { giveHorizonCode } from '../usecases/desk-horizon.ts';
import { grantKeyPack } from '../usecases/desk-key-pack.ts';
import { listMoves, repeatCodes, showMove } from '../usecases/desk-moves.ts';
import { recoverAtDesk } from '../usecases/desk-recover.ts';
import { newId } from '../usecases/new-id.ts';
import { rehearseDeskMove } from '../usecases/rehearse-desk-move.ts';
import { startDeskMove } from '../usecases/start-move.ts';
import { liftSuspension } from '../usecases/suspend-recovery.ts';

const Quoted = { authorization: Type.Optional(Type.String()), license: Type.Optional(Type.String()) };
const Caller = { agreement: AgreementNumber, serverId: ServerId };
const MovesQuery = Type.Object(
  { ...PageQuery.properties, open: Type.Boolean({ default: false }) },
  { additionalProperties: false },
);
const MoveAnswer = answer({ id: Type.String(), state: Type.String(), awaited: AnyItem });

export function addDeskRoutes(app: App, context: ClearinghouseContext): void {
  addCodes(app, context);
  addMoves(app, context);
  addMove(app, context);
  addRecovery(app, context);
}

/** What all desk routes share; the fields of the body differ. */
function desk<Fields extends Parameters<typeof body>[0]>(summary: string, fields: Fields) {
  return {
    config: { admin: true as const },
    schema: { tags: ['Desk'], summary, body: body(fields), response: { 200: DeskAnswer } },
  };
}

function addCodes(app: App, context: ClearinghouseContext): void {
  const activate = desk('The activation code of a License Server ID', {
    ...Caller,
    name: Type.Optional(Type.String()),
    reason: Type.Optional(Type.Enum([...recoveryReasons])),
  });
  app.post('/v1/desk/activate', activate, async (request, reply) =>
    sendResult(reply, await activateByTelephone(context, { name: undefined, ...request.body })),
  );
  const keyPack = desk('A CAL Key Pack ID', {
    ...Caller,
    product: ProductId,
    type: CalTypeName,
    quantity: Type.Integer(),
    ...Quoted,
  });
  app.post('/v1/desk/key-pack', keyPack, async (request, reply) =>
    sendResult(
      reply,
      await grantKeyPack(context, { ...request.body, requestId: request.idempotencyKey ?? newId(context) }),
    ),
  );
  const confirm = desk('Takes in a code that the customer reads', {
    code: CodeText,
    serverId: Type.Optional(ServerId),
  });
  app.post('/v1/desk/confirm', confirm, async (request, reply) =>
    sendResult(reply, await confirmByTelephone(context, request.body)),
  );
  app.post('/v1/desk/horizon', desk('The yearly code of a license server', Caller), async (request, reply) =>
    sendResult(reply, await giveHorizonCode(context, request.body)),
  );
  app.post(
    '/v1/desk/repeat',
    desk('The current codes of a license server again', Caller),
    async (request, reply) => sendResult(reply, await repeatCodes(context, request.body)),
  );
}

function addMoves(app: App, context: ClearinghouseContext): void {
  const fields = {
    agreement: AgreementNumber,
    from: ServerId,
    to: ServerId,
    product: ProductId,
    type: CalTypeName,
    quantity: QuantityOrAll,
    reason: Type.Enum(['replaced', 'dead']),
    statement: Type.Optional(Type.String({ maxLength: 1200 })),
    by: Type.Optional(Type.String({ maxLength: 100 })),
    ...Quoted,
  };
  const move = desk('Starts a move by telephone', fields);
  app.post('/v1/desk/moves', move, async (request, reply) =>
    sendResult(
      reply,
      await startDeskMove(context, { ...request.body, requestId: request.idempotencyKey ?? newId(context) }),
    ),
  );
  app.post(
    '/v1/desk/moves/rehearsal',
    {
      config: { admin: true },
      schema: {
        tags: ['Desk'],
        summary: 'What such a move would come to, on the real books; nothing is changed',
        body: body(fields),
        response: { 200: answer({ source: AnyItem, target: AnyItem }) },
      },
    },
    async (request, reply) => sendResult(reply, await rehearseDeskMove(context, request.body)),
  );
  app.get(
    '/v1/desk/moves',
    {
      config: { admin: true },
      schema: {
        tags: ['Desk'],
        summary: 'All moves, newest first, and what they wait for',
        querystring: MovesQuery,
        response: { 200: answer({ items: Type.Array(MoveAnswer) }) },
      },
    },
    async (request) => {
      const { cursor: after, limit, open } = request.query;
      const page = await listMoves(context, { after, limit, open });
      return { items: [...page.items], nextCursor: page.nextCursor };
    },
  );
}

function addRecovery(app: App, context: ClearinghouseContext): void {
  const recovery = desk('Recovers the CALs of a server that another has come in the place of', {
    ...{ agreement: AgreementNumber, from: ServerId, to: ServerId },
    reason: Type.String({ maxLength: 32 }),
    statement: Type.String({ maxLength: 1200 }),
    by: Type.Optional(Type.String({ maxLength: 100 })),
    ...Quoted,
  });
  app.post('/v1/desk/recoveries', recovery, async (request, reply) =>
    sendResult(
      reply,
      await recoverAtDesk(context, { ...request.body, requestId: request.idempotencyKey ?? newId(context) }),
    ),
  );
}

const params = Type.Object({ id: Type.String({ maxLength: 128 }) });

/** One move: how it stands, and what can be decided about it. */
function addMove(app: App, context: ClearinghouseContext): void {
  app.get(
    '/v1/desk/moves/:id',
    {
      config: { admin: true, refusals: ['move-unknown'] },
      schema: { tags: ['Desk'], summary: 'How a move stands', params, response: { 200: MoveAnswer } },
    },
    async (request, reply) => sendResult(reply, await showMove(context, request.params.id)),
  );
  app.post(
    '/v1/desk/moves/:id/cancel',
    {
      config: { admin: true, refusals: ['move-unknown', 'move-state', 'undo-too-late'] },
      schema: {
        tags: ['Desk'],
        summary: 'Undoes a move where that is still possible',
        params,
        response: { 200: MoveAnswer },
      },
    },
    async (request, reply) => sendResult(reply, await cancelMove(context, request.params.id)),
  );
  app.post(
    '/v1/desk/moves/:id/approve',
    {
      config: {
        admin: true,
        refusals: ['move-unknown', 'move-state', 'approval-same-person', 'early-release-limit'],
      },
      schema: {
        tags: ['Desk'],
        summary: 'A second person releases the CALs of a source that no longer functions before its horizon',
        params,
        body: body({ by: Type.String({ maxLength: 100 }) }),
        response: { 200: DeskAnswer },
      },
    },
    async (request, reply) =>
      sendResult(reply, await approveMove(context, { move: request.params.id, by: request.body.by })),
  );
  app.post(
    '/v1/desk/moves/:id/lift',
    {
      config: { admin: true, refusals: ['move-unknown', 'move-state', 'approval-same-person'] },
      schema: {
        tags: ['Desk'],
        summary:
          'A second person takes back that recovered CALs are set aside, as the old server was heard of',
        params,
        body: body({ by: Type.String({ maxLength: 100 }) }),
        response: { 200: MoveAnswer },
      },
    },
    async (request, reply) =>
      sendResult(reply, await liftSuspension(context, { move: request.params.id, by: request.body.by })),
  );
}
