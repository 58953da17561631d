/** `calyx license request`: asks for a license as a session host does, and keeps what it is given. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import { isoTime } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import { when } from '../protocol/problem-words.ts';
import { parseBaseUrl } from './client-http.ts';
import { commandLine } from './command-words.ts';
import type { License, Obtained } from './license-follow.ts';
import { obtainLicense, viaOf } from './license-follow.ts';
import type { Holder, HolderOptions } from './license-holder.ts';
import { holderOf, withHolderOptions } from './license-holder.ts';
import type { StoredLicense } from './license-store.ts';
import { goodLicenses, issuerOf, readStore, withLicense, writeStore } from './license-store.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused, Unreachable } from './outcome.ts';
import type { Page } from './page.ts';

interface RequestOptions extends HolderOptions {
  readonly store?: string;
}

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

/** Unreachable is not invalid: what is still good goes on being good (protocol §1.1, promise 5). */
function offline(license: StoredLicense, error: Unreachable, asked: Asked): Outcome {
  const fields = { ...license, status: 'unchanged', offline: true, problem: error.message };
  return done(fields, (page) => {
    page.text(`${error.message} The license in hand stays valid until it ends.`);
    showLicense(page, { ...license, status: 'unchanged' } as unknown as License, asked);
  });
}

/** The addresses of `--server`, in their order. */
function serversOf(text: string): readonly string[] {
  const servers = text.split(',').map((each) => each.trim().replace(/\/$/, ''));
  return [...new Set(servers)].map((each) => {
    parseBaseUrl(each);
    return each;
  });
}

/** Why the client stays where it is though it was referred to another server. */
function problemFields(problem: Obtained['problem']): JsonObject {
  if (problem === null) return {};
  const code = problem instanceof Refused ? problem.refused.code : 'unreachable';
  return { referralProblem: { code, message: problem.message } };
}

/** The license as the store keeps it, under the holder's own words. */
function storedOf({ license, server, via }: Obtained, holder: Holder): StoredLicense {
  const { referral: _, ...kept } = license;
  return {
    ...kept,
    // The holder's own words: a newer CAL may have been given for an older product.
    ...{ product: holder.product, type: holder.type, holder: holder.name, server, via },
    ...{ kind: license.kind, token: license.token, expiresAt: license.expiresAt, bundle: license.bundle },
    ...{ licenseServerId: issuerOf(license.token), obtainedAt: isoTime(systemClock.nowMs()) },
    ...(license.product === holder.product ? {} : { calOf: license.product }),
  };
}

async function request(cli: Cli, options: RequestOptions): Promise<Outcome> {
  const holder = holderOf(options);
  const servers = serversOf(options.server);
  const store = options.store === undefined ? [] : readStore(options.store);
  const good = goodLicenses(store, holder);
  let obtained: Obtained;
  try {
    obtained = await obtainLicense({ cli, holder, servers, good });
  } catch (error) {
    const [newest] = good;
    if (newest === undefined) throw error;
    if (error instanceof Unreachable) return offline(newest, error, { holder, options, file: options.store });
    if (error instanceof Refused)
      cli.output.note(`The license in ${options.store} is valid until ${when(newest.expiresAt)}.`);
    throw error;
  }
  // Where it was led once, it goes first from now on, from whichever of those addresses it starts.
  const before = good.filter((each) => each.licenseServerId === issuerOf(obtained.license.token));
  const ways = new Set([...before.flatMap(viaOf), ...obtained.via]);
  obtained = { ...obtained, via: [...ways].filter((url) => url !== obtained.server) };
  const { license, server, via, problem } = obtained;
  if (problem !== null) cli.output.note(`Not sent on to another license server: ${problem.message}`);
  const fields = { ...license, offline: false, server, via, ...problemFields(problem) };
  const shown = { holder, options: { ...options, server } };
  if (options.store === undefined) {
    return done(fields, (page) => showLicense(page, license, { ...shown, file: undefined }));
  }
  const file = writeStore(options.store, withLicense(store, holder, storedOf(obtained, holder)));
  return done({ ...fields, store: file }, (page) => showLicense(page, license, { ...shown, file }));
}

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('request')
    .summary('asks for a license, or renews it')
    .description(
      'Asks a license server for a license, as a session host does for its client; of several (--server URL,URL) the ' +
        'first that answers. Sent on to another one after a move, it goes there, and remembers it. With --store it ' +
        'keeps the answer, shows another license server what it has from the old one, and goes on with it while no ' +
        'server is reached.',
    );
  withHolderOptions(command)
    .option('--store <file>', 'keep the license in this file')
    .action(cli.run(async (options: RequestOptions) => request(cli, options)));
}
