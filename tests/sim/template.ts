/**
 * What every run begins with, made once for each process: a clearinghouse with a product, an agreement
 * and its kit, and license servers that have the kit. Keys and ids are the same each time.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initClearinghouse, openClearinghouseContext } from '../../src/clearinghouse/app.ts';
import { addAgreement } from '../../src/clearinghouse/usecases/agreements.ts';
import { makeKit } from '../../src/clearinghouse/usecases/make-kit.ts';
import { addProduct } from '../../src/clearinghouse/usecases/products.ts';
import type { CalType } from '../../src/core/product.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import type { Random } from '../../src/platform/random.ts';
import { readPublisherBundle } from '../../src/protocol/trust.ts';
import { initServer, openServerContext } from '../../src/server/app.ts';
import { addKit } from '../../src/server/usecases/settings.ts';
import { agreement, product, value } from '../world/world.ts';
import { SeededRandom } from './chances.ts';
import { trustForLong } from './long-trust.ts';
import { Program } from './program.ts';

const serverNames = ['LS-A', 'LS-B', 'LS-C', 'LS-D', 'LS-E', 'LS-F', 'LS-G'] as const;
/** Few, so that they run short: what is given twice then shows at once. */
const sold: Readonly<Record<Exclude<CalType, 'concurrent'>, number>> = { device: 6, user: 3 };
const startMs = Date.UTC(2026, 0, 5, 8);

export interface Template {
  readonly startMs: number;
  /** The publisher's public root key. */
  readonly root: Uint8Array;
  readonly clearinghouse: { readonly dir: string; readonly file: string };
  readonly servers: readonly { readonly name: string; readonly dir: string; readonly file: string }[];
}

/** A database in memory is gone with the last object that has it open. */
const kept: unknown[] = [];

interface Hands {
  readonly clock: Clock;
  readonly random: Random;
}

async function makeClearinghouse(dir: string, hands: Hands) {
  const made = await initClearinghouse({ dir, publisher: 'Sample Publisher', ...hands });
  const { rootKeyFile } = made;
  const nowMs = hands.clock.nowMs();
  const bundle = await trustForLong(dir, { bundle: readFileSync(made.bundle, 'utf8'), rootKeyFile, nowMs });
  const program = new Program({
    ...{ name: 'clearinghouse', kind: 'clearinghouse' as const, clock: hands.clock },
    from: join(dir, 'clearinghouse.db'),
    open: (store) => openClearinghouseContext(dir, { ...hands, store }),
  });
  await program.start();
  const { context } = program;
  value(
    await addProduct(context, { id: product, name: 'Terminal Server 2012 R2', family: 'ts', version: 9 }),
  );
  for (const type of ['device', 'user'] as const) {
    const paper = { number: agreement, program: 'select', customer: 'Contoso', product, type };
    value(await addAgreement(context, { ...paper, quantity: sold[type], requestId: `first-${type}` }));
  }
  const kit = value(await makeKit(context, agreement)).file;
  await program.stop();
  kept.push(program);
  return { file: program.file, kit, bundle };
}

async function makeServer(dir: string, name: string, hands: Hands & { kit: string; bundle: string }) {
  const { kit, bundle, ...rest } = hands;
  await initServer({ dir, name, bundle, clearinghouseUrl: 'http://127.0.0.1:9', ...rest });
  const program = new Program({
    ...{ name, kind: 'server' as const, clock: hands.clock },
    from: join(dir, 'license-server.db'),
    open: (store) => openServerContext(dir, { ...rest, store }),
  });
  await program.start();
  value(await addKit(program.context, kit));
  await program.stop();
  kept.push(program);
  return { name, dir, file: program.file };
}

async function makeTemplate(): Promise<Template> {
  const folder = mkdtempSync(join(tmpdir(), 'calyx-sim-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const random = new SeededRandom();
  random.useStep(0, 0);
  const hands = { clock: { nowMs: () => startMs }, random };
  const dir = join(folder, 'ch');
  const { file, kit, bundle } = await makeClearinghouse(dir, hands);
  const servers: { name: string; dir: string; file: string }[] = [];
  for (const name of serverNames) {
    servers.push(await makeServer(join(folder, name), name, { ...hands, kit, bundle }));
  }
  const { root } = value(readPublisherBundle(nodeDigest, bundle));
  return { startMs, root: root.publicKey, clearinghouse: { dir, file }, servers };
}

let made: Promise<Template> | undefined;

export function template(): Promise<Template> {
  made ??= makeTemplate();
  return made;
}
