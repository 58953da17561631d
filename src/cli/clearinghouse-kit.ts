/** `calyx clearinghouse kit`: the agreement kit as a file, as a QR code where it fits in one, and as a sheet of paper. */
import type { Command } from 'commander';
import { Failure } from '../platform/failure.ts';
import { readKitFile } from '../protocol/authority.ts';
import { agreementGiven } from './asked-agreement.ts';
import type { Agreement } from './clearinghouse-agreement.ts';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import { commandLine } from './command-words.ts';
import { kitSheet } from './kit-sheet.ts';
import { writeOutFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

interface KitOptions {
  readonly agreement?: string;
  readonly out: string;
  readonly qr?: string;
  readonly sheet?: string;
}

interface Kit {
  readonly kitId: string;
  readonly slots: readonly number[];
  readonly file: string;
}

/** The largest text of a QR code of version 40 with level L, in bytes (ISO/IEC 18004, table 7). */
const mostQrBytes = 2953;

/** The text of the QR code: the kit's own token, as a server has the trust list from its publisher bundle. */
function kitToken(kitFile: string): string {
  const kit = readKitFile(kitFile);
  if (!kit.ok) throw new Error(`The clearinghouse made a kit file that cannot be read: ${kit.error.code}`);
  return kit.value.kit;
}

async function qrOf(kitFile: string): Promise<Uint8Array> {
  const token = kitToken(kitFile);
  const { length } = token;
  if (length > mostQrBytes) {
    throw new Failure(`This kit has ${length} characters; a QR code holds at most ${mostQrBytes}.`, {
      code: 'qr-too-large',
      next: 'Carry the kit as a file: run the same command without --qr.',
      details: { length, most: mostQrBytes },
    });
  }
  const { toBuffer } = await import('qrcode');
  return toBuffer(token, { type: 'png', errorCorrectionLevel: 'L', scale: 4 });
}

/** The sheet says so where the code is too long for its QR code; it is of use without. */
async function sheetOf(api: ApiClient, kit: Kit, number: string): Promise<string> {
  const agreement = await api.call<Agreement>('GET', pathOf('v1', 'agreements', number));
  const { publisher } = await api.call<{ readonly publisher: string }>('GET', '/health');
  const token = kitToken(kit.file);
  const { toString: draw } = await import('qrcode');
  const qr =
    token.length > mostQrBytes
      ? null
      : await draw(token, { type: 'svg', errorCorrectionLevel: 'L', margin: 2 });
  return kitSheet({ publisher, agreement, kitId: kit.kitId, room: kit.slots.length, qr });
}

export function register(group: Command, cli: Cli): void {
  group
    .command('kit')
    .summary('makes the agreement kit')
    .description(
      'Writes the agreement kit: what comes with the paper agreement, so that a license server without any ' +
        'connection can check telephone codes. It is no secret; made again it is the same, extended where the ' +
        'agreement has grown.',
    )
    .option('--agreement <number>', 'agreement or enrollment number')
    .requiredOption('--out <file>', 'file to write')
    .option('--qr <file>', 'also as a QR code (PNG), to be printed on the paper')
    .option('--sheet <file>', 'also as a sheet to print (HTML): agreement, QR code, steps, room for codes')
    .action(
      cli.run(async (options: KitOptions) => {
        const agreement = agreementGiven(options.agreement);
        const { kit, paper } = await cli.withApi('clearinghouse', async (api) => {
          const made = await api.call<Kit>('POST', pathOf('v1', 'agreements', agreement, 'kit'));
          const wanted = options.sheet !== undefined;
          return { kit: made, paper: wanted ? await sheetOf(api, made, agreement) : undefined };
        });
        const picture = options.qr === undefined ? undefined : await qrOf(kit.file);
        const write = (path: string | undefined, content: string | Uint8Array | undefined): string | null =>
          path === undefined || content === undefined ? null : writeOutFile(path, content, 0o644);
        const out = writeOutFile(options.out, kit.file, 0o644);
        const qr = write(options.qr, picture);
        const sheet = write(options.sheet, paper);
        const add = commandLine('calyx', 'server', 'kit', 'add', options.out);
        return done({ agreement, kitId: kit.kitId, slots: kit.slots, out, qr, sheet }, (page) =>
          page
            .title(`The kit of agreement ${agreement} is written.`)
            .keyValues([
              ['File', out],
              ...(qr === null ? [] : [['QR code', qr] as const]),
              ...(sheet === null ? [] : [['Sheet to print', sheet] as const]),
              ['Room for', `${kit.slots.length} license servers (slots ${kit.slots.join(', ')})`],
            ])
            .next(`Hand it out with the paper agreement. On the license server: ${add}`),
        );
      }),
    );
}
