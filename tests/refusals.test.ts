/** Everything that Calyx says no to: with which code, with which numbers, and with nothing changed. */
import { deskRefuses } from './refusals/desk.ts';

deskRefuses();
