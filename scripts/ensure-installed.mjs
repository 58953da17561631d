/**
 * Installs the dependencies where they are missing or differ from package-lock.json, and finds the
 * Node that the program runs on. Plain JavaScript of 2020: it runs on whatever Node the machine has.
 * It compares contents, not times, so that a copied or freshly checked-out tree is judged rightly.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isNodeNewEnough, oldestNode } from '../src/bin/node-version.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockFile = join(root, 'package-lock.json');
/** Written by npm as the last act of an installation, so that an interrupted one has none. */
const installedFile = join(root, 'node_modules', '.package-lock.json');
/** Newer than package-lock.json when that was found installed: `./calyx` looks at nothing else. */
const stampFile = join(root, 'node_modules', '.calyx-installed');
/** Holds the process id of the installation under way, so that two never write node_modules at once. */
const busyFile = join(root, '.installing');
const longestInstallMs = 15 * 60 * 1000;

/**
 * What package-lock.json says of one package.
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean, dev?: boolean }} LockEntry
 */

/**
 * The packages of a lock file by folder, or none where it cannot be read.
 * @param {string} path
 * @returns {Record<string, LockEntry> | undefined}
 */
function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * What is optional may be absent: it is for another platform. So may what only development needs,
 * unless `everything` is asked for.
 * @param {LockEntry} entry
 * @param {boolean} everything
 * @returns {boolean}
 */
function mayBeAbsent(entry, everything) {
  return Boolean(entry.optional || entry.devOptional || (entry.dev && !everything));
}

/**
 * Whether what is installed is what the lock file names; each is a lock file's packages by folder.
 * @param {Record<string, LockEntry> | undefined} wanted
 * @param {Record<string, LockEntry> | undefined} found
 * @param {boolean} everything
 * @returns {boolean}
 */
export function isComplete(wanted, found, everything) {
  if (wanted === undefined || found === undefined) return false;
  return Object.entries(wanted).every(([folder, entry]) => {
    if (!folder.startsWith('node_modules/')) return true;
    const present = found[folder];
    if (present === undefined) return mayBeAbsent(entry, everything);
    return present.version === entry.version && present.integrity === entry.integrity;
  });
}

/**
 * Whether node_modules holds what the lock file names.
 * @param {boolean} everything
 * @returns {boolean}
 */
function isInstalled(everything) {
  return isComplete(packagesOf(lockFile), packagesOf(installedFile), everything);
}

/**
 * Ends the process with one line on stderr.
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  process.stderr.write(`calyx: ${message}\n`);
  process.exit(1);
}

/**
 * Whether another process is installing. A file left by one that died counts for nothing.
 * @returns {boolean}
 */
function isBusy() {
  try {
    if (Date.now() - statSync(busyFile).mtimeMs > longestInstallMs) return false;
    process.kill(Number(readFileSync(busyFile, 'utf8')), 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/** Takes the right to install, waiting for whoever has it. */
function takeTurn() {
  for (;;) {
    try {
      writeFileSync(busyFile, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error);
      if (code !== 'EEXIST') fail(`cannot write to ${root} (${code}), where the dependencies are to go.`);
    }
    if (isBusy()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
    else rmSync(busyFile, { force: true });
  }
}

/**
 * Runs `npm ci`. Its output goes to stderr: stdout belongs to the command that is to run.
 * @param {boolean} everything
 * @returns {string | undefined} why it failed
 */
function install(everything) {
  process.stderr.write('calyx: installing the dependencies that package-lock.json names …\n');
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  if (everything) args.push('--include=dev', '--include=optional');
  const npm = process.env['npm_execpath'];
  const stdio = /** @type {['ignore', 2, 2]} */ (['ignore', 2, 2]);
  const done =
    npm !== undefined && /npm-cli\.c?js$/.test(npm)
      ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio })
      : spawnSync('npm', args, { cwd: root, stdio, shell: process.platform === 'win32' });
  if (done.error !== undefined) return `npm cannot be started (${done.error.message}).`;
  return done.status === 0 ? undefined : 'npm ci did not succeed, for the reason above; nothing was started.';
}

/**
 * The Node to run on: the one from node_modules, else this one if it is new enough.
 * @returns {string}
 */
function nodeToUse() {
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const own = join(root, 'node_modules', `node-${platform}-${process.arch}`, 'bin', file);
  if (existsSync(own)) return own;
  if (isNodeNewEnough(process.versions.node)) return process.execPath;
  return fail(
    `needs Node ${oldestNode} or newer; this is Node ${process.versions.node}, and none comes from npm for ` +
      `${platform}-${process.arch}: install Node ${oldestNode} and start again.`,
  );
}

/**
 * Installs what is missing and answers the path of the Node to run on; quiet and quick where there
 * is nothing to do.
 * @param {{ everything?: boolean }} [options] `everything`: also what only development needs
 * @returns {string}
 */
export function ensureInstalled({ everything = false } = {}) {
  if (!isInstalled(everything)) {
    takeTurn();
    const failure = isInstalled(everything) ? undefined : install(everything);
    rmSync(busyFile, { force: true });
    if (failure !== undefined) fail(failure);
  }
  const node = nodeToUse();
  try {
    writeFileSync(stampFile, '');
  } catch {
    // A folder that cannot be written to is looked at in full each time, and works.
  }
  return node;
}
