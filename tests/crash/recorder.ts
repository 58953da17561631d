/** Runs a program with `disk.c` between it and its databases; Linux only, and a C compiler must be there. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Why nothing can be recorded here, if so. */
export function whyNoRecorder(): string | false {
  if (process.platform !== 'linux') return 'needs Linux';
  return spawnSync('cc', ['--version']).status === 0 ? false : 'needs a C compiler (Debian: gcc)';
}

/** Compiles the library into a folder; answers its path. Throws what the compiler says. */
export function compileRecorder(dir: string): string {
  const library = join(dir, 'disk.so');
  const source = join(import.meta.dirname, 'disk.c');
  const args = [
    '-O2',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-shared',
    '-fPIC',
    '-o',
    library,
    source,
    '-ldl',
    '-lpthread',
  ];
  const compiled = spawnSync('cc', args, { encoding: 'utf8' });
  if (compiled.error !== undefined)
    throw new Error('a C compiler is needed (Debian: gcc)', { cause: compiled.error });
  if (compiled.status !== 0) throw new Error(`cc: ${compiled.stderr}`);
  return library;
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Run {
  readonly library: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Started {
  /** What it has said so far. */
  readonly said: () => Pick<Ran, 'stdout' | 'stderr'>;
  readonly ended: Promise<Ran>;
  readonly kill: () => void;
}

/** Starts Node on a program. */
export function startOver({ library, args, env }: Run): Started {
  const child = spawn(process.execPath, [...args], {
    env: { ...process.env, ...env, LD_PRELOAD: library },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...said }));
  return { said: () => said, ended, kill: () => child.kill('SIGKILL') };
}

/** Runs Node on a program until it ends. */
export async function runOver(run: Run): Promise<Ran> {
  return startOver(run).ended;
}
