/** Administration: messages carried by hand, and a contact right now. */
import Type from 'typebox';
import { ok } from '../../core/result.ts';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import { AnyItem, answer, body, FileText, fileLimitBytes } from '../../platform/http-schemas.ts';
import type { ServerContext } from '../context.ts';
import { applyAnswerFile } from '../usecases/apply-message.ts';
import { contactClearinghouse } from '../usecases/contact.ts';
import { requestFile } from '../usecases/outbox.ts';

const Applied = answer({
  applied: Type.Array(Type.String()),
  again: Type.Array(Type.String()),
  refused: Type.Array(AnyItem),
});

export function addMessageRoutes(app: App, context: ServerContext): void {
  app.post(
    '/v1/admin/request-file',
    {
      config: { admin: true },
      schema: {
        tags: ['Files'],
        summary: 'Everything that waits for the clearinghouse, as a file to carry',
        response: { 200: answer({ file: Type.String() }) },
      },
    },
    async (_request, reply) => sendResult(reply, ok({ file: await requestFile(context) })),
  );
  app.post(
    '/v1/admin/answer-file',
    {
      config: {
        admin: true,
        refusals: [
          'file-damaged',
          'file-other-kind',
          'message-invalid',
          'message-untrusted',
          'message-expired',
        ],
      },
      bodyLimit: fileLimitBytes,
      schema: {
        tags: ['Files'],
        summary: 'Applies what the clearinghouse answered',
        body: body({ file: FileText }),
        response: { 200: Applied },
      },
    },
    async (request, reply) => sendResult(reply, await applyAnswerFile(context, request.body.file)),
  );
  app.post(
    '/v1/admin/contact',
    {
      config: { admin: true, refusals: ['no-clearinghouse-address', 'clearinghouse-unreachable'] },
      schema: {
        tags: ['Files'],
        summary: 'Contacts the clearinghouse now',
        body: body({ waitMs: Type.Integer({ minimum: 0, maximum: 30_000 }) }),
        response: { 200: Applied },
      },
    },
    async (request, reply) => sendResult(reply, await contactClearinghouse(context, request.body)),
  );
}
