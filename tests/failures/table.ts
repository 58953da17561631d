/**
 * The failure table of a move: each write, each message and each command of it once "failed" and once "failed
 * but done". Whoever gave the command gives it again and everything goes on; after each step the books must
 * balance, and the end must be the end of a run without failures, to the last journal entry.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Failure, Fault, Operation, OperationKind } from './faults.ts';
import type { Summary, Template } from './scene.ts';
import { openScene, prepare } from './scene.ts';
import type { Scenario } from './steps.ts';
import { settle } from './steps.ts';

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

async function runOnce(template: Template, scenario: Scenario, fault: Fault | null): Promise<Run> {
  const scene = await openScene(template, fault);
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
  const good = await runOnce(template, scenario, null);
  let rows = 0;
  for (const [at, operation] of good.operations.entries()) {
    if (at < good.first) continue;
    for (const how of waysOf(operation, at)) {
      const row = `${scenario.name}: ${operation.kind} ${at} (${operation.what}) ${how}`;
      const run = await runOnce(template, scenario, { at, how }).catch((error: unknown) => {
        throw new Error(row, { cause: error });
      });
      assert.ok(run.failed !== null, `${row}: it was not reached`);
      const { kind, what, changed } = run.failed;
      // Progress: what is said to be done is done, as without the failure; what is not, is not (faults.ts).
      const progress = operation.changed && !how.startsWith('not done');
      assert.deepEqual({ kind, what, changed }, { ...operation, changed: progress }, row);
      assert.deepEqual(run.summary, good.summary, row);
      rows += 1;
    }
  }
  const tried = good.operations.slice(good.first);
  const count = (kind: OperationKind): number => tried.filter((each) => each.kind === kind).length;
  return `${rows} rows: ${count('write')} writes, ${count('message')} messages, ${count('command')} commands`;
}

/** The tests of some scenarios, one each. */
export function failEverythingOnce(name: string, scenarios: readonly Scenario[]): void {
  describe(name, () => {
    const templates = new Map<Template['carrier'], Promise<Template>>();
    const templateOf = (carrier: Template['carrier']): Promise<Template> => {
      const made = templates.get(carrier) ?? prepare(carrier);
      templates.set(carrier, made);
      return made;
    };
    after(async () => {
      for (const template of templates.values()) await (await template).world.close();
    });

    for (const scenario of scenarios) {
      it(scenario.name, async (context) => {
        context.diagnostic(await fill(await templateOf(scenario.carrier), scenario));
      });
    }
  });
}
