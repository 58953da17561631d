/** What a license server is and has: to look at, never to change. */
import Type from 'typebox';
import { isoTime } from '../../core/time.ts';
import type { App } from '../../platform/http.ts';
import { answer, PageAnswer, PageQuery } from '../../platform/http-schemas.ts';
import { version } from '../../platform/version.ts';
import type { ServerContext } from '../context.ts';
import { listEvents, listLicenses, listPacks, readIdentity, readStatus } from '../usecases/status.ts';

const Identity = { licenseServerId: Type.String(), name: Type.String(), publisher: Type.String() };

export function addListRoutes(app: App, context: ServerContext): void {
  addIdentity(app, context);
  addLists(app, context);
}

function addIdentity(app: App, context: ServerContext): void {
  app.get(
    '/v1/server',
    {
      schema: {
        tags: ['Operation'],
        summary: 'Which license server this is',
        response: {
          200: answer({ ...Identity, activation: Type.String(), version: Type.String(), now: Type.String() }),
        },
      },
    },
    async () => {
      const { licenseServerId, name, publisher, activation } = await readIdentity(context);
      return { licenseServerId, name, publisher, activation, version, now: isoTime(context.clock.nowMs()) };
    },
  );
  app.get(
    '/v1/admin/status',
    {
      config: { admin: true },
      schema: {
        tags: ['Lists'],
        summary: 'Identity, activation, method, horizon and key packs',
        response: { 200: answer(Identity) },
      },
    },
    async () => readStatus(context),
  );
}

function addLists(app: App, context: ServerContext): void {
  app.get(
    '/v1/admin/packs',
    {
      config: { admin: true },
      schema: {
        tags: ['Lists'],
        summary: 'Key packs with their counts',
        response: {
          200: answer({ items: Type.Array(Type.Unsafe<object>(answer({ product: Type.String() }))) }),
        },
      },
    },
    async () => ({ items: [...(await listPacks(context))] }),
  );
  app.get(
    '/v1/admin/licenses',
    {
      config: { admin: true },
      schema: {
        tags: ['Lists'],
        summary: 'Issued licenses',
        querystring: PageQuery,
        response: { 200: PageAnswer },
      },
    },
    async (request) => {
      const page = await listLicenses(context, request.query);
      return { items: [...page.items], nextCursor: page.nextCursor };
    },
  );
  app.get(
    '/v1/admin/events',
    {
      config: { admin: true },
      schema: {
        tags: ['Lists'],
        summary: 'The System log',
        querystring: PageQuery,
        response: { 200: PageAnswer },
      },
    },
    async (request) => {
      const page = await listEvents(context, request.query);
      return { items: [...page.items], nextCursor: page.nextCursor };
    },
  );
}
