/** Codes of this license server that are read to the clearinghouse: how they are shown, and as JSON. */
import type { Page } from './page.ts';
import type { ToldCode } from './server-answers.ts';

/** "the code of what is frozen" and so on, by kind. */
const meanings: Readonly<Record<string, string>> = {
  frozen: 'frozen for the move',
  released: 'given up',
  heartbeat: 'still here',
  returned: 'given back',
  deactivated: 'given up, and the server deactivated',
};

/** The amounts that a code tells, in words. */
function amounts({ kind, unissued, held }: ToldCode): string {
  if (kind === 'heartbeat') return '';
  return ` (${meanings[kind] ?? kind}: ${unissued} unissued, ${held} held)`;
}

/** Shows one code large, in both forms, with what it tells. */
export function showTold(page: Page, told: ToldCode): void {
  page.code(`Read this code to the clearinghouse, agreement number ${told.agreement}${amounts(told)}:`, told);
}
