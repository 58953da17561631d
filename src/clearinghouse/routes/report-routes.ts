/** The desk: the conservation report of a move (protocol §2.7). */
import Type from 'typebox';
import { ok } from '../../core/result.ts';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import { ReportAnswer, ReportBody } from '../../platform/http-schemas.ts';
import { reportFields } from '../../protocol/move-report.ts';
import type { ClearinghouseContext } from '../context.ts';
import { reportMove, updateReport } from '../usecases/state-move.ts';

const params = Type.Object({ id: Type.String({ maxLength: 128 }) });

export function addReportRoutes(app: App, context: ClearinghouseContext): void {
  app.get(
    '/v1/desk/moves/:id/report',
    {
      config: { admin: true, refusals: ['move-unknown'] },
      schema: {
        tags: ['Desk'],
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
    '/v1/desk/moves/:id/report',
    {
      config: { admin: true, refusals: ['move-unknown', 'message-invalid', 'message-untrusted'] },
      schema: {
        tags: ['Desk'],
        summary: 'Takes in what the servers have stated, and states anew what the books have',
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
}
