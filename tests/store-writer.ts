/**
 * A process for tests: writes to the SQLite store at a path, several commands at a time, and prints
 * the number of each that was acknowledged, until it is killed or the store fails. Then it prints how
 * the failed command and later calls end. `node tests/store-writer.ts FILE [BYTES_OF_EACH_BODY]`
 */
import { writeSync } from 'node:fs';
import { ok } from '../src/core/result.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import { StoreFailure } from '../src/store/port.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';
import { entryOf, issued, setMeta, transfer, unissued } from './store-engine.ts';

const [file = '', bytes = '10'] = process.argv.slice(2);
const store = openSqliteStore({ file, migrations: 'server', digest: nodeDigest, create: true });
const filler = 'x'.repeat(Number(bytes));
let written = (await store.read((tx) => tx.head('server'))).size;

/** Written at once and not buffered: what stands there was acknowledged before the kill. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function writeOne(): Promise<void> {
  const number = written;
  written += 1;
  const id = `w${number}`;
  await store.write(async (tx) => {
    await setMeta(tx, id, filler);
    const answer = { id, requestDigest: '', body: { number } };
    const message = { id, recipient: 'clearinghouse', type: 'test', body: { number } };
    const postings = [transfer('A/0/installed', unissued, 2), transfer(unissued, issued, 1)];
    await tx.post(entryOf(id, { body: { filler }, postings, answer, outbox: [message] }));
    return ok(undefined);
  });
  say(`acknowledged ${number}`);
}

function codeOf(error: unknown): string {
  return error instanceof StoreFailure ? error.code : String(error);
}

async function writeOn(): Promise<void> {
  for (;;) await writeOne();
}

try {
  await Promise.all([writeOn(), writeOn(), writeOn(), writeOn()]);
} catch (error) {
  say(`failed ${codeOf(error)}`);
  const later: readonly [string, () => Promise<unknown>][] = [
    ['write', () => store.write(async () => ok(undefined))],
    ['read', () => store.read((tx) => tx.balance(unissued))],
  ];
  for (const [name, call] of later) {
    say(`then ${name} ${await call().then(() => 'went on', codeOf)}`);
  }
}
