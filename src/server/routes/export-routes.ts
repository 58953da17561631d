/** What an auditor is given, for the command line to write into a file. */
import Type from 'typebox';
import type { App } from '../../platform/http.ts';
import { answer, EntriesAnswer, EntriesQuery } from '../../platform/http-schemas.ts';
import type { ServerContext } from '../context.ts';
import { beginBundle, exportEntries } from '../usecases/export-bundle.ts';

export function addExportRoutes(app: App, context: ServerContext): void {
  app.get(
    '/v1/admin/export',
    {
      config: { admin: true },
      schema: {
        tags: ['Audit'],
        summary: 'The beginning of an audit bundle; the entries of its journals follow',
        response: { 200: answer({ start: Type.String() }) },
      },
    },
    async () => beginBundle(context),
  );
  app.get(
    '/v1/admin/journals/:log',
    {
      config: { admin: true },
      schema: {
        tags: ['Audit'],
        summary: 'Entries of the journal, as they were hashed',
        params: Type.Object({ log: Type.Literal('server') }),
        querystring: EntriesQuery,
        response: { 200: EntriesAnswer },
      },
    },
    async (request) => ({ entries: [...(await exportEntries(context, request.query))] }),
  );
}
