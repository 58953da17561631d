/**
 * The OpenAPI document as a page for people: routes by group, parameters, bodies, answers, refusals.
 * Plain HTML with one style sheet, no script; everything from the document is escaped.
 */

import { escapeHtml } from './html.ts';

export type OpenApiSchema = { [key: string]: unknown };

interface OpenApiMedia {
  schema?: OpenApiSchema;
}

interface OpenApiParameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: OpenApiSchema;
}

export interface OpenApiOperation {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly OpenApiParameter[];
  requestBody?: { required?: boolean; readonly content?: Record<string, OpenApiMedia> };
  readonly responses?: Readonly<
    Record<string, { readonly description?: string; readonly content?: Record<string, OpenApiMedia> }>
  >;
  readonly 'x-refusals'?: readonly string[];
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
}

export const docsStyle = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { background: var(--soft); padding: 0.6rem 0.8rem; overflow-x: auto; border-radius: 4px; }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: 0.5rem; }
h3 { margin: 0.3rem 0; overflow-wrap: anywhere; }
h3 b { display: inline-block; min-width: 4.5rem; }
h4 { margin: 0.8rem 0 0.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid var(--line); }
nav li { overflow-wrap: anywhere; }
`;

const idOf = (method: string, path: string): string => `${method}${path.replace(/[^a-z0-9]+/gi, '-')}`;

/** A schema in the words of TypeScript, indented. */
function typeText(schema: OpenApiSchema | undefined, indent = ''): string {
  if (schema === undefined || Object.keys(schema).length === 0) return 'any';
  if (typeof schema['$ref'] === 'string') return schema['$ref'].split('/').at(-1) ?? 'any';
  if ('const' in schema) return JSON.stringify(schema['const']);
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => JSON.stringify(value)).join(' | ');
  const union = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(union))
    return union.map((member) => typeText(member as OpenApiSchema, indent)).join(' | ');
  if (schema['type'] === 'array')
    return `list of ${typeText(schema['items'] as OpenApiSchema | undefined, indent)}`;
  if (schema['type'] === 'object') return objectText(schema, indent);
  return `${[schema['type'] ?? 'any'].flat().join(' | ')}${boundsText(schema)}`;
}

function objectText(schema: OpenApiSchema, indent: string): string {
  const properties = Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, OpenApiSchema>>);
  if (properties.length === 0) return 'object';
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : []);
  const lines = properties.map(([name, property]) => {
    const note = typeof property['description'] === 'string' ? `  // ${property['description']}` : '';
    return `${indent}  ${name}${required.has(name) ? '' : '?'}: ${typeText(property, `${indent}  `)}${note}`;
  });
  return ['{', ...lines, `${indent}}`].join('\n');
}

function boundsText(schema: OpenApiSchema): string {
  const low = (schema['minLength'] ?? schema['minimum']) as number | undefined;
  const high = (schema['maxLength'] ?? schema['maximum']) as number | undefined;
  const unit = schema['type'] === 'string' ? ' characters' : '';
  if (low !== undefined && high !== undefined) return ` (${low} to ${high}${unit})`;
  if (low !== undefined) return ` (from ${low}${unit})`;
  return high === undefined ? '' : ` (at most ${high}${unit})`;
}

function parametersHtml(parameters: readonly OpenApiParameter[]): string {
  if (parameters.length === 0) return '';
  const rows = parameters.map((parameter) => {
    const need = parameter.required === true ? 'required' : 'optional';
    const cells = [
      `<code>${escapeHtml(parameter.name)}</code>`,
      escapeHtml(`${parameter.in}, ${need}`),
      `<code>${escapeHtml(typeText(parameter.schema))}</code>`,
      escapeHtml(parameter.description ?? ''),
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  return `<h4>Parameters</h4><table><tr><th>Name</th><th>Where</th><th>Form</th><th></th></tr>${rows.join('')}</table>`;
}

function contentHtml(content: Record<string, OpenApiMedia> | undefined): string {
  return Object.entries(content ?? {})
    .map(
      ([mediaType, media]) =>
        `<p><code>${escapeHtml(mediaType)}</code></p><pre>${escapeHtml(typeText(media.schema))}</pre>`,
    )
    .join('');
}

function operationHtml(method: string, path: string, operation: OpenApiOperation): string {
  const body = operation.requestBody;
  const responses = Object.entries(operation.responses ?? {})
    // The problem details are the same everywhere and explained once, above.
    .filter(([status]) => status !== '4XX')
    .map(
      ([status, response]) =>
        `<h4>${status} ${escapeHtml(response.description ?? '')}</h4>${contentHtml(response.content)}`,
    );
  const refusals = operation['x-refusals'] ?? [];
  const codes = refusals.map((code) => `<code>${escapeHtml(code)}</code>`).join(', ');
  return [
    `<section id="${idOf(method, path)}"><h3><b>${method.toUpperCase()}</b> <code>${escapeHtml(path)}</code></h3>`,
    operation.summary === undefined ? '' : `<p>${escapeHtml(operation.summary)}</p>`,
    operation.description === undefined ? '' : `<p>${escapeHtml(operation.description)}</p>`,
    operation.security === undefined ? '' : '<p>Needs the administrator’s token.</p>',
    parametersHtml(operation.parameters ?? []),
    body === undefined
      ? ''
      : `<h4>Body${body.required === false ? ' (may be missing)' : ''}</h4>${contentHtml(body.content)}`,
    ...responses,
    codes === '' ? '' : `<h4>Refusals</h4><p>${codes}</p>`,
    '</section>',
  ].join('');
}

/** The routes by their first tag, in the order in which they were added. */
function groupsOf(document: OpenApiDocument): Map<string, [string, string, OpenApiOperation][]> {
  const groups = new Map<string, [string, string, OpenApiOperation][]>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const group = operation.tags?.[0] ?? 'Other';
      groups.set(group, [...(groups.get(group) ?? []), [method, path, operation]]);
    }
  }
  return groups;
}

/** The whole page. */
export function docsPage(document: OpenApiDocument): string {
  const { title, version, description } = document.info;
  const groups = groupsOf(document);
  const index = [...groups].map(([group, operations]) => {
    const items = operations.map(
      ([method, path]) =>
        `<li><a href="#${idOf(method, path)}">${method.toUpperCase()} <code>${escapeHtml(path)}</code></a></li>`,
    );
    return `<h3>${escapeHtml(group)}</h3><ul>${items.join('')}</ul>`;
  });
  const sections = [...groups].map(
    ([group, operations]) =>
      `<h2>${escapeHtml(group)}</h2>${operations.map(([method, path, operation]) => operationHtml(method, path, operation)).join('')}`,
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}</title><style>${docsStyle}</style></head><body>`,
    `<h1>${escapeHtml(title)} ${escapeHtml(version)}</h1>`,
    description === undefined ? '' : `<p>${escapeHtml(description)}</p>`,
    '<p>Every refusal is <code>application/problem+json</code> (RFC 9457) with a stable <code>code</code>, plain words in ',
    '<code>detail</code>, the numbers in <code>details</code> and the next step in <code>next</code>. Writes accept an ',
    '<code>Idempotency-Key</code>. The same as a document for programs: <a href="/openapi.json">/openapi.json</a>.</p>',
    `<nav>${index.join('')}</nav>${sections.join('')}</body></html>`,
  ].join('');
}
