/**
 * Refuses a Node that is too old, in one line. Plain JavaScript of 2020, so that the Nodes it
 * refuses can read it; whatever needs a newer Node is imported only after the check has passed.
 */

/** The first Node whose type stripping and `node:sqlite` need no flag and print no warning. */
export const oldestNode = 24;

/**
 * Whether a version such as `24.21.0` is new enough.
 * @param {string} version
 * @returns {boolean}
 */
export function isNodeNewEnough(version) {
  return Number(version.split('.')[0]) >= oldestNode;
}

/** Ends the process with exit code 2 (wrong usage) where this Node is too old. */
export function refuseOldNode() {
  if (isNodeNewEnough(process.versions.node)) return;
  process.stderr.write(
    `calyx needs Node ${oldestNode} or newer, and this is Node ${process.versions.node}: ` +
      'start it with ./calyx or npm start, which bring the right one along.\n',
  );
  process.exit(2);
}
