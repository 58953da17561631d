/** `calyx license show`: decodes a license and verifies it offline, from the publisher's root down. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { isoDate } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import { readCalFooter } from '../protocol/cal-token.ts';
import type { VerifiedLicense } from '../protocol/license-bundle.ts';
import { readLicenseBundle, verifyLicense } from '../protocol/license-bundle.ts';
import { readPayload } from '../protocol/paseto.ts';
import { refusedBody } from '../protocol/problem.ts';
import { when } from '../protocol/problem-words.ts';
import { readTextFile } from './local-files.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused } from './outcome.ts';
import type { Cell, Page } from './page.ts';
import { readRoot } from './root-key.ts';

interface ShowOptions {
  readonly root?: string;
  readonly bundle?: string;
}

interface Found {
  readonly token: string;
  readonly bundle: JsonValue | undefined;
  /** The holder's name, which the token itself does not tell. */
  readonly holder: string | null;
}

const isToken = (text: string): boolean => /^v4\.public\.[A-Za-z0-9_.-]+$/.test(text);

const objectOf = (value: JsonValue | undefined): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};

function parseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** The tokens in what was named: a token itself, or a file with one, with an answer, or with a store. */
function findLicenses(source: string): readonly Found[] {
  if (isToken(source)) return [{ token: source, bundle: undefined, holder: null }];
  if (!existsSync(source) && source.startsWith('v4.'))
    throw noLicense(source, 'The token was cut short or altered.');
  const text = readTextFile(source).trim();
  if (isToken(text)) return [{ token: text, bundle: undefined, holder: null }];
  const members = objectOf(parseJson(text));
  const list = members['licenses'];
  const found = (Array.isArray(list) ? list : [members]).map(objectOf).flatMap((each): Found[] => {
    const { token, bundle, holder } = each;
    if (typeof token !== 'string') return [];
    return [{ token, bundle, holder: typeof holder === 'string' ? holder : null }];
  });
  if (found.length === 0) throw noLicense(source, 'It holds no license.');
  return found;
}

function noLicense(source: string, why: string): Failure {
  const name = source.length > 60 ? `${source.slice(0, 57)}…` : source;
  return new Failure(`${name} is no license. ${why}`, {
    code: 'license-unreadable',
    next: 'Name a token, the file of license request --store, or a file with the answer of license request --json.',
  });
}

/** The bundle in a file: alone, in an answer, or in a store beside a token of the same license server. */
function bundleFor(content: JsonValue | undefined, token: string): JsonValue | undefined {
  const members = objectOf(content);
  const list = members['licenses'];
  if (!Array.isArray(list)) return members['bundle'] ?? content;
  const issuer = readCalFooter(token)?.kid;
  const from = list.map(objectOf).find((each) => readCalFooter(String(each['token']))?.kid === issuer);
  return from?.['bundle'];
}

interface Verdict {
  readonly license: Found;
  readonly claims: JsonObject;
  /** undefined: there was nothing to verify it with. */
  readonly verified: VerifiedLicense | undefined;
  readonly problem: { readonly reason: string; readonly detail: string } | undefined;
}

function judge(license: Found, root: Uint8Array | undefined): Verdict {
  const claims = readPayload(license.token);
  if (claims === undefined || readCalFooter(license.token) === undefined) {
    throw noLicense(license.token, 'The token was cut short or altered.');
  }
  if (license.bundle === undefined) return { license, claims, verified: undefined, problem: undefined };
  const bundle = readLicenseBundle(license.bundle);
  if (!bundle.ok) {
    const detail = refusedBody(bundle.error).message;
    return { license, claims, verified: undefined, problem: { reason: 'bundle-unreadable', detail } };
  }
  const nowMs = systemClock.nowMs();
  const verified = verifyLicense({
    token: license.token,
    bundle: bundle.value,
    root,
    nowMs,
    digest: nodeDigest,
  });
  return verified.ok
    ? { license, claims, verified: verified.value, problem: undefined }
    : { license, claims, verified: undefined, problem: verified.error };
}

function fieldsOf({ license, claims, verified, problem }: Verdict): JsonObject {
  const proof = verified?.proof ?? null;
  return {
    ...{ valid: verified !== undefined, verified: verified !== undefined || problem !== undefined },
    ...(problem === undefined ? {} : { reason: problem.reason, detail: problem.detail }),
    ...{ holder: license.holder, claims, rootPinned: verified?.rootPinned ?? false },
    proof:
      proof === null
        ? null
        : {
            ...{
              publisher: proof.publisher,
              agreement: proof.agreement,
              basis: proof.basis,
              units: proof.units,
            },
            ...{ horizon: isoDate(proof.horizonMs), sunset: isoDate(proof.sunsetMs) },
          },
  };
}

const text = (value: JsonValue | undefined): Cell =>
  value === undefined || value === null ? null : String(value);

function verdictText({ verified, problem }: Verdict): string {
  if (problem !== undefined) return `NOT VALID: ${problem.detail} (${problem.reason})`;
  if (verified === undefined) return 'not verified: there is no bundle beside it (--bundle FILE)';
  if (verified.proof === null)
    return 'valid; a temporary license, which its license server alone vouches for';
  return verified.rootPinned
    ? "valid, up to the publisher's root key"
    : 'valid in itself; name the root key with --root to know that it is from the right publisher';
}

function showVerdict(page: Page, verdict: Verdict): void {
  const { claims, license, verified } = verdict;
  const proof = verified?.proof ?? null;
  const time = (name: string): Cell => (typeof claims[name] === 'string' ? when(claims[name]) : null);
  page
    .title(`License for ${text(claims['prod'])}${license.holder === null ? '' : ` of ${license.holder}`}`)
    .keyValues([
      ['Verdict', verdictText(verdict)],
      ['Kind', claims['kind'] === 'temp' ? 'temporary' : `permanent, per ${text(claims['kind'])}`],
      ['License server', text(claims['iss'])],
      ['Unit', text(claims['unit'])],
      ['First issued as', text(claims['origin'])],
      ['Holder (pseudonym)', text(claims['sub'])],
      ['Issued', time('iat')],
      ['Ends', time('exp')],
    ]);
  if (proof === null) return;
  page.keyValues([
    ['Publisher', proof.publisher],
    ['Agreement', proof.agreement],
    ['Units granted', `${proof.units} on this server, as far as was shown`],
    ['Horizon', isoDate(proof.horizonMs)],
  ]);
}

function show(source: string, options: ShowOptions): Outcome {
  const root = options.root === undefined ? undefined : readRoot(options.root);
  const given = options.bundle === undefined ? undefined : parseJson(readTextFile(options.bundle));
  const verdicts = findLicenses(source).map((license) =>
    judge({ ...license, bundle: license.bundle ?? bundleFor(given, license.token) }, root),
  );
  const bad = verdicts.find((verdict) => verdict.problem !== undefined);
  if (verdicts.length === 1 && bad?.problem !== undefined) {
    throw new Refused({
      ...{
        code: 'license-not-valid',
        message: `The license is not valid: ${bad.problem.detail} (${bad.problem.reason}).`,
      },
      ...{ next: 'Ask a license server for one: calyx license request.', ...fieldsOf(bad) },
    });
  }
  const newest = verdicts.at(-1);
  const fields = { ...(newest === undefined ? {} : fieldsOf(newest)), licenses: verdicts.map(fieldsOf) };
  return done(fields, (page) => {
    for (const verdict of verdicts) showVerdict(page, verdict);
  });
}

export function register(group: Command, cli: Cli): void {
  group
    .command('show')
    .summary('decodes a license and verifies it offline')
    .description(
      "Decodes a license and verifies it without asking anybody, from the publisher's root key down.",
    )
    .argument('<file-or-token>', 'a token, or a file with one')
    .option('--root <file>', "the publisher's bundle, or its public root key")
    .option('--bundle <file>', 'what verifies the token, where it does not stand beside it')
    .action(cli.run(async (source: string, options: ShowOptions) => show(source, options)));
}
