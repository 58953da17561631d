import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { port, quantity, quantityOrAll } from './arguments.ts';

describe('numbers on the command line', () => {
  it('are whole and within their bounds', () => {
    assert.equal(quantity('25'), 25);
    assert.equal(port('0'), 0);
    assert.equal(quantityOrAll('all'), 'all');
    assert.equal(quantityOrAll('7'), 7);
  });

  it('are wrong usage otherwise', () => {
    for (const text of ['', '0', '-1', '2.5', '1e3', '0x10', ' 5', 'all', '1000000001', '9'.repeat(30)]) {
      assert.throws(() => quantity(text), InvalidArgumentError, text);
    }
    assert.throws(() => port('65536'), InvalidArgumentError);
    assert.throws(() => quantityOrAll('some'), InvalidArgumentError);
  });
});
