/** License requests of clients and session hosts (design §9): open, or limited to listed hosts. */
import Type from 'typebox';
import type { CalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { App } from '../../platform/http.ts';
import { sendRefusal, sendResult } from '../../platform/http-problem.ts';
import { answer, ProductId } from '../../platform/http-schemas.ts';
import { optionalBody, text } from '../../platform/http-validation.ts';
import type { ServerContext } from '../context.ts';
import type { LicenseAnswer } from '../usecases/request-license.ts';
import { requestLicense } from '../usecases/request-license.ts';
import { returnLicense, validateLicense } from '../usecases/return-license.ts';

const HolderName = text(256, 'Name of the device or user');

/** What a holder shows from another license server, to be taken over from it. */
const RequestBody = optionalBody(
  Type.Object(
    {
      source: Type.Object(
        { token: Type.String({ maxLength: 8192 }), bundle: Type.Unknown() },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
);

const LicenseSchema = answer({
  status: Type.Enum(['issued', 'renewed', 'unchanged']),
  kind: Type.Enum(['temporary', 'permanent']),
  product: Type.String(),
  type: Type.String(),
  unit: Type.Union([Type.Integer(), Type.Null()]),
  origin: Type.Union([Type.String(), Type.Null()]),
  token: Type.String(),
  expiresAt: Type.String(),
  bundle: Type.Unsafe<object>(Type.Object({}, { additionalProperties: true })),
});

const refusals = [
  'none-available',
  'product-not-installed',
  'temporary-used-up',
  'temporary-cap',
  'horizon-passed',
  'not-activated',
  'deactivated',
  'license-moved',
  'host-not-allowed',
  'source-token-invalid',
] as const;

/**
 * The answer as text. The bundle, several kilobytes that are the same for everybody, is kept as JSON
 * and put in as it is; serializing it anew was a third of the time of an unchanged answer.
 */
function licenseText(license: LicenseAnswer): string {
  const { bundleText, ...fields } = license;
  return `${JSON.stringify(fields).slice(0, -1)},"bundle":${bundleText}}`;
}

const groups: readonly { readonly path: string; readonly parameter: string; readonly type: CalType }[] = [
  { path: 'devices', parameter: 'deviceId', type: 'device' },
  { path: 'users', parameter: 'userId', type: 'user' },
];

export function addLicenseRoutes(app: App, context: ServerContext): void {
  for (const group of groups) addGroup(app, context, group);
}

function checkHost(context: ServerContext, host: string): Result<null, Refusal> {
  if (context.cache.hosts.size === 0 || context.cache.hosts.has(host)) return ok(null);
  return err({ code: 'host-not-allowed', host });
}

function addGroup(app: App, context: ServerContext, group: (typeof groups)[number]): void {
  const { type, parameter } = group;
  const url = `/v1/licenses/:product/${group.path}/:${parameter}`;
  const params = Type.Object({ product: ProductId, [parameter]: HolderName });
  const nameOf = (found: Record<string, string>): { product: string; type: CalType; holder: string } => ({
    product: found['product'] ?? '',
    type,
    holder: found[parameter] ?? '',
  });
  app.put(
    url,
    {
      config: { refusals: [...refusals] },
      schema: {
        tags: ['Licenses'],
        summary: `Asks for a license for a ${type}, or renews it`,
        params,
        body: RequestBody,
        response: { 200: LicenseSchema, 201: LicenseSchema },
      },
      serializerCompiler: () => String,
    },
    async (request, reply) => {
      const allowed = checkHost(context, request.ip);
      if (!allowed.ok) return sendRefusal(reply, allowed.error);
      const source = request.body?.source;
      const license = await requestLicense(context, {
        ...nameOf(request.params as Record<string, string>),
        source,
      });
      if (!license.ok) return sendRefusal(reply, license.error);
      reply.code(license.value.status === 'issued' ? 201 : 200).type('application/json; charset=utf-8');
      // A text for an object: the serializer of this route passes it through.
      return reply.send(licenseText(license.value) as never);
    },
  );
  app.delete(
    url,
    {
      config: { refusals: ['license-unknown', 'move-open', 'host-not-allowed'] },
      schema: {
        tags: ['Licenses'],
        summary: `Returns the license of a ${type}`,
        params,
        response: { 200: answer({ returned: Type.Boolean(), unit: Type.Integer() }) },
      },
    },
    async (request, reply) => {
      const allowed = checkHost(context, request.ip);
      if (!allowed.ok) return sendRefusal(reply, allowed.error);
      return sendResult(
        reply,
        await returnLicense(context, nameOf(request.params as Record<string, string>)),
      );
    },
  );
  app.post(
    `${url}/validate`,
    {
      config: { refusals: ['license-unknown', 'host-not-allowed'] },
      schema: {
        tags: ['Licenses'],
        summary: `Reports that the ${type} has really signed in`,
        params,
        response: { 200: answer({ validated: Type.Boolean(), expiresAt: Type.String() }) },
      },
    },
    async (request, reply) => {
      const allowed = checkHost(context, request.ip);
      if (!allowed.ok) return sendRefusal(reply, allowed.error);
      return sendResult(
        reply,
        await validateLicense(context, nameOf(request.params as Record<string, string>)),
      );
    },
  );
}
