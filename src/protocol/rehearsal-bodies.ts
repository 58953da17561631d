/** What the clearinghouse would make of a move (protocol §2.3): its books, both ends, and what a dead source comes to. */
import Type from 'typebox';
import { Address, Count, closed, Text, Time, Units } from './schema.ts';

/** The accounts of a line that a move touches. */
export const Books = closed({
  inHand: Units,
  /** Committed to the source, and to the target, of the move. */
  source: Units,
  target: Units,
  inTransit: Units,
  /** Of a source that no longer functions, until its horizon. */
  quarantined: Units,
});
const Day = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' });
/** One end of a move, as far as the clearinghouse knows it and the asker may. */
export const End = closed({
  name: Type.Union([Text, Type.Null()]),
  method: Type.Union([Text, Type.Null()]),
  lastContactAt: Type.Union([Time, Type.Null()]),
  horizon: Type.Union([Day, Type.Null()]),
  /** Where its clients reach it, as it has told. */
  address: Type.Union([Address, Type.Null()]),
});
const Risk = closed({ units: Units, from: Time, until: Time });
/** What a declaration that a source no longer functions comes to (protocol §2.5). */
export const DeadOutlook = closed({
  units: Units,
  horizon: Time,
  opensAt: Time,
  sunset: Time,
  atRisk: Risk,
  /** Released by a second person; null where the units are granted already, or will be at once. */
  early: Type.Union([
    closed({ left: Count, next: Type.Union([Day, Type.Null()]), atRisk: Risk }),
    Type.Null(),
  ]),
});
