/** Codes that were read out and are typed here: looked at, asked about where they bring CALs, applied. */
import type { Code, CodeKind } from '../core/code.ts';
import { expectKind, parseCode } from '../core/code.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import { cals } from '../protocol/problem-words.ts';
import type { ApiClient } from './client.ts';
import type { Cli } from './main.ts';
import { must } from './outcome.ts';
import type { CodeOutcome } from './server-answers.ts';

export interface TypedCode {
  readonly code: string;
  readonly quantity?: number | undefined;
  /** As `--from` has it. */
  readonly from?: string | undefined;
  /** Of an activation code: why the server is activated again. */
  readonly reason?: string | undefined;
}

/** A source, as `--from A,B` names it, and behind it servers that CALs had come to it from. */
export interface Sources {
  readonly from: string;
  readonly alsoFrom?: readonly string[];
}

export function sourcesOf(typed: string): Sources {
  const [from = '', ...alsoFrom] = typed.split(',').map((each) => each.trim());
  return alsoFrom.length === 0 ? { from } : { from, alsoFrom };
}

/** What `--from` is for, the same wherever a code is typed. */
export const fromHelp =
  'License Server ID of the server that a held key pack comes from; with commas, further ones that the old server names';

/**
 * What a typed code says by itself; undefined where it cannot be read, which the server tells in full.
 * Refused: `code-wrong-kind`, so that no command does what another one was meant to do.
 */
export function readTyped(text: string, kinds: readonly CodeKind[]): Code | undefined {
  const code = parseCode(nodeDigest, text);
  if (!code.ok) return undefined;
  return must(expectKind(code.value, kinds));
}

/** The code, the quantity and the source, as the route takes them. */
async function post(api: ApiClient, typed: TypedCode, confirmed: boolean): Promise<CodeOutcome> {
  const { code, quantity, from, reason } = typed;
  const body = {
    ...{ code, confirmed },
    ...(quantity === undefined ? {} : { quantity }),
    ...(from === undefined ? {} : sourcesOf(from)),
    ...(reason === undefined ? {} : { reason }),
  };
  return api.call<CodeOutcome>('POST', '/v1/admin/codes', { body });
}

/** Applies a code that brings no CALs: nothing is to be asked. */
export async function applyTyped(
  api: ApiClient,
  code: string,
  more: Pick<TypedCode, 'reason'> = {},
): Promise<CodeOutcome> {
  return post(api, { code, ...more }, true);
}

/** Says what a key pack would add, asks, and installs it. Declined: a `Failure`, and nothing is changed. */
export async function installTyped(cli: Cli, api: ApiClient, typed: TypedCode): Promise<CodeOutcome> {
  const { added = 0, installed = 0, product, productName, type, agreement } = await post(api, typed, false);
  const { quantity } = typed;
  const differs =
    quantity === undefined || quantity === added
      ? ''
      : ` You said ${quantity}, but the code brings ${added}.`;
  cli.output.note(`${productName} (${product}), per ${type}, agreement ${agreement}.${differs}`);
  if (!(await cli.confirm(`+${added} → total ${installed}. Install?`))) {
    throw new Failure(`The key pack of ${cals(added)} was not installed. Nothing was changed.`, {
      code: 'declined',
      next: 'Run the same command again when you are sure: the code stays good.',
      details: { added, total: installed },
    });
  }
  return post(api, typed, true);
}
