/**
 * The contract of src/store/port.ts as tests: every engine is run through all of it, by
 * `storeContract(name, engine)` in a test file of its own.
 */
import { describe } from 'node:test';
import { booksContract } from './store-contract-books.ts';
import { commandsContract } from './store-contract-commands.ts';
import { durabilityContract } from './store-contract-durability.ts';
import { journalContract } from './store-contract-journal.ts';
import { modelContract } from './store-contract-model.ts';
import type { StoreEngine } from './store-engine.ts';

/** Registers the suite for one engine. */
export function storeContract(name: string, engine: StoreEngine): void {
  describe(`the store on ${name}`, () => {
    commandsContract(engine);
    booksContract(engine);
    journalContract(engine);
    if (engine.lasting !== undefined) durabilityContract(engine, engine.lasting);
    modelContract(engine);
  });
}
