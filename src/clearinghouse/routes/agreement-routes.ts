/** The publisher's administration: products, agreements, kits. */
import Type from 'typebox';
import { recoveryPolicies } from '../../core/recovery.ts';
import type { App } from '../../platform/http.ts';
import { sendResult } from '../../platform/http-problem.ts';
import {
  AgreementNumber,
  AnyItem,
  answer,
  body,
  CalTypeName,
  PageAnswer,
  PageQuery,
  ProductId,
} from '../../platform/http-schemas.ts';
import { text } from '../../platform/http-validation.ts';
import type { ClearinghouseContext } from '../context.ts';
import { addAgreement, listAgreements, setRecoveryPolicy, showAgreement } from '../usecases/agreements.ts';
import { makeKit } from '../usecases/make-kit.ts';
import { newId } from '../usecases/new-id.ts';
import { addProduct, listProducts } from '../usecases/products.ts';

const Program = text(32, 'open, select, enterprise, campus, school, spla, retail or other');
const AgreementAnswer = answer({
  number: Type.String(),
  program: Type.String(),
  customer: Type.String(),
  lines: Type.Array(AnyItem),
});
const NumberParam = Type.Object({ number: AgreementNumber });

export function addAgreementRoutes(app: App, context: ClearinghouseContext): void {
  addProductRoutes(app, context);
  addEntering(app, context);
  addShowing(app, context);
  addRecovery(app, context);
}

function addEntering(app: App, context: ClearinghouseContext): void {
  app.post(
    '/v1/agreements',
    {
      config: {
        admin: true,
        refusals: [
          'program-field-missing',
          'program-field-wrong',
          'product-unknown',
          'agreement-exists',
          'lines-full',
          'quantity-invalid',
        ],
      },
      schema: {
        tags: ['Agreements'],
        summary: 'Enters an agreement, or adds to a known one',
        body: body({
          number: AgreementNumber,
          program: Program,
          customer: text(128, 'Who bought it'),
          product: ProductId,
          type: CalTypeName,
          quantity: Type.Integer(),
          authorization: Type.Optional(Type.String()),
          license: Type.Optional(Type.String()),
        }),
        response: { 201: AgreementAnswer },
      },
    },
    async (request, reply) => {
      const requestId = request.idempotencyKey ?? newId(context);
      sendResult(reply, await addAgreement(context, { ...request.body, requestId }), 201);
    },
  );
}

function addRecovery(app: App, context: ClearinghouseContext): void {
  app.put(
    '/v1/agreements/:number/recovery',
    {
      config: { admin: true, refusals: ['agreement-unknown'] },
      schema: {
        tags: ['Agreements'],
        summary: 'Whether CALs of a server that comes back as a new one are recovered at once, or wait',
        params: NumberParam,
        body: body({
          policy: Type.Enum([...recoveryPolicies]),
          /** How much of what is unissued comes at once, in percent; as it was where it is not named. */
          share: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
        }),
        response: { 200: AgreementAnswer },
      },
    },
    async (request, reply) => {
      const { number: agreement } = request.params;
      sendResult(reply, await setRecoveryPolicy(context, { agreement, ...request.body }));
    },
  );
}

function addShowing(app: App, context: ClearinghouseContext): void {
  app.get(
    '/v1/agreements',
    {
      config: { admin: true },
      schema: {
        tags: ['Agreements'],
        summary: 'All agreements',
        querystring: PageQuery,
        response: { 200: PageAnswer },
      },
    },
    async (request) => {
      const page = await listAgreements(context, { after: request.query.cursor, limit: request.query.limit });
      return { items: [...page.items], nextCursor: page.nextCursor };
    },
  );
  app.get(
    '/v1/agreements/:number',
    {
      config: { admin: true, refusals: ['agreement-unknown'] },
      schema: {
        tags: ['Agreements'],
        summary: 'One agreement, and where its CALs are',
        params: NumberParam,
        response: { 200: AgreementAnswer },
      },
    },
    async (request, reply) => sendResult(reply, await showAgreement(context, request.params.number)),
  );
  app.post(
    '/v1/agreements/:number/kit',
    {
      config: { admin: true, refusals: ['agreement-unknown', 'kit-full'] },
      schema: {
        tags: ['Agreements'],
        summary: 'The agreement kit, extended or renewed where needed',
        params: NumberParam,
        response: {
          200: answer({ kitId: Type.String(), slots: Type.Array(Type.Integer()), file: Type.String() }),
        },
      },
    },
    async (request, reply) => sendResult(reply, await makeKit(context, request.params.number)),
  );
}

function addProductRoutes(app: App, context: ClearinghouseContext): void {
  const ProductAnswer = answer({
    id: Type.String(),
    name: Type.String(),
    family: Type.String(),
    version: Type.Integer(),
  });
  app.post(
    '/v1/products',
    {
      config: { admin: true, refusals: ['invalid-input', 'product-exists'] },
      schema: {
        tags: ['Products'],
        summary: 'Adds a product version',
        body: body({ id: ProductId, name: text(128), family: text(64), version: Type.Integer() }),
        response: { 201: ProductAnswer },
      },
    },
    async (request, reply) => sendResult(reply, await addProduct(context, request.body), 201),
  );
  app.get(
    '/v1/products',
    {
      config: { admin: true },
      schema: {
        tags: ['Products'],
        summary: 'All products',
        response: { 200: answer({ items: Type.Array(ProductAnswer) }) },
      },
    },
    async () => ({ items: [...(await listProducts(context))] }),
  );
}
