/** Everything that Calyx says no to: with which code, with which numbers, and with nothing changed. */
import { serversRefuseMessages } from './refusals/answers.ts';
import { lyingClocksAreRefused } from './refusals/clocks.ts';
import { serversRefuseCodes } from './refusals/codes.ts';
import { deskRefusesConfirmations } from './refusals/confirmations.ts';
import { deskRefuses } from './refusals/desk.ts';
import { filesAreRefused } from './refusals/files.ts';
import { clientsAreRefused } from './refusals/licenses.ts';
import { clearinghouseRefusesMessages } from './refusals/messages.ts';
import { movesAreRefused } from './refusals/moves.ts';

deskRefuses();
deskRefusesConfirmations();
serversRefuseCodes();
clearinghouseRefusesMessages();
serversRefuseMessages();
filesAreRefused();
lyingClocksAreRefused();
clientsAreRefused();
movesAreRefused();
