/** What the routes of backups answer, as the commands read it, and how they show it. */
import type { BackupsView } from '../backup/backups.ts';
import { when } from '../protocol/problem-words.ts';

export type Backups = BackupsView;
export type BackupSettings = Backups['settings'];
export type LastBackup = NonNullable<Backups['last']>;
export type KeptBackup = Backups['kept'][number];

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
