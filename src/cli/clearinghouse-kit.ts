/** `calyx clearinghouse kit`: the agreement kit as a file, and its QR code where it fits in one. */
import type { Command } from 'commander';
import { Failure } from '../platform/failure.ts';
import { readKitFile } from '../protocol/authority.ts';
import { agreementGiven } from './asked-agreement.ts';
import { pathOf } from './client.ts';
import { commandLine } from './command-words.ts';
import { writeOutFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

interface KitOptions {
  readonly agreement?: string;
  readonly out: string;
  readonly qr?: string;
}

interface Kit {
  readonly kitId: string;
  readonly slots: readonly number[];
  readonly file: string;
}

/** The largest text of a QR code of version 40 with level L, in bytes (ISO/IEC 18004, table 7). */
const mostQrBytes = 2953;

/** The picture of the kit's own token: a server has the trust list from its publisher bundle. */
async function qrOf(kitFile: string): Promise<Uint8Array> {
  const kit = readKitFile(kitFile);
  if (!kit.ok) throw new Error(`The clearinghouse made a kit file that cannot be read: ${kit.error.code}`);
  const { length } = kit.value.kit;
  if (length > mostQrBytes) {
    throw new Failure(`This kit has ${length} characters; a QR code holds at most ${mostQrBytes}.`, {
      code: 'qr-too-large',
      next: 'Carry the kit as a file: run the same command without --qr.',
      details: { length, most: mostQrBytes },
    });
  }
  const { toBuffer } = await import('qrcode');
  return toBuffer(kit.value.kit, { type: 'png', errorCorrectionLevel: 'L', scale: 4 });
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
    .action(
      cli.run(async (options: KitOptions) => {
        const agreement = agreementGiven(options.agreement);
        const kit = await cli.withApi('clearinghouse', (api) =>
          api.call<Kit>('POST', pathOf('v1', 'agreements', agreement, 'kit')),
        );
        const picture = options.qr === undefined ? undefined : await qrOf(kit.file);
        const out = writeOutFile(options.out, kit.file, 0o644);
        const qr =
          options.qr === undefined || picture === undefined ? null : writeOutFile(options.qr, picture, 0o644);
        const add = commandLine('calyx', 'server', 'kit', 'add', options.out);
        return done({ agreement, kitId: kit.kitId, slots: kit.slots, out, qr }, (page) =>
          page
            .title(`The kit of agreement ${agreement} is written.`)
            .keyValues([
              ['File', out],
              ...(qr === null ? [] : [['QR code', qr] as const]),
              ['Room for', `${kit.slots.length} license servers (slots ${kit.slots.join(', ')})`],
            ])
            .next(`Hand it out with the paper agreement. On the license server: ${add}`),
        );
      }),
    );
}
