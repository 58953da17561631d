/**
 * The first baseline: a route in the frame of both programs (`buildHttp`: validation, security headers,
 * metrics) with the parameters of a license request, that does nothing.
 */
import Type from 'typebox';
import { buildHttp } from '../src/platform/http.ts';
import { answer, ProductId } from '../src/platform/http-schemas.ts';
import { text } from '../src/platform/http-validation.ts';
import { listen } from '../src/platform/listen.ts';
import { answerParent } from './issue-child.ts';

const app = buildHttp({ title: 'Empty', version: '0' });
app.put(
  '/v1/licenses/:product/devices/:deviceId',
  {
    schema: {
      params: Type.Object({ product: ProductId, deviceId: text(256, 'Name of the device') }),
      response: { 200: answer({ status: Type.String() }) },
    },
  },
  async () => ({ status: 'empty' }),
);
const listening = await listen(app, { host: '127.0.0.1', port: 0 });
answerParent(() => listening.port);
process.once('SIGTERM', () => process.exit(0));
