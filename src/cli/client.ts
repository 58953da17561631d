/**
 * The routes of a program as the command line calls them, whether over HTTP or inside this process.
 * What differs is only how one request is sent (`Send`): see client-http.ts and connect.ts.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { RefusedFields } from './outcome.ts';
import { Refused } from './outcome.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** A request on its way. */
export interface WireRequest {
  readonly method: Method;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly timeoutMs: number;
}

export interface WireAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Sends one request; throws `Unreachable` where nobody answers. */
export type Send = (request: WireRequest) => Promise<WireAnswer>;

export interface ApiRequest {
  readonly body?: JsonValue;
  /** Undefined and null values are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | null | undefined>>;
  /** Made from the invocation's id where a write names none. */
  readonly idempotencyKey?: string;
  /** How long the answer may take, milliseconds; a minute unless told. */
  readonly timeoutMs?: number;
}

export interface ApiAnswer {
  readonly status: number;
  /** JSON as a value; anything else (CSV, metrics) as text. */
  readonly body: JsonValue;
}

export interface ApiClient {
  /** Any answer, also a refusal. */
  readonly request: (method: Method, path: string, request?: ApiRequest) => Promise<ApiAnswer>;
  /** The body of a good answer; a refusal is thrown as `Refused`, which ends the command with exit 1. */
  readonly call: <Body = JsonObject>(method: Method, path: string, request?: ApiRequest) => Promise<Body>;
}

export interface ClientOptions {
  readonly send: Send;
  /** The administrator's token, where there is one. */
  readonly token: string | undefined;
  /**
   * The invocation's id, from which the keys of its writes are made: the first write of an invocation
   * has the key `ID.1`, the second `ID.2`. A script that repeats a command with the same id
   * (`--request-id`) gets the first answers again.
   */
  readonly requestId: string;
}

const defaultTimeoutMs = 60_000;

/** `/v1/licenses/ts/devices/A%2FB`: a path from parts that may hold anything. */
export function pathOf(...parts: readonly string[]): string {
  return parts.map((part) => `/${encodeURIComponent(part)}`).join('');
}

function urlOf(path: string, query: ApiRequest['query']): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null) search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

function bodyOf(answer: WireAnswer): JsonValue {
  if (answer.text === '') return null;
  if (!/^application\/(problem\+)?json\b/.test(answer.contentType)) return answer.text;
  return JSON.parse(answer.text) as JsonValue;
}

const textOf = (value: JsonValue | undefined, otherwise: string): string =>
  typeof value === 'string' ? value : otherwise;

const objectOf = (value: JsonValue | undefined): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};

/** A problem (RFC 9457, see platform/http-problem.ts) as `--json` prints refusals. */
function refusedOf(answer: ApiAnswer): RefusedFields {
  const body = objectOf(answer.body);
  return {
    ...objectOf(body['details']),
    code: textOf(body['code'], `http-${answer.status}`),
    message: textOf(body['detail'], `The server answered with status ${answer.status}.`),
    next: textOf(body['next'], 'Look at the address: perhaps another program answers there.'),
  };
}

/** A problem that came in place of what was asked for; it ends the command with exit 1. */
export function refusedAnswer({ status, contentType, text }: WireAnswer): Refused {
  return new Refused(refusedOf({ status, body: bodyOf({ status, contentType, text }) }));
}

/** A client that sends through `send`. */
export function createApiClient(options: ClientOptions): ApiClient {
  let writes = 0;
  const keyOf = (method: Method, given: string | undefined): string | undefined => {
    if (given !== undefined || method === 'GET') return given;
    writes += 1;
    return `${options.requestId}.${writes}`;
  };
  const request: ApiClient['request'] = async (
    method,
    path,
    { body, query, idempotencyKey, timeoutMs } = {},
  ) => {
    const key = keyOf(method, idempotencyKey);
    const answer = await options.send({
      method,
      url: urlOf(path, query),
      headers: {
        accept: 'application/json',
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      timeoutMs: timeoutMs ?? defaultTimeoutMs,
    });
    return { status: answer.status, body: bodyOf(answer) };
  };
  return {
    request,
    call: async <Body>(method: Method, path: string, ask?: ApiRequest) => {
      const answer = await request(method, path, ask);
      if (answer.status < 200 || answer.status > 299) throw new Refused(refusedOf(answer));
      return answer.body as Body;
    },
  };
}
