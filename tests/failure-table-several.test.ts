/** The failure table (tests/failures/table.ts) of several moves at once and one after another. */
import { loadTable } from './failures/load.ts';

const { failEverythingOnce, severalScenarios } = await loadTable();
await failEverythingOnce('several moves in which everything fails once', severalScenarios);
