/** License requests of clients and session hosts (docs/http.md, 2): open, or limited to listed hosts. */
import type { TObject } from 'typebox';
import Type from 'typebox';
import type { CalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { App } from '../../platform/http.ts';
import { sendRefusal, sendResult } from '../../platform/http-problem.ts';
import { AnyItem, answer, ProductId } from '../../platform/http-schemas.ts';
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
  bundle: AnyItem,
  referral: Type.Optional(
    Type.String({ description: 'Signed: the CAL is going to another license server, or has gone there' }),
  ),
});

const refusals = [
  'none-available',
  'product-not-installed',
  'temporary-used-up',
  'temporary-cap',
  'horizon-passed',
  'clock-behind',
  'not-activated',
  'deactivated',
  'license-moved',
  'host-not-allowed',
  'source-token-invalid',
] as const;

/**
 * The answer as text. The bundle, several kilobytes that are the same for everybody, is kept as JSON
 * and put in as it is: serializing it anew was a third of the time of an unchanged answer. Of the rest
 * only what comes from elsewhere needs escaping; a token and a time are plain by their making.
 */
function licenseText(license: LicenseAnswer): string {
  const { status, kind, product, type, unit, origin, token, expiresAt, bundleText, referral } = license;
  const what = `"status":"${status}","kind":"${kind}","product":${JSON.stringify(product)},"type":"${type}"`;
  const which = `"unit":${unit},"origin":${JSON.stringify(origin)}`;
  const referred = referral === null ? '' : `,"referral":"${referral}"`;
  return `{${what},${which},"token":"${token}","expiresAt":"${expiresAt}","bundle":${bundleText}${referred}}`;
}

const groups: readonly { readonly path: string; readonly parameter: string; readonly type: CalType }[] = [
  { path: 'devices', parameter: 'deviceId', type: 'device' },
  { path: 'users', parameter: 'userId', type: 'user' },
];

export function addLicenseRoutes(app: App, context: ServerContext): void {
  for (const each of groups) {
    const group = groupOf(each);
    addRequest(app, context, group);
    addReturn(app, context, group);
    addValidate(app, context, group);
  }
}

/** Where both families are listened to, an IPv4 address comes as `::ffff:10.0.0.7`. */
const mapped = /^::ffff:(?=\d+\.)/i;

function checkHost(context: ServerContext, address: string): Result<null, Refusal> {
  const host = address.replace(mapped, '');
  if (context.cache.hosts.size === 0 || context.cache.hosts.has(host)) return ok(null);
  return err({ code: 'host-not-allowed', host });
}

/** What the routes of devices and of users have in common. */
interface Group {
  readonly type: CalType;
  readonly url: string;
  readonly params: TObject;
  readonly nameOf: (params: unknown) => { product: string; type: CalType; holder: string };
}

function groupOf({ path, parameter, type }: (typeof groups)[number]): Group {
  return {
    type,
    url: `/v1/licenses/:product/${path}/:${parameter}`,
    params: Type.Object({ product: ProductId, [parameter]: HolderName }),
    nameOf: (params) => {
      const found = params as Readonly<Record<string, string>>;
      return { product: found['product'] ?? '', type, holder: found[parameter] ?? '' };
    },
  };
}

function addRequest(app: App, context: ServerContext, { type, url, params, nameOf }: Group): void {
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
      const license = await requestLicense(context, {
        ...nameOf(request.params),
        source: request.body?.source,
      });
      if (!license.ok) return sendRefusal(reply, license.error);
      reply.code(license.value.status === 'issued' ? 201 : 200).type('application/json; charset=utf-8');
      // A text for an object: the serializer of this route passes it through.
      return reply.send(licenseText(license.value) as never);
    },
  );
}

function addReturn(app: App, context: ServerContext, { type, url, params, nameOf }: Group): void {
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
      return sendResult(reply, await returnLicense(context, nameOf(request.params)));
    },
  );
}

function addValidate(app: App, context: ServerContext, { type, url, params, nameOf }: Group): void {
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
      return sendResult(reply, await validateLicense(context, nameOf(request.params)));
    },
  );
}
