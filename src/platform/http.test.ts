import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import Type from 'typebox';
import { err, ok } from '../core/result.ts';
import type { App, HttpOptions } from './http.ts';
import { buildHttp } from './http.ts';
import { sendRefusal, sendResult } from './http-problem.ts';
import { optionalBody, text } from './http-validation.ts';

const token = 'cal_test-token';

/** A program of four routes, one of each kind. */
function exampleApp(options: Partial<HttpOptions> = {}): App {
  const app = buildHttp({ title: 'Example', version: '1.2.3', adminToken: token, ...options });
  const params = Type.Object({ product: text(64, 'The product'), deviceId: text(256) });
  const license = Type.Object({ status: Type.String(), unit: Type.Union([Type.Integer(), Type.Null()]) });
  app.put(
    '/v1/licenses/:product/devices/:deviceId',
    {
      schema: {
        tags: ['Licenses'],
        summary: 'Request or renew',
        params,
        body: optionalBody(Type.Object({ source: Type.String() }, { additionalProperties: false })),
        response: { 200: license, 201: license },
      },
      config: { refusals: ['none-available'] },
    },
    async (request, reply) => {
      const { product } = request.params;
      if (product === 'none') {
        const refusal = {
          code: 'none-available',
          product,
          type: 'device',
          installed: 500,
          unissued: 0,
        } as const;
        return sendResult(reply, err(refusal));
      }
      return sendResult(reply, ok({ status: request.body?.source ?? 'issued', unit: 7, secret: 'x' }), 201);
    },
  );
  app.get(
    '/v1/admin/events',
    {
      config: { admin: true },
      schema: {
        querystring: Type.Object({ limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }) }),
      },
    },
    async (request) => ({ limit: request.query.limit }),
  );
  app.post(
    '/v1/admin/files',
    {
      config: { admin: true },
      bodyLimit: 3 * 1024 * 1024,
      schema: {
        body: Type.Object({
          lines: Type.Array(Type.Object({ quantity: Type.Integer({ minimum: 1 }) })),
          type: Type.Union([Type.Literal('device'), Type.Literal('user')]),
          text: Type.Optional(Type.String()),
        }),
      },
    },
    async (request) => ({ key: request.idempotencyKey ?? null, size: request.body.text?.length ?? 0 }),
  );
  return app;
}

/** The same, with a route that fails. */
function brokenApp(options: Partial<HttpOptions> = {}): App {
  const app = exampleApp(options);
  app.get('/v1/broken', async () => {
    throw new Error('the database password is hunter2');
  });
  return app;
}

const admin = { authorization: `Bearer ${token}` };
const goodFile = { lines: [{ quantity: 2 }], type: 'device' };

interface OperationShape {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly responses: Readonly<Record<string, { readonly description?: unknown }>>;
}

interface Answered {
  readonly code: string;
  readonly detail: string;
  readonly next: string;
  readonly type: string;
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;
}

describe('answers', () => {
  it('sends a result under its status, without what the schema does not name', async () => {
    const answer = await exampleApp().inject({ method: 'PUT', url: '/v1/licenses/ts/devices/WS-1' });
    assert.equal(answer.statusCode, 201);
    assert.deepEqual(answer.json(), { status: 'issued', unit: 7 });
  });

  it('sends a refusal as problem details with its own numbers', async () => {
    const answer = await exampleApp().inject({ method: 'PUT', url: '/v1/licenses/none/devices/WS-1' });
    assert.equal(answer.statusCode, 409);
    assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8');
    const body = answer.json<Answered>();
    assert.equal(body.type, 'urn:calyx:refusal:none-available');
    assert.equal(body.code, 'none-available');
    assert.equal(body.status, 409);
    assert.deepEqual(body.details, { product: 'none', type: 'device', installed: 500, unissued: 0 });
    assert.ok(body.detail.length > 0 && body.next.length > 0);
  });

  it('hides what failed inside and logs it, under the pattern of the route', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
    const answer = await brokenApp({ log }).inject({ method: 'GET', url: '/v1/broken?code=66F61' });
    assert.equal(answer.statusCode, 500);
    assert.equal(answer.json<Answered>().code, 'internal-error');
    assert.doesNotMatch(answer.payload, /hunter2/);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /hunter2/);
    assert.match(lines[0] ?? '', /"route":"\/v1\/broken"/);
    assert.doesNotMatch(lines[0] ?? '', /66F61/);
  });

  it('carries the security headers, whatever the answer', async () => {
    const app = exampleApp();
    for (const url of [
      '/health',
      '/v1/broken',
      '/nowhere',
      '/v1/admin/events',
      '/v1/licenses/%zz/devices/1',
    ]) {
      const { headers } = await app.inject({ method: 'GET', url });
      assert.equal(headers['x-content-type-options'], 'nosniff', url);
      assert.equal(headers['cache-control'], 'no-store', url);
      assert.equal(headers['referrer-policy'], 'no-referrer', url);
      assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/, url);
      assert.equal(headers['strict-transport-security'], undefined, url);
    }
  });
});

describe('validation', () => {
  const post = async (payload: string | object, headers: Record<string, string> = {}) => {
    const answer = await exampleApp().inject({
      method: 'POST',
      url: '/v1/admin/files',
      headers: { ...admin, ...headers },
      payload,
    });
    return { status: answer.statusCode, body: answer.json<Answered>() };
  };

  const wrong: readonly (readonly [string, object, string, RegExp])[] = [
    ['a missing property', { lines: [] }, 'body.type', /missing/],
    [
      'a wrong number deep inside',
      { ...goodFile, lines: [{ quantity: 2 }, { quantity: 0 }] },
      'body.lines[1].quantity',
      /1/,
    ],
    ['a word that is none of those possible', { ...goodFile, type: 'server' }, 'body.type', /device or user/],
    [
      'a number as text: bodies are taken as they are',
      { ...goodFile, lines: [{ quantity: '2' }] },
      'body.lines[0].quantity',
      /integer/,
    ],
  ];
  for (const [what, payload, field, problem] of wrong) {
    it(`names ${what}`, async () => {
      const { status, body } = await post(payload);
      assert.equal(status, 400);
      assert.equal(body.code, 'invalid-input');
      assert.equal(body.details['field'], field);
      assert.match(String(body.details['problem']), problem);
    });
  }

  it('names a property that is not expected', async () => {
    const answer = await exampleApp().inject({
      method: 'PUT',
      url: '/v1/licenses/ts/devices/WS-1',
      payload: { source: 'a', sauce: 'b' },
    });
    assert.equal(answer.statusCode, 400);
    assert.deepEqual(answer.json<Answered>().details, {
      field: 'body.sauce',
      problem: 'is not expected here',
    });
  });

  it('takes a body that may be missing', async () => {
    const app = exampleApp();
    const url = '/v1/licenses/ts/devices/WS-1';
    assert.equal((await app.inject({ method: 'PUT', url, payload: { source: 'old' } })).json().status, 'old');
    assert.equal((await app.inject({ method: 'PUT', url })).json().status, 'issued');
  });

  it('reads numbers of the query, and fills in defaults', async () => {
    const app = exampleApp();
    const get = async (query: string) =>
      (await app.inject({ method: 'GET', url: `/v1/admin/events${query}`, headers: admin })).json();
    assert.deepEqual(await get('?limit=5'), { limit: 5 });
    assert.deepEqual(await get(''), { limit: 20 });
    assert.deepEqual((await get('?limit=many')).details, {
      field: 'query.limit',
      problem: 'must be integer',
    });
  });

  it('refuses control characters and overlong names in a path', async () => {
    const app = exampleApp();
    for (const name of ['a%0ab', 'a%00', 'x'.repeat(300)]) {
      const answer = await app.inject({ method: 'PUT', url: `/v1/licenses/ts/devices/${name}` });
      assert.equal(answer.statusCode, 400, name.slice(0, 10));
    }
  });

  it('refuses JSON that is cut off, or that reaches for prototypes', async () => {
    const headers = { 'content-type': 'application/json' };
    assert.equal((await post('{"lines": [', headers)).status, 400);
    assert.equal((await post('{"__proto__": {}, "lines": [], "type": "device"}', headers)).status, 400);
  });

  it('refuses another media type with 415', async () => {
    const { status, body } = await post('hello', { 'content-type': 'text/plain' });
    assert.equal(status, 415);
    assert.equal(body.code, 'media-type-not-supported');
  });
});

describe('limits', () => {
  it('refuses a body over 1 MiB with 413, except where the route takes more', async () => {
    const app = exampleApp();
    const large = 'x'.repeat(1024 * 1024);
    const put = await app.inject({
      method: 'PUT',
      url: '/v1/licenses/ts/devices/WS-1',
      payload: { source: large },
    });
    assert.equal(put.statusCode, 413);
    assert.equal(put.json<Answered>().code, 'body-too-large');
    const file = { ...goodFile, text: large };
    const post = await app.inject({ method: 'POST', url: '/v1/admin/files', headers: admin, payload: file });
    assert.equal(post.json().size, large.length);
  });

  it('tells a path that does not exist, and a method that it does not have', async () => {
    const app = exampleApp();
    const unknown = await app.inject({ method: 'GET', url: '/v1/nowhere?x=1' });
    assert.equal(unknown.statusCode, 404);
    assert.equal(unknown.json<Answered>().code, 'not-found');
    assert.deepEqual(unknown.json<Answered>().details, { what: 'path', id: '/v1/nowhere' });
    const method = await app.inject({ method: 'POST', url: '/v1/licenses/ts/devices/WS-1' });
    assert.equal(method.statusCode, 405);
    assert.equal(method.headers['allow'], 'PUT');
    assert.equal(method.json<Answered>().code, 'method-not-allowed');
  });

  it('does not redirect a path with a slash at its end', async () => {
    assert.equal((await exampleApp().inject({ method: 'GET', url: '/health/' })).statusCode, 404);
  });

  it('cuts off a request whose headers never end', async (t) => {
    const app = exampleApp({ headersTimeoutMs: 200 });
    t.after(() => app.close());
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as { port: number };
    const received = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: '),
      );
      let all = '';
      socket.on('data', (data) => {
        all += data.toString();
      });
      socket.on('close', () => resolve(all));
      socket.on('error', reject);
    });
    assert.match(received, /^HTTP\/1\.1 408 /);
    assert.match(received, /application\/problem\+json/);
  });

  it('answers bytes that are no HTTP with 400', async (t) => {
    const app = exampleApp();
    t.after(() => app.close());
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as { port: number };
    const received = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('hello\r\n\r\n'));
      socket.on('data', (data) => resolve(data.toString()));
    });
    assert.match(received, /^HTTP\/1\.1 400 /);
  });
});

describe('the administrator', () => {
  const get = async (headers: Record<string, string>, method: 'GET' | 'HEAD' = 'GET') =>
    await exampleApp().inject({ method, url: '/v1/admin/events', headers });

  it('is let in with the token, however the scheme is written', async () => {
    assert.equal((await get(admin)).statusCode, 200);
    assert.equal((await get({ authorization: `bearer ${token}` })).statusCode, 200);
  });

  it('is asked for the token otherwise', async () => {
    for (const authorization of [
      '',
      'Bearer',
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Basic ${token}`,
      token,
    ]) {
      const answer = await get({ authorization });
      assert.equal(answer.statusCode, 401, authorization);
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="calyx"');
      assert.equal(answer.json<Answered>().code, 'not-authorized');
    }
    assert.equal((await get({})).statusCode, 401);
    assert.equal((await get({}, 'HEAD')).statusCode, 401);
  });

  it('is asked before the body is looked at', async () => {
    const answer = await exampleApp().inject({
      method: 'POST',
      url: '/v1/admin/files',
      payload: { lines: 'wrong' },
    });
    assert.equal(answer.statusCode, 401);
  });

  it('is never forgotten: an administrative path must say what it is', () => {
    assert.throws(() => exampleApp().get('/v1/admin/forgotten', async () => 1), /config\.admin/);
    const withoutToken = buildHttp({ title: 'x', version: '1' });
    assert.throws(() => withoutToken.get('/v1/x', { config: { admin: true } }, async () => 1), /adminToken/);
  });
});

describe('the idempotency key', () => {
  const post = async (key: string | undefined) =>
    await exampleApp().inject({
      method: 'POST',
      url: '/v1/admin/files',
      headers: key === undefined ? admin : { ...admin, 'idempotency-key': key },
      payload: goodFile,
    });

  it('reaches the route as it was sent, or not at all', async () => {
    assert.equal((await post('a-key.1')).json().key, 'a-key.1');
    assert.equal((await post('~'.repeat(128))).json().key, '~'.repeat(128));
    assert.equal((await post(undefined)).json().key, null);
  });

  it('is refused where it is empty, too long or not visible', async () => {
    for (const key of ['', 'x'.repeat(129), 'two words', 'ä', 'one, two']) {
      const answer = await post(key);
      assert.equal(answer.statusCode, 400, key);
      assert.equal(answer.json<Answered>().details['field'], 'header.idempotency-key');
    }
  });
});

describe('what the program tells about itself', () => {
  it('says that it is alive, and what it was given to say', async () => {
    const app = exampleApp({ health: () => ({ lastContactAt: '2026-11-24T00:00:00Z' }) });
    const answer = await app.inject({ method: 'GET', url: '/health' });
    assert.deepEqual(answer.json(), { status: 'ok', lastContactAt: '2026-11-24T00:00:00Z' });
  });

  it('counts requests by route, method and status, and refusals by code', async () => {
    const app = exampleApp();
    await app.inject({ method: 'PUT', url: '/v1/licenses/ts/devices/WS-1' });
    await app.inject({ method: 'PUT', url: '/v1/licenses/ts/devices/WS-2' });
    await app.inject({ method: 'PUT', url: '/v1/licenses/none/devices/WS-1' });
    await app.inject({ method: 'GET', url: '/v1/nowhere' });
    const answer = await app.inject({ method: 'GET', url: '/metrics' });
    assert.match(String(answer.headers['content-type']), /^text\/plain/);
    const route = 'method="PUT",route="/v1/licenses/:product/devices/:deviceId"';
    const lines = answer.payload.split('\n');
    assert.ok(lines.includes(`http_request_duration_seconds_count{${route},status="201"} 2`));
    assert.ok(lines.includes(`http_request_duration_seconds_bucket{${route},status="409",le="+Inf"} 1`));
    assert.ok(
      lines.includes('http_request_duration_seconds_count{method="any",route="unknown",status="404"} 1'),
    );
    assert.ok(lines.includes('calyx_refusals_total{code="none-available"} 1'));
    assert.match(answer.payload, /^process_cpu_seconds_total /m);
  });

  it('describes its routes as OpenAPI 3.1', async () => {
    const document = (await exampleApp().inject({ method: 'GET', url: '/openapi.json' })).json();
    assert.equal(document.openapi, '3.1.0');
    assert.deepEqual(document.info, { title: 'Example', version: '1.2.3' });
    const put = document.paths['/v1/licenses/{product}/devices/{deviceId}'].put;
    assert.equal(put.requestBody.required, false);
    assert.deepEqual(Object.keys(put.requestBody.content['application/json'].schema.properties), ['source']);
    assert.deepEqual(
      put.parameters.map((parameter: { in: string; name: string }) => `${parameter.in} ${parameter.name}`),
      ['path product', 'path deviceId', 'header Idempotency-Key'],
    );
    assert.deepEqual(Object.keys(put.responses), ['200', '201', '4XX']);
    assert.ok(put.responses['4XX'].content['application/problem+json'].schema.properties.code);
    assert.deepEqual(put['x-refusals'], ['none-available']);
    assert.deepEqual(document.paths['/v1/admin/events'].get.security, [{ adminToken: [] }]);
    assert.equal(put.security, undefined);
    assert.equal(document.paths['/docs'], undefined);
  });

  it('describes every parameter of a path, and every answer', async () => {
    const document = (await exampleApp().inject({ method: 'GET', url: '/openapi.json' })).json();
    const operations = Object.entries<Record<string, OperationShape>>(document.paths).flatMap(
      ([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    assert.ok(operations.length >= 5);
    for (const { path, method, operation } of operations) {
      const declared = (operation.parameters ?? [])
        .filter((each) => each.in === 'path')
        .map((each) => each.name);
      assert.deepEqual(
        declared,
        [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
        `${method} ${path}`,
      );
      for (const response of Object.values(operation.responses))
        assert.equal(typeof response.description, 'string');
    }
    assert.doesNotMatch(JSON.stringify(document), /"nullable"/);
  });

  it('shows them to people on a page that loads nothing and runs nothing', async () => {
    const app = exampleApp({ description: '<script>alert(1)</script>' });
    const answer = await app.inject({ method: 'GET', url: '/docs' });
    assert.match(String(answer.headers['content-type']), /^text\/html/);
    const policy = String(answer.headers['content-security-policy']);
    assert.match(policy, /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]+=*';/);
    assert.doesNotMatch(answer.payload, /<script|<link|src=|https?:\/\//);
    assert.match(answer.payload, /&lt;script&gt;/);
    assert.match(answer.payload, /PUT<\/b> <code>\/v1\/licenses\/\{product\}\/devices\/\{deviceId\}/);
    assert.match(answer.payload, /none-available/);
  });

  it('promises TLS for a year where it speaks TLS', async () => {
    const app = buildHttp({ title: 'x', version: '1', tls: { cert: '', key: '' } });
    const { headers } = await app.inject({ method: 'GET', url: '/health' });
    assert.equal(headers['strict-transport-security'], 'max-age=31536000');
  });
});

describe('a refusal outside of a result', () => {
  it('is answered by sendRefusal', async () => {
    const app = buildHttp({ title: 'x', version: '1' });
    app.get('/v1/refused', async (_request, reply) => sendRefusal(reply, { code: 'deactivated' }));
    const answer = await app.inject({ method: 'GET', url: '/v1/refused' });
    assert.equal(answer.json<Answered>().code, 'deactivated');
    assert.equal(answer.json<Answered>().details, undefined);
  });
});
