/**
 * How HTTP says no: RFC 9457 problem details (`application/problem+json`). Refusals of the rules come
 * from `protocol/problem.ts`; this file adds those of HTTP itself (405, 413, 415, 500 …) and never
 * shows what went wrong inside.
 */
import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import Type from 'typebox';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { problemOf } from '../protocol/problem.ts';

/** What a problem says; `details` are the refusal's own numbers. */
export interface HttpProblem {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly message: string;
  readonly next: string;
  readonly details?: object;
}

/** The body of every answer from 400 on, for schemas and OpenAPI. */
export const problemSchema = Type.Object(
  {
    type: Type.String({ description: 'A URN made of the code: urn:calyx:refusal:CODE' }),
    title: Type.String({ description: 'The kind of problem in a few words' }),
    status: Type.Integer({ description: 'The HTTP status again' }),
    detail: Type.String({ description: 'What is wrong, in plain words' }),
    code: Type.String({ description: 'Stable: programs decide by this' }),
    next: Type.String({ description: 'What to do about it' }),
    details: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'The numbers that belong to the code' }),
    ),
  },
  { description: 'Refused (RFC 9457 problem details)' },
);

/** The part of Fastify's reply that answering needs, whatever the schema types of the route. */
export interface AnyReply {
  code(status: number): unknown;
  header(name: string, value: string): unknown;
  type(mediaType: string): unknown;
  send(payload?: unknown): unknown;
  refusalCode?: string | undefined;
}

/**
 * The details stand in a member of their own because RFC 9457 owns `type` and `status`, and a
 * refusal may have a `type` too (device, user, concurrent).
 */
function problemText(problem: HttpProblem): string {
  const { code, status, title, message, next, details } = problem;
  const type = `urn:calyx:refusal:${code}`;
  return JSON.stringify({ type, title, status, detail: message, code, next, details });
}

/** Answers with a problem. The text bypasses the response schema: it is no result. */
export function sendProblem(reply: AnyReply, problem: HttpProblem): void {
  reply.refusalCode = problem.code;
  reply.code(problem.status);
  reply.type('application/problem+json');
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="calyx"');
  reply.send(problemText(problem));
}

/** The problem of a refusal, its own fields as details. */
export function problemOfRefusal(refusal: Refusal): HttpProblem {
  const { code: _code, ...details } = refusal;
  return Object.keys(details).length === 0 ? problemOf(refusal) : { ...problemOf(refusal), details };
}

/** Answers with a refusal: its status, words, numbers and next step. */
export function sendRefusal(reply: AnyReply, refusal: Refusal): void {
  sendProblem(reply, problemOfRefusal(refusal));
}

/** Answers with the value under `status` (200 unless told), or with the refusal. */
export function sendResult<T>(reply: AnyReply, result: Result<T, Refusal>, status = 200): void {
  if (!result.ok) {
    sendRefusal(reply, result.error);
    return;
  }
  reply.code(status);
  reply.send(result.value);
}

/** A request that a schema or the framework turned away before any rule saw it. */
export class InvalidInput extends Error {
  readonly statusCode = 400;
  readonly field: string;

  constructor(field: string, problem: string) {
    super(problem);
    this.field = field;
  }
}

const unexpected: HttpProblem = {
  code: 'internal-error',
  status: 500,
  title: 'Internal error',
  message: 'The program failed while answering. Nothing is said about the cause here; it is in its log.',
  next: 'Ask again with the same Idempotency-Key; if it happens again, look into the log of the server.',
};

/** Problems that HTTP itself knows, by status. */
const frameworkProblems: Readonly<Record<number, Omit<HttpProblem, 'status' | 'message'>>> = {
  400: { code: 'bad-request', title: 'The request cannot be read', next: 'Correct the request.' },
  405: { code: 'method-not-allowed', title: 'Method not allowed', next: 'Use a method of the Allow header.' },
  408: { code: 'request-timeout', title: 'The request took too long to arrive', next: 'Send it again.' },
  413: { code: 'body-too-large', title: 'The body is too large', next: 'Send less in one request.' },
  414: { code: 'path-too-long', title: 'The path is too long', next: 'Use shorter names.' },
  415: {
    code: 'media-type-not-supported',
    title: 'Media type not supported',
    next: 'Send JSON with Content-Type: application/json.',
  },
  431: {
    code: 'headers-too-large',
    title: 'The headers are too large',
    next: 'Send fewer or shorter headers.',
  },
};

/** A problem of HTTP itself; statuses that are not listed become 400. */
export function frameworkProblem(status: number, message: string): HttpProblem {
  const known = frameworkProblems[status];
  if (known !== undefined) return { ...known, status, message };
  return {
    code: 'bad-request',
    title: 'The request cannot be read',
    next: 'Correct the request.',
    status: 400,
    message,
  };
}

const statusOf = (error: unknown): number => {
  const status = (error as { readonly statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
};

/** The problem to answer an exception with; 500 says nothing about the inside. */
export function problemOfError(error: unknown): HttpProblem {
  if (error instanceof InvalidInput) {
    return problemOfRefusal({ code: 'invalid-input', field: error.field, problem: error.message });
  }
  const status = statusOf(error);
  if (status >= 500) return unexpected;
  return frameworkProblem(status, error instanceof Error ? error.message : (STATUS_CODES[status] ?? ''));
}

/** Fastify's error handler: answers with a problem and logs what nobody outside may see. */
export function answerError(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = problemOfError(error);
    if (problem.status >= 500) {
      // The pattern, not the URL: paths may name holders and queries may carry codes.
      log.error({ err: error, method: request.method, route: request.routeOptions?.url }, 'request failed');
    }
    sendProblem(reply, problem);
  };
}

/** What Node's parser calls the reasons for giving up on a connection. */
const rawStatus: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/** The answer to bytes that are no HTTP request (or come too slowly), as a whole HTTP/1.1 text. */
export function rawProblemAnswer(errorCode: string | undefined): string {
  const status = rawStatus[errorCode ?? ''] ?? 400;
  const body = problemText(frameworkProblem(status, `${STATUS_CODES[status] ?? 'Bad Request'}.`));
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
