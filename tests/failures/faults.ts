/**
 * One failure in a run: the write, message or answer of a given number goes wrong in a given way. Everything
 * that could have gone wrong is counted and named, so that a run without a failure says what there is to try.
 */
import assert from 'node:assert/strict';
import type { Store } from '../../src/store/port.ts';
import { differences, takeSnapshot } from '../world/snapshot.ts';

/**
 * Ways in which a write fails, a message on its way there or back, or a command, of which the administrator
 * does not see the answer. A commit that is in doubt ends the program: that one is always started anew.
 */
export type Failure =
  | 'not done'
  | 'not done, and the program starts anew'
  | 'done, and the program starts anew'
  | 'lost'
  | 'answer lost'
  | 'comes twice';

export interface Fault {
  /** The number of the operation, from 0 on. */
  readonly at: number;
  readonly how: Failure;
}

export type OperationKind = 'write' | 'message' | 'command';

export interface Operation {
  readonly kind: OperationKind;
  /** Where the write is, who sends the message, or what the command is. */
  readonly what: string;
  /**
   * Of a write: whether it changed more than the times of the last contact, which are whole seconds. Looked
   * for where it fails, and in a run without failures.
   */
  changed: boolean;
}

export interface Faults {
  /** Counts an operation and says how it is to fail; null for one that goes well. */
  readonly meet: (kind: OperationKind, what: string) => { operation: Operation; how: Failure | null };
  readonly operations: readonly Operation[];
  /** What has happened so far is the business of another scenario: nothing of it is made to fail. */
  readonly begin: () => void;
  /** The first operation that is made to fail. */
  readonly first: () => number;
  /** Whether this run is without failures. */
  readonly none: boolean;
  /** The operation that failed, when it has. */
  readonly failed: () => Operation | null;
  /** Nothing is counted, and nothing fails, from now on. */
  readonly end: () => void;
}

/** The error of a write that was made to fail; nothing in the programs knows it. */
export class InjectedFailure extends Error {
  override readonly name = 'InjectedFailure';
}

/** `before` are the operations that went well before this run begins. */
export function makeFaults(fault: Fault | null, before: readonly Operation[]): Faults {
  const operations = [...before];
  let failed: Operation | null = null;
  let first = 0;
  let over = false;
  return {
    meet: (kind, what) => {
      const operation: Operation = { kind, what, changed: false };
      if (over) return { operation, how: null };
      operations.push(operation);
      if (fault === null || fault.at !== operations.length - 1) return { operation, how: null };
      failed = operation;
      return { operation, how: fault.how };
    },
    operations,
    begin: () => {
      first = operations.length;
    },
    first: () => first,
    none: fault === null,
    failed: () => failed,
    end: () => {
      over = true;
    },
  };
}

/**
 * A store whose writes fail as they are told to. Undone ones run to their end first, so that what a command
 * leaves in memory is there to do harm; that nothing is left in the database is asserted here.
 */
export function faultyStore(store: Store, name: string, faults: Faults): Store {
  const look = () => takeSnapshot([{ name, store }]);
  return {
    read: (work) => store.read(work),
    close: () => store.close(),
    committed: () => store.committed(),
    beforeAnswers: (witness) => store.beforeAnswers(witness),
    write: async (work) => {
      const { operation, how } = faults.meet('write', name);
      if (how === null && !faults.none) return store.write(work);
      const before = await look();
      if (how?.startsWith('not done') === true) {
        const undone = store.write(async (tx) => {
          await work(tx);
          throw new InjectedFailure();
        });
        await assert.rejects(undone, InjectedFailure);
        assert.deepEqual(differences(before, await look()), [], `${name}: a write that failed`);
        throw new InjectedFailure();
      }
      const result = await store.write(work);
      operation.changed = differences(before, await look()).some((each) => !each.includes('.meta~'));
      if (how !== null) throw new InjectedFailure();
      return result;
    },
  };
}
