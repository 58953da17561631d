/** `calyx audit`: replays bundles and gives a verdict. Works on files alone, without any program. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Command } from 'commander';
import type { AuditResult } from '../audit/audit.ts';
import type { JsonObject } from '../core/json.ts';
import { nodeDigest } from '../platform/digest.ts';
import { Failure } from '../platform/failure.ts';
import { when } from '../protocol/problem-words.ts';
import { fileFailure, readTextFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { done, unsound } from './outcome.ts';
import type { Column, Page } from './page.ts';
import { readRoot } from './root-key.ts';

interface AuditCommand {
  readonly tokens?: string;
  readonly root?: string;
  readonly entry?: readonly string[];
}

const chunkBytes = 1024 * 1024;

/** The bytes of a bundle, a piece at a time: a journal may be larger than memory. */
function* chunksOf(path: string): Generator<Uint8Array, void> {
  const file = opened(path);
  try {
    const buffer = Buffer.alloc(chunkBytes);
    let read = readFrom(path, file, buffer);
    checkKind(path, buffer.subarray(0, read));
    for (; read > 0; read = readFrom(path, file, buffer)) yield Uint8Array.from(buffer.subarray(0, read));
  } finally {
    closeSync(file);
  }
}

/** What the first line of every bundle has, one altered byte or not: the file of something else has neither. */
const marks = ['"calyx":"audit-bundle"', '"manifest":"v4.public.'];

/** Another file than a bundle is a mistake of whoever typed its name, and no break of anybody's books. */
function checkKind(path: string, start: Buffer): void {
  const text = start.toString('latin1', 0, 4096);
  if (marks.some((mark) => text.includes(mark))) return;
  const problem = text === '' ? 'it is empty' : 'it is no audit bundle';
  throw new Failure(`${path} cannot be audited: ${problem}.`, {
    ...{ code: 'file-other-kind', details: { file: path } },
    next: 'Name bundles that calyx server export or calyx clearinghouse export has written.',
  });
}

const nextStep = 'Name files that are there and that this account may read.';

function opened(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw fileFailure(path, error, { code: 'file-unreadable', did: 'read', next: nextStep });
  }
}

function readFrom(path: string, file: number, buffer: Buffer): number {
  try {
    return readSync(file, buffer, 0, buffer.length, null);
  } catch (error) {
    throw fileFailure(path, error, { code: 'file-unreadable', did: 'read', next: nextStep });
  }
}

const linesOfText = (text: string): readonly string[] =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');

function fieldsOf(result: AuditResult): JsonObject {
  const accounts = { agreements: result.agreements, servers: result.servers };
  const { verdict, findings, journals, entries, tokens, proofs, rootPinned, roots } = result;
  return JSON.parse(
    JSON.stringify({ verdict, accounts, findings, journals, entries, tokens, proofs, rootPinned, roots }),
  ) as JsonObject;
}

const named = (titles: readonly string[], left: number): readonly Column[] =>
  titles.map((title, at) => ({ title, align: at < left ? 'left' : 'right' }));

const agreementColumns = named(
  ['Product', 'Per', 'Purchased', 'In hand', 'On servers', 'In transit', 'Quarantined', 'Retired'],
  2,
);
const serverColumns = named(
  ['Agreement', 'Line', 'Installed', 'Issued', 'Unissued', 'Held', 'Reserved', 'Quarantined'],
  1,
);

const levelWords = { break: 'BREAK', 'not-shown': 'Not shown', note: 'Note' } as const;

/** One page: the verdict, what was found, the accounts, and the checkpoints to write down. */
function show(page: Page, result: AuditResult): void {
  const breaks = result.findings.filter(({ level }) => level === 'break').length;
  const broken = `Verdict: BROKEN, ${breaks} ${breaks === 1 ? 'finding' : 'findings'}.`;
  page.title(result.verdict === 'ok' ? 'Verdict: sound, as far as is shown.' : broken);
  const pinned = result.rootPinned ? '' : ', as the bundles say: compare it, or give --root';
  page.keyValues([
    ['Entries replayed', result.entries],
    ['Licenses looked at', result.tokens],
    ['Root key', result.roots.length === 0 ? 'none that can be read' : `${result.roots.join(', ')}${pinned}`],
  ]);
  if (result.findings.length === 0) page.text('Nothing was found.');
  else
    page.entries(
      result.findings.map(({ level, code, where, text }) => [
        levelWords[level],
        `${where}: ${text} (${code})`,
      ]),
    );
  for (const { agreement, lines } of result.agreements) {
    page.title(`Agreement ${agreement}, as the journal of the clearinghouse makes it`);
    page.table(
      agreementColumns,
      lines.map((line) => [
        ...[line.product, line.type, line.entitled, line.inHand, line.committed],
        ...[line.inTransit, line.quarantined, line.retired],
      ]),
    );
  }
  for (const { server, lines } of result.servers) {
    page.title(`License server ${server}, as its journal makes it`);
    page.table(
      serverColumns,
      lines.map((line) => [
        ...[line.agreement, line.line, line.installed, line.issued],
        ...[line.unissued, line.held, line.reserved, line.quarantined],
      ]),
    );
  }
  page.title('Checkpoints. Write them down: the next audit must go on from them.');
  for (const { origin, size, root, madeAt, witnessed } of result.journals) {
    const told = `exported ${when(madeAt)}, the first ${witnessed} under the signature of another`;
    page.verbatim([origin, `${size} entries, root ${root}`, told]);
  }
  for (const { id, origin, position, size, root, entry, proof } of result.proofs) {
    page.title(`Entry ${id} stands in a journal. Its proof, from the leaf up:`);
    page.verbatim([entry, ...proof, `position ${position} of ${size}, root ${root}`, origin]);
  }
}

export function register(group: Command, cli: Cli): void {
  group
    .description(
      'Replays audit bundles (calyx server export, calyx clearinghouse export) from nothing but their entries, ' +
        'checks every signature, hash and balance, and prints one page with a verdict. Exit 4 on any break.',
    )
    .argument('<files...>', 'bundles: of the license servers and of the clearinghouse')
    .option('--tokens <file>', 'licenses that were collected from holders, one a line')
    .option('--entry <id...>', 'entries, or licenses by their ids (jti), to be proven to stand in a journal')
    .option('--root <file>', 'the publisher’s root key: a publisher bundle, or base64url or hex')
    .action(
      cli.run(async (files: readonly string[], options: AuditCommand) => {
        const { audit } = await import('../audit/audit.ts');
        const root = options.root === undefined ? undefined : readRoot(options.root);
        const tokens = options.tokens === undefined ? [] : linesOfText(readTextFile(options.tokens));
        const named = files.map((name) => ({ name, chunks: chunksOf(name) }));
        const result = audit({
          digest: nodeDigest,
          files: named,
          tokens,
          entries: options.entry ?? [],
          root,
        });
        const outcome = result.verdict === 'ok' ? done : unsound;
        return outcome(fieldsOf(result), (page) => show(page, result));
      }),
    );
}
