/** `calyx license request`: asks for a license as a session host does, and keeps what it is given. */
import type { Command } from 'commander';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { isoTime } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import type { ApiClient } from './client.ts';
import { commandLine } from './command-words.ts';
import type { Holder, HolderOptions } from './license-holder.ts';
import { holderOf, licensePath, patienceMs, withHolderOptions, withLicenseServer } from './license-holder.ts';
import type { StoredLicense } from './license-store.ts';
import { goodLicenses, issuerOf, readStore, withLicense, writeStore } from './license-store.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused, Unreachable } from './outcome.ts';
import type { Page } from './page.ts';
import { when } from './server-words.ts';

interface RequestOptions extends HolderOptions {
  readonly store?: string;
}

type License = JsonObject & {
  readonly status: 'issued' | 'renewed' | 'unchanged';
  readonly kind: 'temporary' | 'permanent';
  readonly product: string;
  readonly type: string;
  readonly unit: number | null;
  readonly origin: string | null;
  readonly token: string;
  readonly expiresAt: string;
  readonly bundle: JsonValue;
};

const statuses: Readonly<Record<License['status'], string>> = {
  issued: 'issued now',
  renewed: 'renewed now',
  unchanged: 'unchanged: the one it had is still fresh',
};

interface Asked {
  readonly holder: Holder;
  readonly options: RequestOptions;
  /** Where it is kept, where it is. */
  readonly file: string | undefined;
}

function showLicense(page: Page, license: License, { holder, options, file }: Asked): void {
  const temporary = license.kind === 'temporary';
  page
    .title(
      `${holder.type === 'user' ? 'User' : 'Device'} ${holder.name} has a ${license.kind} license for ${holder.product}.`,
    )
    .keyValues([
      ['Status', statuses[license.status]],
      ...(license.product === holder.product ? [] : ([['CAL of', license.product]] as const)),
      ...(temporary
        ? []
        : ([
            ['Unit', license.unit],
            ['First issued as', license.origin],
          ] as const)),
      ['Ends', when(license.expiresAt)],
      ...(file === undefined ? [] : ([['Kept in', file]] as const)),
    ]);
  if (temporary) {
    const words = ['--server', options.server, '--product', holder.product, '--device', holder.name];
    page
      .next(
        'Report a real sign-in of the device; the next request is then answered with a permanent license:',
      )
      .verbatim(commandLine('calyx', 'license', 'validate', ...words));
  } else if (file !== undefined) {
    page.next('Look at it offline:').verbatim(commandLine('calyx', 'license', 'show', file));
  }
}

/** The license of another server that is shown to this one, to be taken over; undefined: there is none. */
async function sourceFor(
  api: ApiClient,
  stored: readonly StoredLicense[],
): Promise<StoredLicense | undefined> {
  const [newest] = stored.filter((license) => license.kind === 'permanent');
  if (newest === undefined) return undefined;
  const { licenseServerId } = await api.call<{ licenseServerId: string }>('GET', '/v1/server', {
    timeoutMs: patienceMs,
  });
  return issuerOf(newest.token) === licenseServerId ? undefined : newest;
}

async function ask(api: ApiClient, holder: Holder, stored: readonly StoredLicense[]): Promise<License> {
  const source = await sourceFor(api, stored);
  const body = source === undefined ? undefined : { source: { token: source.token, bundle: source.bundle } };
  return api.call<License>('PUT', licensePath(holder), {
    ...(body === undefined ? {} : { body }),
    timeoutMs: patienceMs,
  });
}

/** Unreachable is not invalid: what is still good goes on being good (protocol §1.1, promise 5). */
function offline(license: StoredLicense, error: Unreachable, asked: Asked): Outcome {
  const fields = { ...license, status: 'unchanged', offline: true, problem: error.message };
  return done(fields, (page) => {
    page.text(`${error.message} The license in hand stays valid until it ends.`);
    showLicense(page, { ...license, status: 'unchanged' } as unknown as License, asked);
  });
}

async function request(cli: Cli, options: RequestOptions): Promise<Outcome> {
  const holder = holderOf(options);
  const store = options.store === undefined ? [] : readStore(options.store);
  const good = goodLicenses(store, holder);
  let license: License;
  try {
    license = await withLicenseServer(cli, options.server, (api) => ask(api, holder, good));
  } catch (error) {
    const [newest] = good;
    if (newest === undefined) throw error;
    if (error instanceof Unreachable) return offline(newest, error, { holder, options, file: options.store });
    if (error instanceof Refused)
      cli.output.note(`The license in ${options.store} is valid until ${when(newest.expiresAt)}.`);
    throw error;
  }
  const fields = { ...license, offline: false };
  if (options.store === undefined) {
    return done(fields, (page) => showLicense(page, license, { holder, options, file: undefined }));
  }
  const kept: StoredLicense = {
    ...license,
    // The holder's own words: a newer CAL may have been given for an older product.
    ...{ product: holder.product, type: holder.type, holder: holder.name, server: options.server },
    ...{ licenseServerId: issuerOf(license.token), obtainedAt: isoTime(systemClock.nowMs()) },
    ...(license.product === holder.product ? {} : { calOf: license.product }),
  };
  const file = writeStore(options.store, withLicense(store, holder, kept));
  return done({ ...fields, store: file }, (page) => showLicense(page, license, { holder, options, file }));
}

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('request')
    .summary('asks for a license, or renews it')
    .description(
      'Asks a license server for a license, as a session host does for its client. With --store it keeps the answer, ' +
        'shows another license server what it has from the old one, and goes on with it while no server is reached.',
    );
  withHolderOptions(command)
    .option('--store <file>', 'keep the license in this file')
    .action(cli.run(async (options: RequestOptions) => request(cli, options)));
}
