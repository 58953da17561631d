/** The clearinghouse, wired: data folder → keys, store, context → routes. And its making (`init`). */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { addBackupRoutes } from '../backup/backup-routes.ts';
import { Backups } from '../backup/backups.ts';
import { readParts } from '../backup/kept-backups.ts';
import { base64url } from '../core/bytes.ts';
import { ok } from '../core/result.ts';
import { dayMs, isoTime } from '../core/time.ts';
import { writeFileAtomic } from '../platform/atomic-file.ts';
import type { Clock } from '../platform/clock.ts';
import { systemClock } from '../platform/clock.ts';
import { adminTokenFile, beginDataFolder } from '../platform/data-folder.ts';
import { nodeDigest } from '../platform/digest.ts';
import { openSettled } from '../platform/folder-swap.ts';
import type { App, HttpOptions } from '../platform/http.ts';
import { buildHttp } from '../platform/http.ts';
import {
  instanceSealBox,
  openInstanceSecret,
  readSealedFile,
  sealingKey,
  writeKeyFile,
  writeSealedFile,
} from '../platform/instance-secret.ts';
import { addKnownServer, beginKnownServers } from '../platform/known-servers.ts';
import { createMailbox } from '../platform/mailbox.ts';
import type { Random } from '../platform/random.ts';
import { systemRandom } from '../platform/random.ts';
import {
  agree,
  generateAgreementKey,
  generateSigningKey,
  seedOf,
  signingKeyFromSeed,
} from '../platform/signing.ts';
import { version } from '../platform/version.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import { keyId, makeTrustList, writePublisherBundle } from '../protocol/trust.ts';
import { trustListDays } from '../protocol/trust-lists.ts';
import { newestContact } from '../store/committed-server-rows.ts';
import { writeMeta } from '../store/meta-rows.ts';
import type { Store, StoreFailure } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { ClearinghouseContext } from './context.ts';
import { addAgreementRoutes } from './routes/agreement-routes.ts';
import { addDeskRoutes } from './routes/desk-routes.ts';
import { addExportRoutes } from './routes/export-routes.ts';
import { addMessageRoutes } from './routes/message-routes.ts';
import { addRecoveryRoutes } from './routes/recovery-routes.ts';
import { addReportRoutes } from './routes/report-routes.ts';
import { addTrustListRoutes } from './routes/trust-list-routes.ts';
import { publisherBundle, storedTrustLists } from './usecases/trust-lists.ts';

export const databaseFile = 'clearinghouse.db';
export const bundleFile = 'publisher-bundle.json';
/** The root key signs the trust list and nothing else: `init` tells to keep it offline. */
const rootKeyFile = 'root.key';
export const issueKeyFile = 'issue.key';
export const kitKeyFile = 'kit.key';
export const issuePurpose = 'clearinghouse-issue-key';
export const kitPurpose = 'clearinghouse-kit-key';
/** Of the ratchets of confirmations, which lie in the database (ratchet.ts). */
export const confirmationPurpose = 'confirmation';
/** Keys in the clear within a backup: under the secret of a machine that is gone nobody could use them. */
export const bareParts = {
  issueSeed: 'issue.seed',
  kitKey: 'kit.seed',
  /** What the ratchets in the database are sealed with. */
  confirmations: 'confirmations.key',
} as const;
export const nameOf = (publicKey: Uint8Array): string => keyId(nodeDigest, publicKey);

export interface ClearinghouseInit {
  readonly dir: string;
  readonly publisher: string;
  readonly instanceDir?: string | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface MadeClearinghouse {
  readonly publisher: string;
  readonly bundle: string;
  readonly adminTokenFile: string;
  readonly rootKeyFile: string;
}

/** Makes keys, database and publisher bundle of a new clearinghouse. Throws `Failure` in words. */
export async function initClearinghouse(init: ClearinghouseInit): Promise<MadeClearinghouse> {
  const { clock = systemClock, random = systemRandom } = init;
  const folder = beginDataFolder(init.dir, { kind: 'clearinghouse', random });
  const instanceDir = resolve(init.instanceDir ?? `${folder.dir}.instance`);
  try {
    const secret = openInstanceSecret(instanceDir, { create: true, random });
    beginKnownServers(instanceDir);
    const root = generateSigningKey(random, nameOf);
    const issue = generateSigningKey(random, nameOf);
    writeKeyFile(join(folder.dir, rootKeyFile), seedOf(root));
    const sealed = { secret, random };
    writeSealedFile(join(folder.dir, issueKeyFile), {
      ...sealed,
      purpose: issuePurpose,
      plaintext: seedOf(issue),
    });
    const kitKey = random.bytes(32);
    writeSealedFile(join(folder.dir, kitKeyFile), { ...sealed, purpose: kitPurpose, plaintext: kitKey });
    const trustListToken = firstTrustList(init.publisher, { root, issue }, clock.nowMs());
    const file = join(folder.dir, databaseFile);
    const store = openSqliteStore({ file, migrations: 'clearinghouse', digest: nodeDigest, create: true });
    await store.write(async (tx) => {
      await writeMeta(tx, 'trustList', trustListToken);
      await tx.post({
        ...{ log: 'publisher', kind: 'made', id: 'made', at: clock.nowMs() },
        body: { publisher: init.publisher },
      });
      return ok(null);
    });
    await store.close();
    const bundle = join(folder.dir, bundleFile);
    const { kid, publicKey } = root;
    writeFileAtomic(
      bundle,
      writePublisherBundle({ publisher: init.publisher, root: { kid, publicKey }, trustListToken }),
      0o644,
    );
    folder.finish({ publisher: init.publisher, instanceDir });
    return {
      publisher: init.publisher,
      bundle,
      adminTokenFile: adminTokenFile(folder.dir),
      rootKeyFile: join(folder.dir, rootKeyFile),
    };
  } catch (error) {
    folder.abandon();
    throw error;
  }
}

/** Trust list 1: the root vouches for itself and for the key that issues. */
function firstTrustList(
  publisher: string,
  keys: { readonly root: SigningKey; readonly issue: SigningKey },
  nowMs: number,
): string {
  const nbf = isoTime(nowMs - dayMs);
  const exp = isoTime(nowMs + trustListDays * dayMs);
  return makeTrustList(
    nodeDigest,
    {
      ...{ t: 'trust', v: 1, version: 1, publisher, threshold: 1 },
      roots: [{ kid: keys.root.kid, pk: base64url(keys.root.publicKey) }],
      keys: [{ kid: keys.issue.kid, pk: base64url(keys.issue.publicKey), role: 'issue', nbf, exp }],
      ...{ revoked: [], iat: isoTime(nowMs), exp },
    },
    keys.root,
  );
}

export interface OpenClearinghouse {
  readonly app: App;
  readonly context: ClearinghouseContext;
  readonly store: Store;
  readonly close: () => Promise<void>;
}

/** What a clearinghouse runs on; the real world unless a test brings its own. */
export interface ClearinghouseWorld {
  readonly clock?: Clock;
  readonly random?: Random;
  /** The open database; that of the data folder where there is none. */
  readonly store?: Store;
  /** Told once, when the database cannot go on: this program has to be stopped then. */
  readonly onStoreFailure?: (failure: StoreFailure) => void;
}

export interface OpenOptions extends ClearinghouseWorld, Pick<HttpOptions, 'log' | 'tls'> {}

/** Opens a clearinghouse; the caller holds the folder's lock. */
export async function openClearinghouse(dir: string, options: OpenOptions = {}): Promise<OpenClearinghouse> {
  const { context, adminToken } = await openClearinghouseContext(dir, options);
  const app = buildClearinghouseApp(context, { adminToken, ...options });
  const close = async (): Promise<void> => {
    await app.close();
    await Promise.allSettled(context.exchanges);
    await context.backups.close();
    await context.store.close();
  };
  return { app, context, store: context.store, close };
}

/** Everything but the routes: the keys and the database. Whoever opens it closes the store. */
export async function openClearinghouseContext(
  dir: string,
  options: ClearinghouseWorld,
): Promise<{ readonly context: ClearinghouseContext; readonly adminToken: string }> {
  const { clock = systemClock, random = systemRandom } = options;
  const folder = openSettled(dir, 'clearinghouse');
  const instanceDir = String(folder.settings['instanceDir'] ?? '');
  const secret = openInstanceSecret(instanceDir, { create: false, random });
  const issueSeed = readSealedFile(join(folder.dir, issueKeyFile), { secret, purpose: issuePurpose });
  const kitKey = readSealedFile(join(folder.dir, kitKeyFile), { secret, purpose: kitPurpose });
  const file = join(folder.dir, databaseFile);
  const onFailure = options.onStoreFailure;
  const store =
    options.store ?? openSqliteStore({ file, migrations: 'clearinghouse', digest: nodeDigest, onFailure });
  const issueKey = signingKeyFromSeed(issueSeed, nameOf);
  const publisher = String(folder.settings['publisher'] ?? '');
  const backups = new Backups({
    ...{ store, clock, random, key: issueKey, dir: folder.dir, database: file },
    whose: { kind: 'clearinghouse', id: issueKey.kid, publisher, name: publisher },
    // Its keys are bare in there: under the instance secret they would be lost with the machine, and with
    // them every agreement. The root key is kept offline, and is not among them.
    parts: () => [
      ...readParts(folder.dir, ['config.json', bundleFile]),
      { name: bareParts.issueSeed, bytes: issueSeed },
      { name: bareParts.kitKey, bytes: kitKey },
      { name: bareParts.confirmations, bytes: sealingKey(secret, confirmationPurpose) },
    ],
    note: async () => undefined,
  });
  const context: ClearinghouseContext = {
    store,
    backups,
    clock,
    random,
    digest: nodeDigest,
    publisher,
    trustLists: await store.read(storedTrustLists),
    saveBundle: (text) => writeFileAtomic(join(folder.dir, bundleFile), text, 0o644),
    issueKey,
    kitKey,
    keyExchange: (other) => {
      const own = generateAgreementKey(random);
      const shared = agree(own.privateKey, other);
      return shared === undefined ? undefined : { publicKey: own.publicKey, shared };
    },
    box: instanceSealBox(secret, random),
    mailbox: createMailbox(),
    noteServer: (server) => addKnownServer(instanceDir, server),
    strangers: [],
    stopping: new AbortController(),
    exchanges: new Set(),
  };
  // Where it was ended between the import of a trust list and this, the bundle is still that of the list before.
  const bundle = publisherBundle(context);
  const path = join(folder.dir, bundleFile);
  if (!existsSync(path) || readFileSync(path, 'utf8') !== bundle) context.saveBundle(bundle);
  return { context, adminToken: folder.adminToken };
}

/** The routes, on one screen. */
function buildClearinghouseApp(
  context: ClearinghouseContext,
  options: OpenOptions & { readonly adminToken: string },
): App {
  const app = buildHttp({
    title: 'Calyx clearinghouse',
    version,
    ...options,
    health: async () => {
      const lastMs = await context.store.read(newestContact);
      return { publisher: context.publisher, lastContactAt: lastMs === null ? null : isoTime(lastMs) };
    },
  });
  // Before connections are closed: a long poll would hold the end up for as long as it may wait.
  app.addHook('preClose', async () => {
    context.stopping.abort();
    context.mailbox.wake();
  });
  addMessageRoutes(app, context);
  addAgreementRoutes(app, context);
  addDeskRoutes(app, context);
  addExportRoutes(app, context);
  addReportRoutes(app, context);
  addRecoveryRoutes(app, context);
  addTrustListRoutes(app, context);
  addBackupRoutes(app, context.backups);
  return app;
}
