/**
 * What this machine is known by beside the instance secret (protocol §5.1, §5.3): compared with what was seen last, and
 * never mixed into a key, so that a new mainboard raises a question and destroys nothing. Only their HMACs are kept.
 */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { base64url, utf8 } from '../core/bytes.ts';
import type { Signal } from '../core/server-identity.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { nodeDigest } from './digest.ts';

/** One signal by its name; null where it cannot be read here, which says nothing. */
export interface RawSignals {
  /** Of the operating system: a new installation has another one. A copy of a machine has the same. */
  readonly machineId: string | null;
  /** Of the machine, as its firmware says (DMI product UUID): a copy of a virtual machine has another one. */
  readonly hardware: string | null;
  readonly rootFilesystem: string | null;
  /** When the root file system was made. */
  readonly installedAt: string | null;
  /** In a container nothing of the machine counts: it is the host's. The id that its administrator gave to the volume does. */
  readonly volume: string | null;
}

type SignalName = keyof RawSignals;
const names: readonly SignalName[] = ['machineId', 'hardware', 'rootFilesystem', 'installedAt', 'volume'];

/** Those that tell one machine from another. The others are weak: they are shown, and decide nothing (protocol §5.3). */
const ofTheMachine: readonly SignalName[] = ['hardware', 'volume'];

function eachSignal(of: (name: SignalName) => string | null): RawSignals {
  return {
    machineId: of('machineId'),
    hardware: of('hardware'),
    rootFilesystem: of('rootFilesystem'),
    installedAt: of('installedAt'),
    volume: of('volume'),
  };
}

const unknown = eachSignal(() => null);

/** How the machine is now to what was seen of it last. */
export interface Compared {
  readonly machine: Signal;
  /** The names of all signals that have changed, weak ones too. */
  readonly changed: readonly string[];
}

export interface Machine {
  readonly compare: () => Compared;
  /** From now on this is the machine that this server runs on. */
  readonly accept: () => void;
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    // Not there, not for this account to read, or not on this system: nothing is known, and nothing wrong.
    return null;
  }
}

const textOf = (path: string): string | null => attempt(() => readFileSync(path, 'utf8').trim() || null);

/** The UUID of the file system that is mounted at `/`: the link under `by-uuid` that leads to its device. */
function rootFilesystemOf(root: string): string | null {
  const mounts = (textOf(join(root, 'proc/self/mountinfo')) ?? '').split('\n').map((line) => line.split(' '));
  const mount = mounts.find((fields) => fields[4] === '/');
  const device = mount?.[mount.indexOf('-') + 2];
  if (device?.startsWith('/dev/') !== true) return null;
  const links = join(root, 'dev/disk/by-uuid');
  const target = attempt(() => realpathSync(join(root, device)));
  const uuids = attempt(() => readdirSync(links)) ?? [];
  return uuids.find((uuid) => attempt(() => realpathSync(join(links, uuid))) === target) ?? null;
}

function installedAtOf(root: string): string | null {
  const bornMs = attempt(() => statSync(root).birthtimeMs) ?? 0;
  return bornMs > 0 ? String(Math.floor(bornMs)) : null;
}

/** Reads the signals of a Linux system whose root is `root`; each that cannot be read is null. */
function readLinux(root: string): RawSignals {
  const inContainer = ['.dockerenv', 'run/.containerenv'].some(
    (name) => attempt(() => statSync(join(root, name))) !== null,
  );
  if (inContainer) return unknown;
  return {
    machineId: textOf(join(root, 'etc/machine-id')) ?? textOf(join(root, 'var/lib/dbus/machine-id')),
    hardware: textOf(join(root, 'sys/class/dmi/id/product_uuid')),
    rootFilesystem: rootFilesystemOf(root),
    installedAt: installedAtOf(root),
    volume: null,
  };
}

/** What this system tells of itself. Windows and others tell nothing yet: their signals are all unknown. */
export function readSignals(of: {
  readonly volume: string | null;
  readonly platform?: NodeJS.Platform;
  readonly root?: string;
}): RawSignals {
  const { volume, platform = process.platform, root = '/' } = of;
  // The administrator has said what this is: what the host says of itself does not count beside it.
  if (volume !== null) return { ...unknown, volume };
  return platform === 'linux' ? readLinux(root) : unknown;
}

function readKept(path: string): RawSignals | null {
  const value: unknown = attempt(() => JSON.parse(readFileSync(path, 'utf8')));
  if (typeof value !== 'object' || value === null) return null;
  const rows = value as Readonly<Record<string, unknown>>;
  return eachSignal((name) => {
    const kept = rows[name];
    return typeof kept === 'string' ? kept : null;
  });
}

/**
 * The machine under a license server. What was seen of it stands in `path`, beside the instance secret, as HMACs under a
 * key from that secret: a machine id that leaves its machine would tell it from all others. Throws what the operating
 * system refuses where it is to be written.
 */
export function openMachine(of: {
  readonly path: string;
  readonly secret: Uint8Array;
  readonly read: () => RawSignals;
}): Machine {
  const { path, secret, read } = of;
  const key = nodeDigest.hkdfSha256(secret, utf8('CALMACH1'), 32);
  const now = (): RawSignals => {
    const raw = read();
    return eachSignal((name) => {
      const value = raw[name];
      return value === null ? null : base64url(nodeDigest.hmacSha256(key, utf8(`${name}:${value}`)));
    });
  };
  const accept = (): void => {
    const [before, present] = [readKept(path), now()];
    // What cannot be read just now is what it was, as far as anybody knows.
    const kept = eachSignal((name) => present[name] ?? before?.[name] ?? null);
    writeFileAtomic(path, JSON.stringify(kept));
  };
  const compare = (): Compared => {
    const before = readKept(path);
    const present = now();
    const isChanged = (name: SignalName): boolean => {
      const kept = before?.[name] ?? null;
      return kept !== null && present[name] !== null && kept !== present[name];
    };
    const isKnown = (name: SignalName): boolean =>
      (before?.[name] ?? null) !== null && present[name] !== null;
    const known = ofTheMachine.filter(isKnown);
    const changed = names.filter(isChanged);
    if (ofTheMachine.some((name) => changed.includes(name))) return { machine: 'changed', changed };
    return { machine: known.length > 0 ? 'same' : 'unknown', changed };
  };
  return { compare, accept };
}

/** The file in the folder of the instance secret in which a license server keeps what it has seen of its machine. */
export function machineFile(instanceDir: string, licenseServerId: string): string {
  return join(instanceDir, `${licenseServerId}.machine`);
}
