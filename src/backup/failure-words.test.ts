import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StoreFailure } from '../store/port.ts';
import { reasonOf } from './failure-words.ts';

const withFields = (fields: object): Error => Object.assign(new Error('raw words'), fields);

describe('why a backup failed', () => {
  const table: readonly [string, unknown, string][] = [
    ['a full disk', withFields({ code: 'ENOSPC' }), 'the disk is full'],
    [
      'a full disk, as SQLite says it',
      withFields({ code: 'ERR_SQLITE_ERROR', errcode: 13 }),
      'the disk is full',
    ],
    [
      'a write that failed, as SQLite says it',
      withFields({ code: 'ERR_SQLITE_ERROR', errcode: 778 }),
      'the disk does not take what is written, or gives back nothing',
    ],
    [
      'a folder that is gone',
      withFields({ code: 'ENOENT', path: '/mnt/x' }),
      '/mnt/x: there is no such file or folder',
    ],
    [
      'a damaged database',
      new StoreFailure('damaged', 'the database is damaged: x'),
      'the database is damaged: x',
    ],
    ['anything else', withFields({ code: 'EWHAT' }), 'raw words'],
    ['what is no error at all', 'text', 'text'],
  ];
  for (const [name, error, words] of table) it(`tells ${name}`, () => assert.equal(reasonOf(error), words));
});
