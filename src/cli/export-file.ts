/** Writes an audit bundle, the same for both programs: its beginning, then its journals page by page. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import { fileFailure } from './local-files.ts';
import type { Cli } from './main.ts';

interface Beginning {
  readonly start: string;
  readonly journals: readonly { readonly log: string; readonly size: number }[];
}

/** The most entries of one answer. */
const pageSize = 2000;

/** Where the beginning is asked for, and under which path the journals are. */
export interface ExportRoutes {
  readonly begin: string;
  readonly journals: readonly string[];
}

/** Writes the bundle whole or not at all. Answers the full path and the number of entries. */
export async function writeBundle(
  cli: Cli,
  api: ApiClient,
  of: { readonly out: string; readonly routes: ExportRoutes },
): Promise<{ readonly file: string; readonly entries: number }> {
  const begun = await api.call<Beginning>('GET', of.routes.begin);
  const entries = begun.journals.reduce((sum, { size }) => sum + size, 0);
  const progress = cli.progress('Entries', entries);
  const temporary = `${of.out}.new`;
  try {
    const file = openNew(temporary);
    try {
      writeSync(file, begun.start);
      let written = 0;
      for (const journal of begun.journals) {
        for await (const lines of pagesOf(api, of.routes.journals, journal)) {
          writeSync(file, `${lines.join('\n')}\n`);
          written += lines.length;
          progress.update(written);
        }
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, of.out);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    progress.end();
  }
  return { file: resolve(of.out), entries };
}

function openNew(path: string): number {
  rmSync(path, { force: true });
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    throw fileFailure(path, error, {
      ...{ code: 'file-not-writable', did: 'written' },
      next: 'Name a file in a folder that is there and that this account may write to, then run the same command again.',
    });
  }
}

async function* pagesOf(
  api: ApiClient,
  path: readonly string[],
  journal: { readonly log: string; readonly size: number },
): AsyncGenerator<readonly string[]> {
  for (let from = 0; from < journal.size; from += pageSize) {
    const limit = Math.min(pageSize, journal.size - from);
    const page = await api.call<{ entries: readonly string[] }>('GET', pathOf(...path, journal.log), {
      query: { from, limit },
    });
    yield page.entries;
  }
}
