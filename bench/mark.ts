/**
 * What the high-water mark costs (protocol §5.1), which is written between each commit and its answers:
 *   npm run bench:mark [-- --rounds 12] [--licenses 4000] [--json]
 *
 * One license server with the mark of every one, and one with a mark that goes nowhere. They take turns within each round,
 * the one first and then the other, and give licenses to users through the use case, so many requests at a time. Told is
 * the ratio of a round's two rates; the raw baseline is a file that is written and synced as often as the mark.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { HighWaterFile } from '../src/platform/high-water-file.ts';
import { openHighWaterFile } from '../src/platform/high-water-file.ts';
import type { OpenServer } from '../src/server/app.ts';
import { openServer } from '../src/server/app.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { copyServer, free, prepareWorld } from './backup-world.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '12' },
    licenses: { type: 'string', default: '4000' },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const licenses = Number(options.licenses);

/** How many wait at once: nobody to share a commit with, some, and many. */
const atOnce = [1, 16, 100];
/** One by one each license is a commit of its own. */
const licensesOneByOne = Math.ceil(licenses / 8);

const countOf = (waiting: number): number => (waiting === 1 ? licensesOneByOne : licenses);

/** The mark that is there, which from now on goes nowhere. */
function unwritten(dir: string): HighWaterFile {
  const instance = `${dir}.instance`;
  const name = readdirSync(instance).find((each) => each.endsWith('.high-water')) ?? '';
  const file = openHighWaterFile(join(instance, name));
  file.close();
  return { ...file, write: () => undefined };
}

/** Licenses a second. */
async function rate({ context }: OpenServer, waiting: number): Promise<number> {
  let left = countOf(waiting);
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: waiting }, async () => {
      while (left > 0) {
        left -= 1;
        const holder = `U-${randomBytes(6).toString('hex')}`;
        const license = await requestLicense(context, { product: free.product, type: free.type, holder });
        if (!license.ok) throw new Error(`refused: ${JSON.stringify(license.error)}`);
      }
    }),
  );
  return countOf(waiting) / ((performance.now() - startedAt) / 1000);
}

/** Microseconds that one write of 2 KiB and its sync take. */
function syncMicros(dir: string): number {
  const file = openSync(join(dir, 'raw'), 'w');
  const bytes = randomBytes(2048);
  writeSync(file, new Uint8Array(32_768), 0, 32_768, 0);
  fdatasyncSync(file);
  const times = 200;
  const startedAt = performance.now();
  for (let time = 0; time < times; time += 1) {
    writeSync(file, bytes, 0, bytes.length, (time % 2) * 16_384);
    fdatasyncSync(file);
  }
  closeSync(file);
  return ((performance.now() - startedAt) / times) * 1000;
}

const sorted = (values: readonly number[]): readonly number[] => values.toSorted((one, other) => one - other);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] ?? Number.NaN;

interface Turn {
  readonly waiting: number;
  readonly with: number;
  readonly without: number;
}

async function measure(marked: OpenServer, unmarked: OpenServer): Promise<readonly Turn[]> {
  const turns: Turn[] = [];
  for (let round = -1; round < rounds; round += 1) {
    for (const waiting of atOnce) {
      const first = round % 2 === 0 ? marked : unmarked;
      const firstRate = await rate(first, waiting);
      const otherRate = await rate(first === marked ? unmarked : marked, waiting);
      const [with_, without] = first === marked ? [firstRate, otherRate] : [otherRate, firstRate];
      // The first round is for the compiler.
      if (round >= 0) turns.push({ waiting, with: with_, without });
    }
  }
  return turns;
}

function tell(turns: readonly Turn[]) {
  return atOnce.map((waiting) => {
    const of = turns.filter((turn) => turn.waiting === waiting);
    const ratios = sorted(of.map((turn) => turn.with / turn.without)).map((each) => Number(each.toFixed(2)));
    return {
      waiting,
      with: Math.round(median(of.map((turn) => turn.with))),
      without: Math.round(median(of.map((turn) => turn.without))),
      ratio: { median: median(ratios), least: ratios[0], most: ratios.at(-1) },
    };
  });
}

const dir = mkdtempSync(join(tmpdir(), 'calyx-bench-mark-'));
try {
  const world = join(dir, 'world');
  const unissued = (rounds + 1) * atOnce.reduce((sum, waiting) => sum + countOf(waiting), 0) + 1000;
  await prepareWorld(world, { issued: 1000, unissued });
  for (const name of ['marked', 'unmarked']) copyServer(world, join(dir, name));
  const marked = await openServer(join(dir, 'marked'));
  const unmarked = await openServer(join(dir, 'unmarked'), {
    openMark: () => unwritten(join(dir, 'unmarked')),
  });
  for (const { context } of [marked, unmarked]) await context.signer.start();
  const before = syncMicros(dir);
  const turns = tell(await measure(marked, unmarked));
  const syncs = [before, syncMicros(dir)].map(Math.round);
  for (const server of [marked, unmarked]) await server.close();
  const result = { rounds, licenses, loadOfMachine: loadavg(), microsOfOneSync: syncs, turns };
  if (options.json) console.log(JSON.stringify(result));
  else console.dir(result, { depth: null });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
