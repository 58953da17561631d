/** The program `calyx` as the benchmark of backups runs it: how long it takes, and how much memory it needs at most (Linux). */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../calyx', import.meta.url));

function start(args: readonly string[]): ChildProcess {
  return spawn(program, [...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** What a process has used: processor time, and the most memory at a time (proc(5), `stat` and VmHWM). */
export interface Usage {
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

/** Linux counts in hundredths. */
const ticksPerSecond = 100;

/** Undefined where it is gone. */
function usageOf(pid: number | undefined): Usage | undefined {
  try {
    const kibibytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    // After the name in brackets: `utime` and `stime` are fields 14 and 15 of all.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    if (kibibytes === undefined) return undefined;
    return { cpuSeconds: ticks / ticksPerSecond, peakMiB: Number(kibibytes) / 1024 };
  } catch {
    return undefined;
  }
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => child.once('exit', () => resolve()));

export interface Ran extends Usage {
  readonly seconds: number;
}

/** How often a command is looked at; the last look is so long before its end at most. */
const lookEveryMs = 20;

/** Runs one command to its end, which must be a good one. */
export async function run(...args: readonly string[]): Promise<Ran> {
  const startedAt = performance.now();
  const child = start(args);
  let text = '';
  let usage: Usage = { cpuSeconds: 0, peakMiB: 0 };
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const looking = setInterval(() => {
    usage = usageOf(child.pid) ?? usage;
  }, lookEveryMs);
  await ended(child);
  clearInterval(looking);
  const seconds = (performance.now() - startedAt) / 1000;
  if (child.exitCode !== 0) throw new Error(`calyx ${args.join(' ')}: ${child.exitCode} ${text}`);
  return { seconds, ...usage };
}

export interface Serving {
  readonly port: number;
  readonly licenseServerId: string;
  /** From the start of the process until it answers. */
  readonly seconds: number;
  readonly usage: () => Usage;
  /** From here on its peak is counted anew (proc(5), clear_refs). */
  readonly forgetPeak: () => void;
  /** Answers how long it took until the process had ended. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number>;
}

/** Starts the license server of a data folder, and waits until it says that it listens. */
export async function serve(dir: string): Promise<Serving> {
  const startedAt = performance.now();
  const child = start(['server', 'serve', '--data', dir, '--port', '0']);
  const text = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('\n')) resolve(said);
    });
    child.once('exit', () => reject(new Error(`the license server has ended: ${said}`)));
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const { port, licenseServerId } = JSON.parse(text) as Pick<Serving, 'port' | 'licenseServerId'>;
  return {
    ...{ port, licenseServerId, seconds },
    usage: () => usageOf(child.pid) ?? { cpuSeconds: Number.NaN, peakMiB: Number.NaN },
    forgetPeak: () => writeFileSync(`/proc/${child.pid}/clear_refs`, '5'),
    stop: async (signal = 'SIGTERM') => {
      const toldAt = performance.now();
      const gone = ended(child);
      child.kill(signal);
      await gone;
      return (performance.now() - toldAt) / 1000;
    },
  };
}
