/**
 * `npm test`: lint, types, dead code and all tests, one after the other, each reported even where an
 * earlier one failed. With CI set, a skipped or postponed test is a failure too.
 *   node scripts/check.ts [STEP [ARGUMENT…]]     for example: tests src/core/move.test.ts
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

interface Outcome {
  readonly ok: boolean;
  /** What the last lines of the whole run say about this step. */
  readonly closing: readonly string[];
}

interface Step {
  readonly name: string;
  readonly run: (args: readonly string[]) => Promise<Outcome>;
}

const root = dirname(import.meta.dirname);
const testFiles = ['src/**/*.test.ts', 'tests/**/*.test.ts'];
/** Longest time for one test, and for one file of tests. */
const testTimeoutMs = 600_000;
/** Many tests start processes of their own, so that more files at once than this only slow each other. */
const mostFilesAtOnce = 4;
const strict = (process.env['CI'] ?? '') !== '';

const environment = {
  ...process.env,
  // Tests and tools that say `node` get the Node that runs this.
  PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
};

/** Runs a Node program; `read`, where given, gets its output as well as the terminal. */
function runNode(args: readonly string[], read?: (text: string) => void): Promise<boolean> {
  const stdio = ['ignore', read === undefined ? 'inherit' : 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, args, { cwd: root, env: environment, stdio: [...stdio] });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text);
    read?.(text);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0));
  });
}

/** A step that is one program from node_modules. */
function tool(name: string, program: string, fixed: readonly string[] = []): Step {
  const path = join(root, 'node_modules', program);
  return {
    name,
    run: async (args) => ({ ok: await runNode([path, ...fixed, ...args]), closing: [] }),
  };
}

const countNames = [
  'tests',
  'suites',
  'pass',
  'fail',
  'cancelled',
  'skipped',
  'todo',
  'duration_ms',
] as const;

/** The closing counts of node's test runner: the last line of each name, as it was printed. */
function closingLines(output: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const name of countNames) {
    const line = output.match(new RegExp(`^ℹ ${name} [\\d.]+$`, 'gm'))?.at(-1);
    if (line !== undefined) found.set(name, line);
  }
  return found;
}

/** Why a run that ended well is a failure all the same, if it is. */
function objections(counts: ReadonlyMap<string, string>): readonly string[] {
  const count = (name: string): number => Number(counts.get(name)?.split(' ').at(-1));
  const reasons: string[] = [];
  if (!(count('tests') > 0)) reasons.push('no test was run, or the counts are missing');
  for (const name of ['skipped', 'todo']) {
    if (strict && count(name) !== 0) reasons.push(`${name} tests are not accepted here`);
  }
  return reasons;
}

async function runTests(args: readonly string[]): Promise<Outcome> {
  let output = '';
  const files = args.length > 0 ? args : testFiles;
  const options = [
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${Math.min(availableParallelism(), mostFilesAtOnce)}`,
    `--test-timeout=${testTimeoutMs}`,
  ];
  const passed = await runNode([...options, ...files], (text) => {
    output += text;
  });
  const counts = closingLines(output);
  const reasons = objections(counts);
  return {
    ok: passed && reasons.length === 0,
    closing: [...reasons.map((r) => `✖ ${r}`), ...counts.values()],
  };
}

const steps: readonly Step[] = [
  tool('lint', '@biomejs/biome/bin/biome', ['check', '--error-on-warnings']),
  tool('types', 'typescript/bin/tsc'),
  tool('dead-code', 'knip/bin/knip.js'),
  { name: 'tests', run: runTests },
];

async function main([only, ...args]: readonly string[]): Promise<boolean> {
  const chosen = steps.filter((step) => only === undefined || step.name === only);
  if (chosen.length === 0) {
    process.stderr.write(`no step ${only}, but ${steps.map(({ name }) => name).join(', ')}\n`);
    return false;
  }
  const report: string[] = [];
  const closing: string[] = [];
  let ok = true;
  for (const step of chosen) {
    process.stdout.write(`\n── ${step.name}\n`);
    const startedMs = Date.now();
    const outcome = await step.run(args);
    ok &&= outcome.ok;
    report.push(`${outcome.ok ? '✔' : '✖'} ${step.name} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`);
    closing.push(...outcome.closing);
  }
  process.stdout.write(`\n── ${ok ? 'all is well' : 'NOT WELL'}\n${[...report, ...closing].join('\n')}\n`);
  return ok;
}

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
