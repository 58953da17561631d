/** A license server, wired: data folder → keys, store, context → routes. And its making (`init`). */
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { addBackupRoutes } from '../backup/backup-routes.ts';
import type { BackupsOf } from '../backup/backups.ts';
import { Backups } from '../backup/backups.ts';
import { readParts } from '../backup/kept-backups.ts';
import { base64url } from '../core/bytes.ts';
import { licenseServerId } from '../core/code.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Clock } from '../platform/clock.ts';
import { systemClock } from '../platform/clock.ts';
import type { DataFolder } from '../platform/data-folder.ts';
import { beginDataFolder } from '../platform/data-folder.ts';
import type { Delivery } from '../platform/delivery.ts';
import { httpDelivery } from '../platform/delivery.ts';
import { nodeDigest } from '../platform/digest.ts';
import { openSettled } from '../platform/folder-swap.ts';
import type { HighWaterFile } from '../platform/high-water-file.ts';
import { openHighWaterFile } from '../platform/high-water-file.ts';
import type { App, HttpOptions } from '../platform/http.ts';
import { buildHttp } from '../platform/http.ts';
import { instanceSealBox, openInstanceSecret, writeSealedFile } from '../platform/instance-secret.ts';
import type { Machine, RawSignals } from '../platform/machine-signals.ts';
import { machineFile, openMachine, readSignals } from '../platform/machine-signals.ts';
import { nextTurn } from '../platform/next-turn.ts';
import type { Random } from '../platform/random.ts';
import { systemRandom } from '../platform/random.ts';
import {
  agree,
  agreementKeyFromSeed,
  generateAgreementKey,
  generateSigningKey,
  seedOf,
} from '../platform/signing.ts';
import { createTokenSigner } from '../platform/token-signer.ts';
import { version } from '../platform/version.ts';
import { keyId, readPublisherBundle } from '../protocol/trust.ts';
import type { Store, StoreFailure } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { checkOwner, makeDatabase } from './app-database.ts';
import { databaseFile, keyFile, keyPurpose, markFile } from './app-files.ts';
import { openKeys } from './app-keys.ts';
import type { ServerContext } from './context.ts';
import { addActivationRoutes } from './routes/activation-routes.ts';
import { addExportRoutes } from './routes/export-routes.ts';
import { addLicenseRoutes } from './routes/license-routes.ts';
import { addListRoutes } from './routes/list-routes.ts';
import { addMessageRoutes } from './routes/message-routes.ts';
import { addMoveRoutes } from './routes/move-routes.ts';
import { addReportRoutes } from './routes/report-routes.ts';
import { noteAlone, noteBackup } from './usecases/events.ts';
import { settleIdentity } from './usecases/identity.ts';
import { readHosts } from './usecases/settings.ts';
import { readIdentity as readShown } from './usecases/status.ts';

export interface ServerInit {
  readonly dir: string;
  readonly name: string;
  /** The text of the publisher bundle file. */
  readonly bundle: string;
  readonly clearinghouseUrl?: string | undefined;
  /** Where the instance secret lives; never inside the data folder (protocol §5.1). */
  readonly instanceDir?: string | undefined;
  /** In a container: the id of the volume that it runs on, which then stands for the machine (protocol §5.1). */
  readonly volume?: string | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface MadeServer {
  readonly licenseServerId: string;
  readonly instanceDir: string;
}

/** Makes the data folder, keys and database of a new license server. Throws `Failure` in words. */
export async function initServer(init: ServerInit): Promise<MadeServer> {
  const { clock = systemClock, random = systemRandom } = init;
  const bundle = readPublisherBundle(nodeDigest, init.bundle);
  if (!bundle.ok) throw new RefusedInit(bundle.error);
  const folder = beginDataFolder(init.dir, { kind: 'server', random });
  const instanceDir = resolve(init.instanceDir ?? `${folder.dir}.instance`);
  try {
    const secret = openInstanceSecret(instanceDir, { create: true, random });
    const key = generateSigningKey(random, (publicKey) => licenseServerId(nodeDigest, publicKey));
    writeSealedFile(join(folder.dir, keyFile), {
      ...{ secret, purpose: keyPurpose, plaintext: seedOf(key), random },
    });
    const file = join(folder.dir, databaseFile);
    const url = init.clearinghouseUrl?.replace(/\/$/, '');
    const settings = {
      trustList: bundle.value.trustListToken,
      ...(url === undefined ? {} : { clearinghouseUrl: url }),
    };
    const made = { clock, random, licenseServerId: key.kid, name: init.name, settings };
    await (await makeDatabase(file, made)).close();
    folder.finish({
      name: init.name,
      publisher: bundle.value.publisher,
      root: base64url(bundle.value.root.publicKey),
      instanceDir,
      ...(init.volume === undefined ? {} : { volume: init.volume }),
    });
    return { licenseServerId: key.kid, instanceDir };
  } catch (error) {
    folder.abandon();
    rmSync(join(folder.dir, databaseFile), { force: true });
    throw error;
  }
}

/** An init that was refused for what it was given: the words are those of the refusal. */
export class RefusedInit extends Error {
  override readonly name = 'RefusedInit';
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.code);
    this.refusal = refusal;
  }
}

export interface OpenServer {
  readonly app: App;
  readonly context: ServerContext;
  readonly store: Store;
  readonly close: () => Promise<void>;
}

/** What a license server runs on; the real world unless a test brings its own. */
export interface ServerWorld {
  readonly clock?: Clock;
  readonly random?: Random;
  /** The open database; that of the data folder where there is none. */
  readonly store?: Store;
  /** Told once, when the database cannot go on: this program has to be stopped then. */
  readonly onStoreFailure?: (failure: StoreFailure) => void;
  /** How messages travel; HTTP unless a test carries them itself. */
  readonly delivery?: Delivery;
  /** Opens the high-water mark; that beside the instance secret unless a test brings its own. */
  readonly openMark?: () => HighWaterFile;
  /** What the machine tells of itself; read from the system unless a test brings its own. */
  readonly signals?: () => RawSignals;
}

export interface OpenOptions extends ServerWorld, Pick<HttpOptions, 'log' | 'tls'> {}

/** Opens a license server; the caller holds the folder's lock. */
export async function openServer(dir: string, options: OpenOptions = {}): Promise<OpenServer> {
  const { context, adminToken } = await openServerContext(dir, options);
  const app = buildServerApp(context, { adminToken, ...options });
  const close = async (): Promise<void> => {
    await app.close();
    await context.backups.close();
    await context.store.close();
    await context.signer.close();
  };
  return { app, context, store: context.store, close };
}

/** Everything but the routes: the keys, the database and the caches. Whoever opens it closes the store. */
export async function openServerContext(
  dir: string,
  options: ServerWorld,
): Promise<{ readonly context: ServerContext; readonly adminToken: string }> {
  const { clock = systemClock, random = systemRandom } = options;
  const folder = openSettled(dir, 'server');
  const text = (name: string): string => String(folder.settings[name] ?? '');
  const { secret, key, lsidValue, rootKey } = await openKeys(folder, { clock, random });
  const file = join(folder.dir, databaseFile);
  const onFailure = options.onStoreFailure;
  const store =
    options.store ?? openSqliteStore({ file, migrations: 'server', digest: nodeDigest, onFailure });
  await checkOwner(store, { dir: folder.dir, licenseServerId: key.kid });
  const context: ServerContext = {
    store,
    backups: backupsOf(folder, { store, clock, random, key }),
    clock,
    random,
    digest: nodeDigest,
    licenseServerId: key.kid,
    lsidValue,
    name: text('name'),
    key,
    signer: createTokenSigner(key.privateKey),
    publisher: text('publisher'),
    root: { kid: keyId(nodeDigest, rootKey), publicKey: rootKey },
    box: instanceSealBox(secret, random),
    oneTimeKey: () => {
      const pair = generateAgreementKey(random);
      return { seed: seedOf(pair), publicKey: pair.publicKey };
    },
    agreeWith: (own, other) => agree(agreementKeyFromSeed(own).privateKey, other),
    nextTurn,
    machine: machineOf(folder, { secret, id: key.kid, ...options }),
    delivery: options.delivery ?? httpDelivery,
    stopping: new AbortController(),
    cache: {
      tokens: { fresh: new Map(), older: new Map() },
      referrals: new Map(),
      temporaries: new Map(),
      facts: null,
      mark: null,
      hosts: await store.read(readHosts),
      denials: new Map(),
      codeFailures: 0,
      blocks: new Map(),
      contact: Promise.resolve(),
      poll: null,
      seen: null,
    },
  };
  // A store that a test brings has no folder of its own, and no mark unless it brings that, too.
  const path = markFile(text('instanceDir'), key.kid);
  const openMark =
    options.openMark ?? (options.store === undefined ? () => openHighWaterFile(path) : undefined);
  if (openMark !== undefined) await settle(context, openMark());
  return { context, adminToken: folder.adminToken };
}

async function settle(context: ServerContext, mark: HighWaterFile): Promise<void> {
  try {
    await settleIdentity(context, mark);
  } catch (error) {
    mark.close();
    await context.store.close();
    throw error;
  }
}

/** The machine under a data folder; a store that a test brings runs on none, unless it says what it is like. */
function machineOf(
  { settings }: DataFolder,
  of: Pick<ServerWorld, 'store' | 'signals'> & { readonly secret: Uint8Array; readonly id: string },
): Machine | null {
  if (of.store !== undefined && of.signals === undefined) return null;
  const volume = settings['volume'];
  const read = (): RawSignals => readSignals({ volume: typeof volume === 'string' ? volume : null });
  const path = machineFile(String(settings['instanceDir'] ?? ''), of.id);
  return openMachine({ path, secret: of.secret, read: of.signals ?? read });
}

function backupsOf(
  { dir, settings }: DataFolder,
  of: Pick<BackupsOf, 'store' | 'clock' | 'random' | 'key'>,
): Backups {
  const publisher = String(settings['publisher'] ?? '');
  return new Backups({
    ...of,
    ...{ dir, database: join(dir, databaseFile) },
    whose: { kind: 'server', id: of.key.kid, publisher, name: String(settings['name'] ?? '') },
    // The key stays sealed: on a machine without the instance secret it is worth nothing.
    parts: () => readParts(dir, ['config.json', keyFile]),
    note: (tx, note) => noteBackup(of, tx, note),
  });
}

/** The routes, on one screen. */
function buildServerApp(context: ServerContext, options: OpenOptions & { readonly adminToken: string }): App {
  const app = buildHttp({
    title: 'Calyx license server',
    version,
    ...options,
    health: async () => {
      const { licenseServerId: id, name, activation, lastContactAt } = await readShown(context);
      return { licenseServerId: id, name, activation, lastContactAt };
    },
  });
  addLicenseRoutes(app, context);
  addActivationRoutes(app, context);
  addMoveRoutes(app, context);
  addReportRoutes(app, context);
  addMessageRoutes(app, context);
  addListRoutes(app, context);
  addExportRoutes(app, context);
  addBackupRoutes(app, context.backups);
  return app;
}

/** Written into the System log when the service starts and stops (events 0 and 3 of the model system). */
export async function noteService(context: ServerContext, what: 'started' | 'stopped'): Promise<void> {
  await noteAlone(context, { number: what === 'started' ? 0 : 3, data: { name: context.name } });
}
