/**
 * Runs a program on the right Node, after installing what is missing:
 *   node scripts/run.mjs [--everything] FILE [ARGUMENT…]
 * `--everything` installs what only development needs as well; `--node-path` prints the Node's path
 * instead. A shell cannot do this with `&&`, because it remembers where it found the first `node`.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { ensureInstalled } from './ensure-installed.mjs';

/**
 * MiB of each of the three parts of memory in which what is new and soon forgotten lies. Left to itself V8 takes 32 where a
 * license server is busy, and the process 80 MiB more. `calyx` says the same.
 */
const young = '--max-semi-space-size=16';

/**
 * Starts the program with this one's terminal, passes signals on, and ends as it ends.
 * @param {string} node
 * @param {string[]} args
 */
function run(node, args) {
  const child = spawn(node, args, { stdio: 'inherit' });
  for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // Ctrl-C on a terminal reaches the child by itself: a second one might mean "at once" to it.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`calyx: ${node} cannot be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
  });
}

const args = process.argv.slice(2);
const everything = args[0] === '--everything';
if (everything) args.shift();
const node = ensureInstalled({ everything });
if (args[0] === '--node-path') process.stdout.write(`${node}\n`);
else run(node, [young, ...args]);
