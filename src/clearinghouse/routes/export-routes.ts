/** What an auditor is given, for the command line to write into a file. */
import Type from 'typebox';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import { AgreementNumber, answer, EntriesAnswer, EntriesQuery } from '../../platform/http-schemas.ts';
import type { ClearinghouseContext } from '../context.ts';
import { beginBundle, exportEntries } from '../usecases/export-bundle.ts';

export function addExportRoutes(app: App, context: ClearinghouseContext): void {
  app.get(
    '/v1/agreements/:number/export',
    {
      config: { admin: true, refusals: ['agreement-unknown'] },
      schema: {
        tags: ['Audit'],
        summary: 'The beginning of an audit bundle; the entries of its journals follow',
        params: Type.Object({ number: AgreementNumber }),
        response: { 200: answer({ start: Type.String() }) },
      },
    },
    async (request, reply) => sendResult(reply, await beginBundle(context, request.params.number)),
  );
  app.get(
    '/v1/journals/:log',
    {
      config: { admin: true },
      schema: {
        tags: ['Audit'],
        summary: 'Entries of a journal, as they were hashed',
        params: Type.Object({ log: AgreementNumber }),
        querystring: EntriesQuery,
        response: { 200: EntriesAnswer },
      },
    },
    async (request) => {
      const entries = await exportEntries(context, { log: request.params.log, ...request.query });
      return { entries: [...entries] };
    },
  );
}
