/** What an error of node:sqlite means: the command's own fault, or a database that cannot go on. */

interface SqliteError extends Error {
  /** Extended result code (sqlite.org/rescode.html); the low byte is the primary code. */
  readonly errcode: number;
}

function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';
}

const primaryBusy = 5;
const constraintPrimaryKey = 1555;
const constraintUnique = 2067;

/** SQLITE_ERROR, TOOBIG, CONSTRAINT, MISMATCH, RANGE: a wrong statement or value, the database is well. */
const statementFaults: ReadonlySet<number> = new Set([1, 18, 19, 20, 25]);

/** Whether the error tells of the database (full disk, I/O, damage) and not of the statement. */
export function isDatabaseFault(error: unknown): boolean {
  return isSqliteError(error) && !statementFaults.has(error.errcode & 0xff);
}

/** Whether another process holds the lock that was waited for. */
export function isBusy(error: unknown): boolean {
  return isSqliteError(error) && (error.errcode & 0xff) === primaryBusy;
}

/** Whether a row with the same key is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return (
    isSqliteError(error) && (error.errcode === constraintPrimaryKey || error.errcode === constraintUnique)
  );
}
