/** The failure table (tests/failures/table.ts) of moves from a source that no longer functions. */
import { deadScenarios } from './failures/dead-scenarios.ts';
import { failEverythingOnce } from './failures/table.ts';

failEverythingOnce('a move from a dead source in which everything fails once', deadScenarios);
