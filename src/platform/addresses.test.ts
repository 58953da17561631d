import assert from 'node:assert/strict';
import { it } from 'node:test';
import { canonicalAddress } from './addresses.ts';

it('takes addresses in any writing, and nothing else', () => {
  assert.equal(canonicalAddress('10.0.0.5'), '10.0.0.5');
  assert.equal(canonicalAddress('2001:DB8::0005'), '2001:db8::5');
  assert.equal(canonicalAddress('::1'), '::1');
  for (const wrong of ['999.999.999.999', '10.0.0', 'host', '', 'fe80::1%eth0', '[::1]']) {
    assert.equal(canonicalAddress(wrong), undefined, wrong);
  }
});
