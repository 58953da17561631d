/** The failure table (tests/failures/table.ts) of moves between servers that work. */
import { loadTable } from './failures/load.ts';

const { failEverythingOnce, scenarios } = await loadTable();
await failEverythingOnce('a move in which everything fails once', scenarios);
