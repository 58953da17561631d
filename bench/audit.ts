/**
 * How fast an audit replays a journal, as a ratio to hashing the same bytes, and what the look at the books
 * on every open costs. A license server's journal of issues and renewals, made by its own store.
 *
 *     npm run bench:audit -- [entries, 200000 unless told]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditResult } from '../src/audit/audit.ts';
import { audit } from '../src/audit/audit.ts';
import { base64url } from '../src/core/bytes.ts';
import { licenseServerId } from '../src/core/code.ts';
import { ok } from '../src/core/result.ts';
import { isoTime } from '../src/core/time.ts';
import { nodeDigest as digest } from '../src/platform/digest.ts';
import { systemRandom } from '../src/platform/random.ts';
import { generateSigningKey } from '../src/platform/signing.ts';
import type { Manifest } from '../src/protocol/audit-bundle.ts';
import { documentLine, documentsDigest, headerLine } from '../src/protocol/audit-bundle.ts';
import { sealKit } from '../src/protocol/authority.ts';
import type { SigningKey } from '../src/protocol/paseto.ts';
import { keyId, makeTrustList } from '../src/protocol/trust.ts';
import type { Store } from '../src/store/port.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';

const entries = Number(process.argv[2] ?? '200000');
const rounds = 5;
const log = 'server';
const key = generateSigningKey(systemRandom, (publicKey) => licenseServerId(digest, publicKey));
const atMs = Date.now();

/** A pack of 1,000 CALs a thousand entries; each of the others is an issue, as a license server writes it. */
async function fill(store: Store): Promise<void> {
  const line = '4965437/0';
  for (let at = 0; at < entries; at += 250) {
    const commands = Array.from({ length: Math.min(250, entries - at) }, (_, each) => at + each);
    await Promise.all(
      commands.map((number) =>
        store.write(async (tx) => {
          const brings = number % 1000 === 0;
          const unit = number + 1;
          const sub = base64url(digest.sha256(Buffer.from(String(number))));
          const body = brings
            ? { agreement: '4965437', line: 0, aid: 'A'.repeat(22), chain: 'free', k: unit, added: 1000 }
            : { agreement: '4965437', line: 0, unit, origin: `${key.kid}/${unit}`, sub, until: atMs };
          const [debit, credit, amount] = brings
            ? ['installed', 'unissued', 1000]
            : ['unissued', 'issued', 1];
          await tx.post({
            ...{ log, kind: brings ? 'installed' : 'issued', id: `entry-${number}`, at: atMs, body },
            postings: [
              {
                kind: 'transfer',
                debit: `${line}/${debit}`,
                credit: `${line}/${credit}`,
                amount: Number(amount),
              },
            ],
          });
          return ok(null);
        }),
      ),
    );
  }
}

const publisherKey = () => generateSigningKey(systemRandom, (publicKey) => keyId(digest, publicKey));

/** A kit that knows the agreement and its line; nobody looks at its anchors. */
function kitBy(issue: SigningKey): string {
  const anchor = base64url(new Uint8Array(16));
  return sealKit(
    {
      ...{ t: 'kit', v: 1, kitId: anchor, agreement: '4965437', program: 'select', customer: 'Bench' },
      ...{ publisher: 'Bench', salt: anchor, iat: isoTime(atMs), base: '2026-11', sunsetMonths: 13 },
      lines: [{ product: { id: 'ts', name: 'TS', family: 'ts', version: 9 }, type: 'device' }],
      slots: [{ slot: 0, activation: anchor, horizon: anchor, lines: [{ free: anchor, held: anchor }] }],
    },
    issue,
  );
}

async function bundleOf(store: Store): Promise<Uint8Array> {
  const [root, issue] = [publisherKey(), publisherKey()];
  const trustList = makeTrustList(
    digest,
    {
      ...{ t: 'trust', v: 1, version: 1, publisher: 'Bench', threshold: 1, revoked: [] },
      keys: [
        {
          kid: issue.kid,
          pk: base64url(issue.publicKey),
          role: 'issue',
          nbf: isoTime(atMs),
          exp: isoTime(atMs),
        },
      ],
      roots: [{ kid: root.kid, pk: base64url(root.publicKey) }],
      ...{ iat: isoTime(atMs), exp: isoTime(atMs + 1000) },
    },
    root,
  );
  const lines = [documentLine({ trustList }), documentLine({ kit: kitBy(issue) })];
  const head = await store.read((tx) => tx.head(log));
  const manifest: Manifest = {
    ...{
      t: 'audit-bundle',
      v: 1,
      kind: 'server',
      publisher: 'Bench',
      agreement: null,
      server: key.kid,
      at: atMs,
    },
    documents: documentsDigest(digest, lines),
    journals: [{ log, size: head.size, root: base64url(head.root) }],
  };
  const pieces = [Buffer.from(`${[headerLine(manifest, key), ...lines].join('\n')}\n`)];
  for (let from = 0; from < head.size; from += 2000) {
    const page = await store.read((tx) => tx.journal(log, from, 2000));
    pieces.push(Buffer.from(page.map(({ text }) => `${text}\n`).join('')));
  }
  return Buffer.concat(pieces);
}

/** Seconds of the processor, which another program's share of the machine does not change. */
function timed<T>(work: () => T): readonly [T, number] {
  const start = process.cpuUsage();
  const value = work();
  const { user, system } = process.cpuUsage(start);
  return [value, (user + system) / 1e6];
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;

const chunk = 1024 * 1024;
function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
}

/** The same bytes, each line hashed by itself and nothing else: what no audit can be faster than. */
function hashLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = 0, end = bytes.indexOf(10); end >= 0; at = end + 1, end = bytes.indexOf(10, at)) {
    digest.sha256(bytes.subarray(at, end));
    lines += 1;
  }
  return lines;
}

const dir = mkdtempSync(join(tmpdir(), 'calyx-bench-audit-'));
try {
  const file = join(dir, 'license-server.db');
  const options = { file, migrations: 'server', digest } as const;
  const store = openSqliteStore({ ...options, create: true });
  await fill(store);
  const bytes = await bundleOf(store);
  await store.close();
  const [again, openSeconds] = timed(() => openSqliteStore(options));
  await again.close();
  const replays: number[] = [];
  const hashes: number[] = [];
  let result: AuditResult | undefined;
  for (let round = 0; round < rounds; round += 1) {
    hashes.push(timed(() => hashLines(bytes))[1]);
    const [one, seconds] = timed(() =>
      audit({ digest, files: [{ name: 'bundle', chunks: chunksOf(bytes) }], tokens: [], root: undefined }),
    );
    replays.push(seconds);
    result = one;
  }
  if (result?.verdict !== 'ok')
    throw new Error(`the bundle is not sound: ${JSON.stringify(result?.findings)}`);
  const replay = entries / median(replays);
  const hash = entries / median(hashes);
  const mebibytes = Math.round(bytes.length / chunk);
  console.log(`${entries} entries, ${mebibytes} MiB; medians of ${rounds} interleaved rounds`);
  console.log(`audit replay      ${Math.round(replay)} leaves/s of the processor   (aimed at: 50000)`);
  console.log(
    `hashing the lines ${Math.round(hash)} lines/s of the processor    the audit has ${Math.round((100 * replay) / hash)} % of that`,
  );
  console.log(`opening the database with its look at the books: ${Math.round(openSeconds * 1000)} ms`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
