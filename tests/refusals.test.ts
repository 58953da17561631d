/** Everything that Calyx says no to: with which code, with which numbers, and with nothing changed. */
import { serversRefuseCodes } from './refusals/codes.ts';
import { deskRefusesConfirmations } from './refusals/confirmations.ts';
import { clearinghouseRefusesMessages } from './refusals/messages.ts';
import { deskRefuses } from './refusals/desk.ts';

deskRefuses();
deskRefusesConfirmations();
serversRefuseCodes();
clearinghouseRefusesMessages();
