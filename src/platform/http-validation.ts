/**
 * Validation of requests by compiled TypeBox schemas: the same schemas give the types and the
 * OpenAPI document. Bodies are taken as they are; path, query and header values are text, and only
 * there a number or a boolean is read from it.
 */
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema, TUnion } from 'typebox';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { InvalidInput } from './http-problem.ts';

/** A body that may be missing; the handler sees null or undefined then. */
export function optionalBody<Schema extends TSchema>(
  schema: Schema,
): TUnion<[Schema, ReturnType<typeof Type.Null>]> {
  return Type.Union([schema, Type.Null()], { 'x-optional': true });
}

/** The text of a request parameter: 1 to `most` characters, no control characters. */
export function text(most: number, description?: string): ReturnType<typeof Type.String> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: keeping them out is the point.
  const pattern = /^[^\u0000-\u001f\u007f]*$/.source;
  return Type.String({
    minLength: 1,
    maxLength: most,
    pattern,
    ...(description === undefined ? {} : { description }),
  });
}

/** Where every property is text there is nothing to convert: the hot path pays for the check only. */
function hasOnlyText(schema: TSchema): boolean {
  const properties = (
    schema as {
      readonly properties?: Readonly<Record<string, { readonly type?: unknown; readonly default?: unknown }>>;
    }
  ).properties;
  return (
    properties !== undefined &&
    Object.values(properties).every(
      (property) => property.type === 'string' && property.default === undefined,
    )
  );
}

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

const partNames: Readonly<Record<string, string>> = {
  body: 'body',
  params: 'path',
  querystring: 'query',
  headers: 'header',
};

/** `body.lines[0].quantity`, as people write it. */
function fieldName(part: string, pointer: string, property?: string): string {
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (property !== undefined) steps.push(property);
  const path = steps.map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`)).join('');
  return `${partNames[part] ?? part}${path}`;
}

function listOf(params: object, key: string): readonly string[] {
  const value = (params as Readonly<Record<string, unknown>>)[key];
  return Array.isArray(value) ? value.map(String) : [];
}

/** What is wrong and where. An unexpected or missing property is the likeliest mistake and told first. */
function explain(part: string, errors: readonly SchemaError[]): InvalidInput {
  const extra = errors.find((error) => error.keyword === 'additionalProperties');
  if (extra !== undefined) {
    const property = listOf(extra.params, 'additionalProperties')[0];
    return new InvalidInput(fieldName(part, extra.instancePath, property), 'is not expected here');
  }
  const first = errors[0];
  if (first === undefined)
    return new InvalidInput(partNames[part] ?? part, 'does not have the expected form');
  if (first.keyword === 'required') {
    const property = listOf(first.params, 'requiredProperties')[0];
    return new InvalidInput(fieldName(part, first.instancePath, property), 'is missing');
  }
  const choices = errors
    .filter((error) => error.keyword === 'const' && error.instancePath === first.instancePath)
    .map((error) => String((error.params as { readonly allowedValue?: unknown }).allowedValue));
  const problem = choices.length > 0 ? `must be ${choices.join(' or ')}` : first.message;
  return new InvalidInput(fieldName(part, first.instancePath), problem);
}

/** Fastify's validator compiler. The first error is told: correcting one thing at a time is enough. */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  const part = httpPart ?? 'body';
  const convert = part !== 'body' && !hasOnlyText(schema);
  return (value: unknown) => {
    const input = convert ? Value.Convert(schema, Value.Default(schema, Value.Clone(value))) : value;
    if (validator.Check(input)) return { value: input };
    return { error: explain(part, validator.Errors(input)) };
  };
};
