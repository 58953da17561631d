import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startProgress } from './progress.ts';

function drawn(isTTY: boolean, json = false): string {
  let text = '';
  const sink = { isTTY, write: (part: string) => (text += part) };
  const progress = startProgress({ sink, json, label: 'Moving', total: 200 });
  progress.update(0);
  progress.update(1);
  progress.update(100);
  progress.update(100);
  progress.update(500);
  progress.end();
  return text;
}

describe('a progress bar', () => {
  it('is drawn in place, once for each look, and taken away', () => {
    const frames = drawn(true).split('\r\u001b[2K');
    assert.deepEqual(frames, [
      '',
      `Moving  ${'░'.repeat(24)}    0 %`,
      `Moving  ${'█'.repeat(12)}${'░'.repeat(12)}   50 %`,
      `Moving  ${'█'.repeat(24)}  100 %`,
      '',
    ]);
  });

  it('is silent elsewhere and with --json', () => {
    assert.equal(drawn(false), '');
    assert.equal(drawn(true, true), '');
  });
});
