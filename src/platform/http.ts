/**
 * The HTTP frame of both programs: validation and OpenAPI from one set of schemas, problem details,
 * limits and time-outs, security headers, the administrator's token, idempotency keys, `/health`,
 * `/metrics`, `/openapi.json` and `/docs`. It knows no route of either program.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
  RouteOptions,
} from 'fastify';
import fastify from 'fastify';
import type { Logger } from 'pino';
import { pino } from 'pino';
import Type from 'typebox';
import type { JsonObject } from '../core/json.ts';
import type { RefusalCode } from '../core/refusal.ts';
import { addDocs } from './http-docs.ts';
import type { HttpMetrics, RouteDurations } from './http-metrics.ts';
import { createHttpMetrics, observe } from './http-metrics.ts';
import type { HttpProblem } from './http-problem.ts';
import {
  answerError,
  frameworkProblem,
  problemOfError,
  problemOfRefusal,
  rawProblemAnswer,
  sendProblem,
} from './http-problem.ts';
import type { KnownRoute } from './http-routes.ts';
import { allowedMethods, knownRoutes } from './http-routes.ts';
import { compileValidator } from './http-validation.ts';

/** A Fastify instance whose schemas are TypeBox's. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Only with the administrator's token. Obligatory for every route under `/v1/admin/`. */
    readonly admin?: boolean;
    /** The refusals that this route may answer with, for the OpenAPI document and the page. */
    readonly refusals?: readonly RefusalCode[];
  }
  interface FastifyRequest {
    /** The caller's `Idempotency-Key`, undefined where none was sent. */
    readonly idempotencyKey: string | undefined;
    /** When the request's headers had been read, milliseconds of the monotonic clock. */
    startedMs: number;
  }
  interface FastifyReply {
    /** The code of the problem that was answered, for counting. */
    refusalCode?: string | undefined;
  }
}

/** Certificate and key of a TLS listener, PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
}

export interface HttpOptions {
  /** The program's name for people: `Calyx license server`. */
  readonly title: string;
  readonly version: string;
  readonly description?: string;
  /** Needed as soon as a route is marked `admin`. */
  readonly adminToken?: string;
  /** Silent unless given. */
  readonly log?: Logger;
  readonly tls?: TlsMaterial;
  /** What `/health` shows beside its status, for example the last contact time. */
  readonly health?: () => JsonObject | Promise<JsonObject>;
  /** Largest body in bytes, 1 MiB unless told; a route may set its own `bodyLimit`. */
  readonly bodyLimitBytes?: number;
  /** How long a request may take to arrive, milliseconds. */
  readonly requestTimeoutMs?: number;
  /** How long its headers may take, milliseconds. */
  readonly headersTimeoutMs?: number;
  /** How long an idle connection stays open, milliseconds. */
  readonly keepAliveMs?: number;
}

const mebibyte = 1024 * 1024;

/** Sent with every answer: nothing is cached, sniffed, framed or told to the next site. */
const securityHeaders: readonly (readonly [string, string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['cache-control', 'no-store'],
  ['referrer-policy', 'no-referrer'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
];

const strictTransport: readonly [string, string] = ['strict-transport-security', 'max-age=31536000'];

/** Protocol §7.2: HSTS of a year wherever TLS is spoken. */
function headersFor(tls: boolean): readonly (readonly [string, string])[] {
  return tls ? [...securityHeaders, strictTransport] : securityHeaders;
}

const wantedKey = /^[!-~]{1,128}$/;

/** What every route of one program is framed with. */
interface Frame {
  readonly headers: readonly (readonly [string, string])[];
  readonly metrics: HttpMetrics;
  readonly log: Logger;
  readonly adminTokenHash: Uint8Array | undefined;
  readonly routes: KnownRoute[];
}

type Next = (error?: Error) => void;

function setHeaders(reply: FastifyReply, frame: Frame): void {
  for (const [name, value] of frame.headers) reply.header(name, value);
}

/** First in every route: the clock, the headers (a handler may set its own later), the idempotency key. */
function begin(frame: Frame) {
  return (request: FastifyRequest, reply: FastifyReply, next: Next): void => {
    request.startedMs = performance.now();
    setHeaders(reply, frame);
    const key = request.raw.headers['idempotency-key'];
    if (key === undefined || (typeof key === 'string' && wantedKey.test(key))) {
      next();
      return;
    }
    const problem = 'must be 1 to 128 visible ASCII characters, sent once';
    sendProblem(reply, problemOfRefusal({ code: 'invalid-input', field: 'header.idempotency-key', problem }));
  };
}

type OnSend = [
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  next: (error: null, payload: unknown) => void,
];

/** Last in every route: counting. Fastify's callback form, because a promise per answer would cost more. */
function finish(frame: Frame, durations: RouteDurations) {
  return (...[request, reply, payload, next]: OnSend): void => {
    count(frame, durations, { request, reply });
    next(null, payload);
  };
}

function count(
  frame: Frame,
  durations: RouteDurations,
  exchange: { request: FastifyRequest; reply: FastifyReply },
): void {
  const { request, reply } = exchange;
  observe(durations, reply.statusCode, (performance.now() - request.startedMs) / 1000);
  if (reply.statusCode < 400) return;
  const refusal = reply.refusalCode ?? 'none';
  frame.metrics.refused(refusal);
  const { method, route } = durations;
  frame.log.debug({ method, route, status: reply.statusCode, refusal }, 'refused');
}

/**
 * Compares hashes, so that neither the time nor the length tells anything about the token
 * (a Bearer token, RFC 6750; the scheme's name is case-insensitive).
 */
function checkAdmin(adminTokenHash: Uint8Array) {
  return (request: FastifyRequest, reply: FastifyReply, next: Next): void => {
    const token = /^bearer +([!-~]+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (timingSafeEqual(hash('sha256', token, 'buffer'), adminTokenHash)) {
      next();
      return;
    }
    sendProblem(reply, problemOfRefusal({ code: 'not-authorized' }));
  };
}

const listOf = <T>(hooks: T | T[] | undefined): T[] => (hooks === undefined ? [] : ([hooks].flat() as T[]));

/** An administrative path that somebody forgot to mark is a bug that must not reach a network. */
function adminChecks(route: RouteOptions, frame: Frame) {
  const admin = route.config?.admin;
  if (admin === undefined && route.url.startsWith('/v1/admin/')) {
    throw new Error(`route ${route.url} must say config.admin: true (or false, knowingly)`);
  }
  if (admin !== true) return [];
  if (frame.adminTokenHash === undefined) throw new Error(`route ${route.url} needs buildHttp's adminToken`);
  return [checkAdmin(frame.adminTokenHash)];
}

/**
 * Hooks go to the route itself instead of the instance: each route then has its own counters at hand,
 * and the check of the token runs before the body is read.
 */
function frameRoute(route: RouteOptions, frame: Frame): void {
  const methods = [route.method].flat();
  frame.routes.push(...knownRoutes(methods, route.url));
  const durations = frame.metrics.route(methods.join(' '), route.url);
  route.onRequest = [begin(frame), ...adminChecks(route, frame), ...listOf(route.onRequest)];
  route.onSend = [...listOf(route.onSend), finish(frame, durations)];
}

function answerUnknownPath(frame: Frame) {
  const durations = frame.metrics.route('any', 'unknown');
  return (request: FastifyRequest, reply: FastifyReply): void => {
    request.startedMs = performance.now();
    setHeaders(reply, frame);
    const path = request.url.split('?', 1)[0] ?? '';
    const methods = allowedMethods(frame.routes, path);
    if (methods.length > 0) reply.header('allow', methods.join(', '));
    sendProblem(reply, methods.length > 0 ? wrongMethod(request.method, methods) : noSuchPath(path));
    count(frame, durations, { request, reply });
  };
}

const wrongMethod = (method: string, methods: readonly string[]): HttpProblem =>
  frameworkProblem(405, `${method} is not possible here; possible: ${methods.join(', ')}.`);

const noSuchPath = (path: string): HttpProblem =>
  problemOfRefusal({ code: 'not-found', what: 'path', id: path });

/** Slow or endless requests are cut off (slowloris); Node checks connections every few seconds. */
function serverOptions(options: HttpOptions, frame: Frame) {
  const listener = {
    headersTimeout: options.headersTimeoutMs ?? 10_000,
    connectionsCheckingInterval: Math.min(5000, options.headersTimeoutMs ?? 5000),
  };
  const tls = options.tls;
  return {
    ...(tls === undefined
      ? { http: listener }
      : { https: { ...listener, ...tls, minVersion: 'TLSv1.2' as const } }),
    bodyLimit: options.bodyLimitBytes ?? mebibyte,
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    keepAliveTimeout: options.keepAliveMs ?? 60_000,
    // While stopping, a request that arrived on an open connection is still answered.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => {
      setHeaders(reply, frame);
      sendProblem(reply, problemOfError(error));
    },
    clientErrorHandler: (error: Error & { code?: string }, socket: Socket) => {
      if (error.code !== 'ECONNRESET' && socket.writable) socket.write(rawProblemAnswer(error.code));
      socket.destroy(error);
    },
  };
}

/** `GET /health` and `GET /metrics`, open to everybody who reaches the listener. */
function addWatching(app: App, options: HttpOptions, metrics: HttpMetrics): void {
  const health = Type.Object(
    { status: Type.Literal('ok') },
    { additionalProperties: true, description: 'Alive' },
  );
  app.get(
    '/health',
    {
      schema: {
        tags: ['Operation'],
        summary: 'Is it alive, and since when has it heard of the other side',
        response: { 200: health },
      },
    },
    async () => ({ status: 'ok' as const, ...(await options.health?.()) }),
  );
  app.get(
    '/metrics',
    {
      schema: {
        tags: ['Operation'],
        summary: 'Counters in the text format of Prometheus',
        produces: ['text/plain'],
      },
    },
    async (_request, reply) => {
      reply.type(metrics.registry.contentType);
      return await metrics.text();
    },
  );
}

/** The framed instance: add routes (directly or by `register`), then listen or `inject`. */
export function buildHttp(options: HttpOptions): App {
  const frame: Frame = {
    headers: headersFor(options.tls !== undefined),
    metrics: createHttpMetrics(),
    log: options.log ?? pino({ enabled: false }),
    adminTokenHash:
      options.adminToken === undefined ? undefined : hash('sha256', options.adminToken, 'buffer'),
    routes: [],
  };
  // Fastify's own logger stays off: it would make a child logger per request.
  const app = fastify(
    serverOptions(options, frame),
  ).withTypeProvider<TypeBoxTypeProvider>() as unknown as App;
  app.setValidatorCompiler(compileValidator);
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler(answerError(frame.log));
  app.setNotFoundHandler(answerUnknownPath(frame));
  app.decorateRequest('startedMs', 0);
  app.decorateRequest('idempotencyKey', {
    getter(this: FastifyRequest): string | undefined {
      const key = this.raw.headers['idempotency-key'];
      return typeof key === 'string' ? key : undefined;
    },
  });
  app.decorateReply('refusalCode', undefined);
  app.addHook('onRoute', (route) => frameRoute(route, frame));
  addDocs(app, options);
  addWatching(app, options, frame.metrics);
  return app;
}
