/**
 * The file in which the client keeps what it was given: for each holder and license server the newest
 * license, so that a token of the old server is still there to be shown to the new one.
 */
import { existsSync } from 'node:fs';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { msOfIso } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import { readCalFooter } from '../protocol/cal-token.ts';
import { readLicenseBundle, verifyLicense } from '../protocol/license-bundle.ts';
import type { Holder } from './license-holder.ts';
import { readTextFile, writeOutFile } from './local-files.ts';

/** What a license server answered, with who asked whom and when. */
export type StoredLicense = JsonObject & {
  readonly product: string;
  readonly type: string;
  readonly holder: string;
  readonly server: string;
  readonly licenseServerId: string;
  readonly obtainedAt: string;
  readonly kind: string;
  readonly token: string;
  readonly expiresAt: string;
  readonly bundle: JsonValue;
};

const fileKind = 'license-store';

function isStored(value: JsonValue): value is StoredLicense {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const license = value as JsonObject;
  return (
    ['product', 'type', 'holder', 'token', 'expiresAt', 'kind', 'licenseServerId'].every(
      (name) => typeof license[name] === 'string',
    ) && license['bundle'] !== undefined
  );
}

function notAStore(path: string, cause?: unknown): Failure {
  return new Failure(`${path} is no license file of this command.`, {
    code: 'license-store-damaged',
    next: 'Name the file that --store wrote, or one that is not there yet. The file was left as it is.',
    details: { file: path },
    cause,
  });
}

/** The licenses in a file; none where there is no file yet. A file of another kind is a `Failure`. */
export function readStore(path: string): readonly StoredLicense[] {
  if (!existsSync(path)) return [];
  let content: JsonValue;
  try {
    content = JSON.parse(readTextFile(path)) as JsonValue;
  } catch (error) {
    if (error instanceof SyntaxError) throw notAStore(path, error);
    throw error;
  }
  const members = content as JsonObject;
  const licenses =
    typeof content === 'object' && members?.['calyx'] === fileKind ? members['licenses'] : undefined;
  if (!Array.isArray(licenses) || !licenses.every(isStored)) throw notAStore(path);
  return licenses;
}

/** Writes the file whole, for its owner only: whoever has a token has the license. */
export function writeStore(path: string, licenses: readonly StoredLicense[]): string {
  return writeOutFile(path, `${JSON.stringify({ calyx: fileKind, v: 1, licenses }, null, 2)}\n`, 0o600);
}

const isOf = (holder: Holder) => (license: StoredLicense) =>
  license.product === holder.product && license.type === holder.type && license.holder === holder.name;

/** Whether a license verifies with its own bundle now. */
function isGood(license: StoredLicense, nowMs: number): boolean {
  if ((msOfIso(license.expiresAt) ?? 0) <= nowMs) return false;
  const bundle = readLicenseBundle(license.bundle);
  if (!bundle.ok) return false;
  const shown = { token: license.token, bundle: bundle.value, root: undefined, nowMs, digest: nodeDigest };
  return verifyLicense(shown).ok;
}

/** The holder's licenses that are good now: permanent ones first, the newest of them first. */
export function goodLicenses(licenses: readonly StoredLicense[], holder: Holder): readonly StoredLicense[] {
  const nowMs = systemClock.nowMs();
  const rank = (license: StoredLicense): string =>
    `${license.kind === 'permanent' ? 1 : 0}${license.obtainedAt}`;
  return licenses
    .filter(isOf(holder))
    .filter((license) => isGood(license, nowMs))
    .toReversed()
    .toSorted((one, other) => rank(other).localeCompare(rank(one)));
}

/** The store with a license in it: it takes the place of the same server's, and of those that have ended. */
export function withLicense(
  licenses: readonly StoredLicense[],
  holder: Holder,
  license: StoredLicense,
): readonly StoredLicense[] {
  const own = isOf(holder);
  const nowMs = systemClock.nowMs();
  const kept = licenses.filter(
    (each) =>
      !own(each) ||
      (each.licenseServerId !== license.licenseServerId && (msOfIso(each.expiresAt) ?? 0) > nowMs),
  );
  return [...kept, license];
}

/** The store without what the holder had from one license server. */
export function withoutLicense(
  licenses: readonly StoredLicense[],
  holder: Holder,
  licenseServerId: string,
): readonly StoredLicense[] {
  const own = isOf(holder);
  return licenses.filter((each) => !own(each) || each.licenseServerId !== licenseServerId);
}

/** The License Server ID that a token names. */
export function issuerOf(token: string): string {
  return readCalFooter(token)?.kid ?? '';
}
