/** A freeze whose receipt the clearinghouse does not take in: everybody concerned is told why the move was undone. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showMove } from '../src/clearinghouse/usecases/desk-moves.ts';
import { undone } from '../src/cli/server-move-online.ts';
import { showMove as showOwnMove } from '../src/server/usecases/start-move.ts';
import { listEvents } from '../src/server/usecases/status.ts';
import { undoMove } from '../src/server/usecases/undo-move.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { makeWorld, value } from './world/world.ts';

it('the source writes it into its log once, and shows it; so does the desk, and the command that watched', async () => {
  const world = await makeWorld(100, { kit: false });
  const old = await acts.addConnected(world, 'LS-OLD', 20);
  const next = await acts.addConnected(world, 'LS-NEW', 0);
  await acts.permanents(old, ['ws-1', 'ws-2']);
  const move = await acts.askMove(old, next);
  await acts.contact(old);
  assert.deepEqual(await acts.counts(old), [20, 0, 0, 20, 0, 0]);
  await acts.closeByContact(next, true);
  await acts.contact(old, old, old);
  assert.deepEqual(await acts.counts(old), [20, 2, 18, 0, 0, 0]);
  const own = value(await showOwnMove(old.context, move));
  assert.deepEqual([own.state, own.refused?.code], ['undone', 'server-closed']);
  const why = String(own.refused?.message);
  assert.ok(own.awaited.text.includes(why));
  const atDesk = value(await showMove(world.clearinghouse.context, move));
  assert.deepEqual([atDesk.state, atDesk.awaited.from], ['aborted', 'nobody']);
  assert.ok(atDesk.awaited.text.includes(why));
  assert.ok(
    undone({ id: move, state: own.state, refused: { message: why, next: '' } }).message.includes(why),
  );
  const events = (await listEvents(old.context, { cursor: '', limit: 100 })).items;
  const told = events.filter(({ id }) => id === 5019 || id === 5003).map(({ text }) => text);
  assert.deepEqual(
    told.map((text) => /server-closed|Move undone/.exec(text)?.[0]),
    ['server-closed', 'Move undone'],
  );
  await assertConserved(world);
  await world.close();
});

it('a move that was undone for another reason says nothing of that', async () => {
  const world = await makeWorld(100, { kit: false });
  const old = await acts.addConnected(world, 'LS-OLD', 20);
  const next = await acts.addConnected(world, 'LS-NEW', 0);
  const move = await acts.askMove(old, next, { hold: true });
  await acts.contact(old, old);
  value(await undoMove(old.context, move));
  await acts.contact(old, next, next, old);
  const own = value(await showOwnMove(old.context, move));
  assert.deepEqual([own.state, own.refused], ['undone', null]);
  assert.doesNotMatch(own.awaited.text, /taken in/);
  await world.close();
});
