/** The telephone move on its source: freezing and giving up, each told by a code (protocol §3.6). */

import { when } from '../protocol/problem-words.ts';
import type { ApiClient } from './client.ts';
import { commandLine } from './command-words.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused } from './outcome.ts';
import type { ToldCode } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import type { MoveOptions } from './server-move-order.ts';
import { lineOf, orderOf } from './server-move-order.ts';
import { listMoves } from './server-move-status.ts';
import { targetOf } from './server-move-target.ts';
import { frozenAdvice } from './server-move-unreached.ts';
import { showTold } from './server-told.ts';
import {
  calsOf,
  heldInstallCommand,
  keptWords,
  otherServerCommand,
  releaseCommand,
  serverCommand,
} from './server-words.ts';

const agreementField = ({ agreement }: MoveOptions) => (agreement === undefined ? {} : { agreement });

/** Freezes, and shows the code to read; asked again, the same code. */
export async function freeze(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const { product, type, quantity, to } = orderOf(options);
  const target = await targetOf(cli, to);
  const toUrl = target.url === undefined ? {} : { toUrl: target.url };
  const body = { product, type, quantity, to: target.licenseServerId, ...toUrl, ...agreementField(options) };
  const told = await api
    .call<ToldCode>('POST', '/v1/admin/telephone/freeze', { body })
    .catch((error: unknown) => inWordsOfMove(cli, api, error));
  const { licenseServerId, packs } = await readStatus(api);
  const count = told.unissued + told.held;
  // A server that keeps some goes on working: it gives up what is frozen, and is not deactivated.
  const stays = packs.some(({ installed, held }) => installed > held);
  const giveUp = stays
    ? releaseCommand(cli, { agreement: told.agreement, product, type })
    : serverCommand(cli, 'deactivate', '--code-out');
  return done(told, (page) => {
    page.title(`${calsOf({ count, product, type })} are frozen for the move.`);
    page.text('Present holders go on renewing here; nobody new gets one of them here.');
    page.text('Read both License Server IDs to the clearinghouse, then the code:');
    page.keyValues([
      ['From (this server)', licenseServerId],
      ['To', target.licenseServerId],
      ['Agreement', told.agreement],
    ]);
    showTold(page, told);
    if (told.unissued === 0) {
      page.next(
        'All of them have holders, so nothing is to be installed yet. Give them up here, and read that code:',
      );
      page.verbatim(giveUp);
      return;
    }
    page
      .next(
        'Type the CAL Key Pack ID that you are given (it begins with 6 or 7) on the new license server, and try it there. Then give these up here:',
      )
      .verbatim([otherServerCommand('install', '--code', 'CODE'), giveUp]);
  });
}

/** A move by message that is frozen already is no refusal without a way: it can be finished from here. */
async function inWordsOfMove(cli: Cli, api: ApiClient, error: unknown): Promise<never> {
  if (!(error instanceof Refused) || error.refused.code !== 'move-open') throw error;
  const open = (await listMoves(api)).find(({ id }) => id === error.refused['move']);
  if (open?.state !== 'frozen' || open.carrier !== 'online' || open.role !== 'source') throw error;
  throw new Refused({ ...error.refused, ...frozenAdvice(cli, open) }, { cause: error });
}

/** Gives up what is frozen, and shows the code to read; asked again, the same code. */
export async function release(api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const { product, type } = lineOf(options);
  const body = { product, type, ...agreementField(options) };
  const told = await api.call<ToldCode>('POST', '/v1/admin/telephone/release', { body });
  const { licenseServerId } = await readStatus(api);
  return done(told, (page) => {
    const given = calsOf({ count: told.unissued + told.held, product, type });
    page.title(
      told.madeAt === undefined
        ? `${given} are given up by this server.`
        : `Nothing of ${product} per ${type} is frozen here now, and nothing is given up.`,
    );
    if (told.madeAt !== undefined) {
      page.text(
        `On ${when(told.madeAt)} ${given} were given up. This is the code of that once more, as it was:`,
      );
    }
    showTold(page, told);
    page.text(`At the desk: ${commandLine('calyx', 'desk', 'confirm', told.code)}`);
    if (told.keptUntil != null) page.text(`Of what stays: ${keptWords(told.keptUntil)}.`);
    if (told.held === 0) return;
    page
      .next(
        'Type the key pack of the CALs that have holders (it begins with 8 or 9) on the new license server:',
      )
      .verbatim(heldInstallCommand(licenseServerId, told.alsoFrom));
  });
}
