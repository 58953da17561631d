/** Administration: the conservation report of a move, as far as this server has it (protocol §2.7). */
import Type from 'typebox';
import { ok } from '../../core/result.ts';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import {
  AgreementNumber,
  answer,
  CalTypeName,
  ProductId,
  ReportAnswer,
  ReportBody,
} from '../../platform/http-schemas.ts';
import { reportFields } from '../../protocol/move-report.ts';
import type { ServerContext } from '../context.ts';
import { reportMove, stateLine, updateReport } from '../usecases/state-move.ts';

const params = Type.Object({ id: Type.String({ maxLength: 128 }) });

export function addReportRoutes(app: App, context: ServerContext): void {
  app.get(
    '/v1/admin/moves/:id/report',
    {
      config: { admin: true, refusals: ['move-unknown'] },
      schema: {
        tags: ['Moves'],
        summary: 'What source, target and clearinghouse have stated of a move, held together',
        params,
        response: { 200: ReportAnswer },
      },
    },
    async (request, reply) => {
      const found = await reportMove(context, request.params.id);
      sendResult(reply, found.ok ? ok(reportFields(found.value)) : found);
    },
  );
  app.post(
    '/v1/admin/moves/:id/report',
    {
      config: { admin: true, refusals: ['move-unknown', 'message-invalid', 'message-untrusted'] },
      schema: {
        tags: ['Moves'],
        summary: 'Takes in what the others have stated, and states anew what this server has',
        params,
        body: ReportBody,
        response: { 200: ReportAnswer },
      },
    },
    async (request, reply) => {
      const done = await updateReport(context, { move: request.params.id, ...request.body });
      sendResult(reply, done.ok ? ok(reportFields(done.value)) : done);
    },
  );
  app.get(
    '/v1/admin/statement',
    {
      config: {
        admin: true,
        refusals: ['line-unknown', 'agreement-missing', 'not-activated'],
      },
      schema: {
        tags: ['Moves'],
        summary: 'What this server states of a line now, whatever move it is for',
        querystring: Type.Object(
          { product: ProductId, type: CalTypeName, agreement: Type.Optional(AgreementNumber) },
          { additionalProperties: false },
        ),
        response: { 200: answer({ statement: Type.String(), trustList: Type.String() }) },
      },
    },
    async (request, reply) => sendResult(reply, await stateLine(context, request.query)),
  );
}
