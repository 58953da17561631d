/** The failure table (tests/failures/table.ts) of moves from a source that no longer functions. */
import { loadTable } from './failures/load.ts';

const { failEverythingOnce, deadScenarios } = await loadTable();
await failEverythingOnce('a move from a dead source in which everything fails once', deadScenarios);
