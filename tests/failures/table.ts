/**
 * The failure table of a move: each write, each message and each command of it once "failed" and once "failed
 * but done". Whoever gave the command gives it again and everything goes on; after each step the books must
 * balance, and the end must be the end of a run without failures, to the last journal entry.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Failure, Fault, Operation, OperationKind } from './faults.ts';
import type { Running } from './scene.ts';
import { forget, openScene } from './scene.ts';
import type { Scenario } from './steps.ts';
import { settle } from './steps.ts';
import type { Summary } from './summary.ts';
import type { Beginning, Template } from './template.ts';
import { prepare } from './template.ts';

/**
 * Every other write that is undone takes its program with it, as a power cut would. Where a write changes
 * nothing, done and not done are the same.
 */
function waysOf({ kind, changed }: Operation, at: number): readonly Failure[] {
  if (kind === 'message') return ['lost', 'answer lost', 'comes twice'];
  if (kind === 'command') return ['answer lost'];
  if (!changed) return ['done, and the program starts anew'];
  const undone = at % 2 === 0 ? 'not done' : 'not done, and the program starts anew';
  return [undone, 'done, and the program starts anew'];
}

interface Run {
  readonly operations: readonly Operation[];
  /** The first that this scenario is about. */
  readonly first: number;
  readonly failed: Operation | null;
  readonly summary: Summary;
}

async function runOnce(template: Template, scenario: Scenario, running: Running): Promise<Run> {
  const scene = await openScene(template, running);
  try {
    const end = await scenario.run(scene);
    scene.faults.end();
    await settle(scene, scenario);
    const { operations, first, failed } = scene.faults;
    return {
      operations,
      first: first(),
      failed: failed(),
      summary: counted(await scene.summary(end), scenario),
    };
  } finally {
    await scene.close();
  }
}

/** What comes of each message of a source that is over: evidence there, and a refusal here. */
const refusals: Readonly<Record<string, readonly string[]>> = {
  'clearinghouse: journal': ['dead-source-spoke', 'message-refused'],
  'clearinghouse: waiting': ['refused'],
  'old: journal': ['received-refused'],
};

/** The summary without what happens as often as it is needed. */
function counted(summary: Summary, { refusedOften }: Scenario): Summary {
  if (refusedOften !== true) return summary;
  const kept = Object.entries(summary).map(([name, counts]) => {
    const left = { ...(counts as Readonly<Record<string, unknown>>) };
    for (const kind of refusals[name] ?? []) {
      assert.ok(Number(left[kind]) > 0, `${name}: ${kind}`);
      delete left[kind];
    }
    return [name, name in refusals ? left : counts] as const;
  });
  return Object.fromEntries(kept);
}

/** Runs every row of the table of one scenario; answers how many there are. */
async function fill(template: Template, scenario: Scenario): Promise<string> {
  const past = { answers: [], moments: [] };
  try {
    const good = await runOnce(template, scenario, { past, fault: null });
    let rows = 0;
    for (const [at, operation] of good.operations.entries()) {
      if (at < good.first) continue;
      for (const how of waysOf(operation, at)) {
        const row = `${scenario.name}: ${operation.kind} ${at} (${operation.what}) ${how}`;
        const fault: Fault = { at, how };
        const run = await runOnce(template, scenario, { past, fault }).catch((error: unknown) => {
          throw new Error(row, { cause: error });
        });
        compare(row, { good, run, operation, fault });
        rows += 1;
      }
    }
    const tried = good.operations.slice(good.first);
    const count = (kind: OperationKind): number => tried.filter((each) => each.kind === kind).length;
    return `${rows} rows: ${count('write')} writes, ${count('message')} messages, ${count('command')} commands`;
  } finally {
    forget(past);
  }
}

interface Row {
  readonly good: Run;
  readonly run: Run;
  readonly operation: Operation;
  readonly fault: Fault;
}

function compare(row: string, { good, run, operation, fault }: Row): void {
  assert.ok(run.failed !== null, `${row}: it was not reached`);
  const { kind, what, changed } = run.failed;
  // Progress: what is said to be done is done, as without the failure; what is not, is not (faults.ts).
  const progress = operation.changed && !fault.how.startsWith('not done');
  assert.deepEqual({ kind, what, changed }, { ...operation, changed: progress }, row);
  assert.deepEqual(run.summary, good.summary, row);
}

/** What came of a scenario: the size of its table, or why it is not full. */
type Filled = { readonly words: string } | { readonly error: unknown };

/**
 * Fills the tables of some scenarios; a test of each says what came of it. They are filled before there are any
 * tests: from then on the runner looks at every promise, which takes a third of the time.
 */
export async function failEverythingOnce(name: string, scenarios: readonly Scenario[]): Promise<void> {
  const templates = new Map<Beginning, Template>();
  const filled = new Map<string, Filled>();
  for (const scenario of scenarios) {
    const { beginning } = scenario;
    const template = templates.get(beginning) ?? (await prepare(beginning));
    templates.set(beginning, template);
    const begunMs = performance.now();
    const words = (text: string) => ({ words: `${text}, ${Math.round(performance.now() - begunMs)} ms` });
    filled.set(scenario.name, await fill(template, scenario).then(words, (error: unknown) => ({ error })));
  }
  for (const template of templates.values()) await template.close();
  describe(name, () => {
    for (const [scenario, came] of filled) {
      it(scenario, (context) => {
        if ('error' in came) throw came.error;
        context.diagnostic(came.words);
      });
    }
  });
}
