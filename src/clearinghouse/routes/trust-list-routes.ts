/** The trust list of the publisher: what is in force until when, and the next one (protocol §4.5). */
import Type from 'typebox';
import { ok } from '../../core/result.ts';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import { answer, body, FileText } from '../../platform/http-schemas.ts';
import type { ClearinghouseContext } from '../context.ts';
import { importTrustList, showTrustList } from '../usecases/trust-lists.ts';

const view = {
  version: Type.Integer(),
  publisher: Type.String(),
  issuedAt: Type.String(),
  expiresAt: Type.String(),
  daysLeft: Type.Integer(),
  renewalDue: Type.Boolean(),
  roots: Type.Array(Type.String()),
  keys: Type.Array(
    Type.Object({
      id: Type.String(),
      role: Type.String(),
      expiresAt: Type.String(),
      revoked: Type.Boolean(),
    }),
  ),
};

export function addTrustListRoutes(app: App, context: ClearinghouseContext): void {
  app.get(
    '/v1/trust-list',
    {
      config: { admin: true },
      schema: {
        tags: ['Trust'],
        summary: 'The trust list in force: its version, its keys and when it ends',
        response: { 200: answer(view) },
      },
    },
    async (_request, reply) => {
      sendResult(reply, ok(showTrustList(context)));
    },
  );
  app.put(
    '/v1/trust-list',
    {
      config: {
        admin: true,
        refusals: [
          ...['file-damaged', 'file-other-kind', 'message-invalid'],
          ...['message-untrusted', 'message-out-of-order', 'publisher-different'],
        ] as const,
      },
      schema: {
        tags: ['Trust'],
        summary: 'Puts the trust list of a publisher bundle in force, signed with the root key elsewhere',
        body: body({ file: FileText }),
        response: { 200: answer({ ...view, imported: Type.Boolean() }) },
      },
    },
    async (request, reply) => {
      sendResult(reply, await importTrustList(context, request.body.file));
    },
  );
}
