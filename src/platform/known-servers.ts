/**
 * The list of license servers that a clearinghouse ever activated, beside its instance secret and outside of every backup:
 * after a restore it says who was activated since (protocol §5.6). It is made with the clearinghouse; one that is not there
 * is never begun anew, because only a complete list says that there is nobody else.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from './atomic-file.ts';

const listFile = 'activated-servers';
/** So that a line which a crash cut off is told from a whole one. */
const lineForm = /^([A-Za-z0-9-]{1,40}) ([0-9A-Z-]{41})$/;

export interface KnownServer {
  readonly agreement: string;
  readonly licenseServerId: string;
}

const pathIn = (instanceDir: string): string => join(instanceDir, listFile);

/** Begins the list of a new clearinghouse. */
export function beginKnownServers(instanceDir: string): void {
  writeFileAtomic(pathIn(instanceDir), '');
}

/** Adds a line, on disk when it returns. Called before the activation is committed: one too many does no harm. */
export function addKnownServer(instanceDir: string, { agreement, licenseServerId }: KnownServer): void {
  if (!existsSync(pathIn(instanceDir))) return;
  const file = openSync(pathIn(instanceDir), 'a');
  try {
    // A line feed first: what a crash has cut off before stays a line of its own.
    writeSync(file, `\n${agreement} ${licenseServerId}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The list; undefined where it is gone. */
export function readKnownServers(instanceDir: string): readonly KnownServer[] | undefined {
  if (!existsSync(pathIn(instanceDir))) return undefined;
  return readFileSync(pathIn(instanceDir), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, agreement, licenseServerId] = lineForm.exec(line) ?? [];
      return agreement === undefined || licenseServerId === undefined ? [] : [{ agreement, licenseServerId }];
    });
}
