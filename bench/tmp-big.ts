import Type from 'typebox';
import { buildHttp } from '../src/platform/http.ts';
import { ProductId } from '../src/platform/http-schemas.ts';
import { text,optionalBody } from '../src/platform/http-validation.ts';
import { listen } from '../src/platform/listen.ts';
import { answerParent } from './issue-child.ts';
const app = buildHttp({ title: 'Empty', version: '0' });
const big=JSON.stringify({status:'x'.repeat(3300)});
app.put('/v1/licenses/:product/devices/:deviceId',
  { schema: { params: Type.Object({ product: ProductId, deviceId: text(256, 'Name of the device') }), body: optionalBody(Type.Object({})) },serializerCompiler: () => String },
  async (q,reply) => {reply.type('application/json; charset=utf-8');return reply.send(big)},
);
const listening = await listen(app, { host: '127.0.0.1', port: 0 });
answerParent(() => listening.port);
process.once('SIGTERM', () => process.exit(0));
