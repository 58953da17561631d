/** The failure table (tests/failures/table.ts) of moves of more CALs than one move brings. */
import { inParts, loadTable } from './failures/load.ts';

const { failEverythingOnce, partsScenarios } = await loadTable(inParts);
await failEverythingOnce('a move in parts in which everything fails once', partsScenarios);
