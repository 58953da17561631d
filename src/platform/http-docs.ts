/**
 * `/openapi.json` (OpenAPI 3.1, made by @fastify/swagger from the schemas that validate) and `/docs`,
 * one page of HTML without scripts, fonts or anything from elsewhere.
 */
import { hash } from 'node:crypto';
import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import Type from 'typebox';
import type { OpenApiDocument } from './http-docs-page.ts';
import { docsPage, docsStyle } from './http-docs-page.ts';
import { problemSchema } from './http-problem.ts';

export interface DocsOptions {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
}

const writes = new Set(['PUT', 'POST', 'PATCH', 'DELETE']);

const idempotencyKey = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 128,
    description: 'Made by the caller; the same request sent again under it gets the first answer',
  }),
);

/** What the frame adds to a route without the route saying so: token, idempotency key, problems. */
function describe(schema: FastifySchema | undefined, route: RouteOptions): FastifySchema {
  const responses = (schema?.response ?? { 200: Type.Unknown({ description: 'Done' }) }) as Record<
    string,
    TSchema
  >;
  const problems = {
    content: { 'application/problem+json': { schema: problemSchema } },
    description: 'Refused',
  };
  const methods = [route.method].flat();
  return {
    ...schema,
    ...(methods.some((method) => writes.has(method))
      ? { headers: Type.Object({ 'Idempotency-Key': idempotencyKey }) }
      : {}),
    ...(route.config?.admin === true ? { security: [{ adminToken: [] }] } : {}),
    ...(route.config?.refusals === undefined ? {} : { 'x-refusals': route.config.refusals }),
    response: { ...responses, '4XX': problems },
  };
}

/** A body that may be missing is written as such, instead of as "or null". */
function settleOptionalBodies(document: OpenApiDocument): OpenApiDocument {
  for (const operations of Object.values(document.paths)) {
    for (const operation of Object.values(operations)) {
      const body = operation.requestBody;
      for (const media of Object.values(body?.content ?? {})) {
        const schema = media.schema;
        if (body === undefined || schema?.['x-optional'] !== true || !Array.isArray(schema['anyOf']))
          continue;
        body.required = false;
        media.schema = schema['anyOf'][0];
      }
    }
  }
  return document;
}

/**
 * Adds both pages. The plugin is called instead of registered: its hook must see the routes that are
 * added to the instance right away, and registering waits until the instance starts.
 */
export function addDocs(app: FastifyInstance, options: DocsOptions): void {
  const { title, version, description } = options;
  swagger(
    app,
    {
      convertConstToEnum: false,
      openapi: {
        openapi: '3.1.0',
        info: { title, version, ...(description === undefined ? {} : { description }) },
        components: { securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } } },
      },
      transform: ({ schema, url, route }) => ({ schema: describe(schema, route), url }),
    },
    (error) => {
      if (error !== undefined) throw error;
    },
  );
  let document: OpenApiDocument | undefined;
  const documentOnce = (): OpenApiDocument => {
    document ??= settleOptionalBodies(app.swagger() as unknown as OpenApiDocument);
    return document;
  };
  app.get('/openapi.json', { schema: { hide: true } }, async () => documentOnce());
  const styleHash = hash('sha256', docsStyle, 'base64');
  const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  let page: string | undefined;
  app.get('/docs', { schema: { hide: true } }, async (_request, reply) => {
    page ??= docsPage(documentOnce());
    reply.header('content-security-policy', policy).type('text/html; charset=utf-8');
    return page;
  });
}
