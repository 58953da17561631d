/** The recovery of a clearinghouse that was restored: who is awaited, and the decision not to wait (protocol §5.6). */
import Type from 'typebox';
import { ok } from '../../core/result.ts';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import type { ClearinghouseContext } from '../context.ts';
import { openRecovering, viewRecovery } from '../usecases/recovery.ts';

const params = Type.Object({ agreement: Type.String({ maxLength: 40 }) });

const View = Type.Object({
  recovery: Type.Union([
    Type.Object({ epoch: Type.Integer(), at: Type.String(), backup: Type.String() }),
    Type.Null(),
  ]),
  awaited: Type.Array(
    Type.Object({
      agreement: Type.String(),
      licenseServerId: Type.Union([Type.String(), Type.Null()]),
      name: Type.Union([Type.String(), Type.Null()]),
      state: Type.Enum(['awaited', 'uncovered', 'certificate']),
      missing: Type.Integer(),
      until: Type.String(),
    }),
  ),
});

export function addRecoveryRoutes(app: App, context: ClearinghouseContext): void {
  app.get(
    '/v1/recovery',
    {
      config: { admin: true },
      schema: {
        tags: ['Recovery'],
        summary: 'Whether this clearinghouse was restored, and which license servers it waits for',
        response: { 200: View },
      },
    },
    async (_request, reply) => {
      sendResult(reply, ok(await viewRecovery(context)));
    },
  );
  app.post(
    '/v1/recovery/:agreement/open',
    {
      config: { admin: true, refusals: ['agreement-unknown', 'invalid-input'] },
      schema: {
        tags: ['Recovery'],
        summary: 'A supervisor’s decision not to wait any longer for an agreement',
        params,
        body: Type.Object({ statement: Type.String({ minLength: 1, maxLength: 1200 }) }),
        response: { 200: Type.Object({ opened: Type.Integer() }) },
      },
    },
    async (request, reply) => {
      const { statement } = request.body;
      const done = await openRecovering(context, { agreement: request.params.agreement, statement });
      sendResult(reply, done.ok ? ok({ opened: done.value.opened.length }) : done);
    },
  );
}
