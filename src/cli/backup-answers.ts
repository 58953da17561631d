/** What the routes of backups answer, as the commands read it, and how they show it. */
import type { JsonObject } from '../core/json.ts';
import { when } from '../protocol/problem-words.ts';

export type KeptBackup = JsonObject & {
  readonly id: string;
  readonly state: 'running' | 'kept' | 'failed';
  readonly percent: number;
  readonly file: string;
  readonly at: string;
  readonly bytes: number | null;
  readonly scheduled: boolean;
  readonly problem: string | null;
};

export type BackupSettings = JsonObject & {
  readonly every: string | null;
  readonly keep: number;
  readonly folder: string | null;
  readonly recipient: string | null;
};

export type LastBackup = JsonObject & {
  readonly at: string;
  readonly file: string;
  readonly bytes: number | null;
  readonly problem: string | null;
};

export type Backups = JsonObject & {
  readonly settings: BackupSettings;
  readonly last: LastBackup | null;
  readonly next: string | null;
  readonly running: KeptBackup | null;
  readonly kept: readonly KeptBackup[];
};

export const backupsPath = '/v1/admin/backups';

/** `12.3 MiB`. */
export function size(bytes: number): string {
  const steps = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let shown = bytes;
  let step = 0;
  while (shown >= 1024 && step < steps.length - 1) {
    shown /= 1024;
    step += 1;
  }
  return `${step === 0 ? shown : shown.toFixed(1)} ${steps[step]}`;
}

/** How the last one went, for a list of facts. */
export function lastText(last: LastBackup | null): string {
  if (last === null) return 'never';
  if (last.problem !== null) return `failed on ${when(last.at)}: ${last.problem}`;
  return `${when(last.at)}, ${size(last.bytes ?? 0)}, ${last.file}`;
}
