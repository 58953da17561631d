/** The failure table (tests/failures/table.ts) of moves between servers that work. */
import { scenarios } from './failures/scenarios.ts';
import { failEverythingOnce } from './failures/table.ts';

failEverythingOnce('a move in which everything fails once', scenarios);
