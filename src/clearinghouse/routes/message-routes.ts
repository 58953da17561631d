/** What license servers post: signed messages, which need no other authentication. */
import Type from 'typebox';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import { answer, body, FileText, fileLimitBytes } from '../../platform/http-schemas.ts';
import { version } from '../../platform/version.ts';
import type { ClearinghouseContext } from '../context.ts';
import { answerFile, exchangeMessages } from '../usecases/exchange.ts';

/** Longer than that a proxy between us would cut the line. */
const longestWaitMs = 25_000;

const refusals = [
  'message-invalid',
  'message-untrusted',
  'message-expired',
  'message-not-for-us',
  'clock-ahead',
  'clock-behind',
  'message-out-of-order',
  'strangers-limited',
] as const;

export function addMessageRoutes(app: App, context: ClearinghouseContext): void {
  app.post(
    '/v1/messages',
    {
      config: { refusals: [...refusals] },
      bodyLimit: fileLimitBytes,
      schema: {
        tags: ['Messages'],
        summary: "Takes a license server's messages in and answers with its mail",
        body: body({
          messages: Type.Array(Type.String(), { minItems: 1, maxItems: 10_000 }),
          waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: longestWaitMs })),
        }),
        response: { 200: answer({ messages: Type.Array(Type.String()) }) },
      },
    },
    async (request, reply) => {
      const { messages, waitMs } = request.body;
      sendResult(reply, await exchangeMessages(context, { messages, waitMs: waitMs ?? 0, version }));
    },
  );
  app.post(
    '/v1/answers',
    {
      config: { refusals: [...refusals, 'file-damaged', 'file-other-kind'] },
      bodyLimit: fileLimitBytes,
      schema: {
        tags: ['Messages'],
        summary: 'The web-browser method: a request file in, an answer file out',
        body: body({ file: FileText }),
        response: {
          200: answer({ file: Type.String(), messages: Type.Integer(), for: Type.Array(Type.String()) }),
        },
      },
    },
    async (request, reply) => sendResult(reply, await answerFile(context, request.body.file)),
  );
}
