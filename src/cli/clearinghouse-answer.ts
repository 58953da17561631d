/** `calyx clearinghouse answer`: the web-browser method without the browser, files in and out. */
import type { Command } from 'commander';
import { readTextFile, writeOutFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

interface Answered {
  readonly file: string;
  readonly messages: number;
  readonly for: readonly string[];
}

export function register(group: Command, cli: Cli): void {
  group
    .command('answer')
    .summary('answers a request file of a license server')
    .description(
      'Takes in a request file that was carried here from a license server, and writes the answer file to ' +
        'carry back. The same request again gets the same answer.',
    )
    .argument('<request-file>', 'written by calyx server … --request-out FILE')
    .requiredOption('--out <file>', 'answer file to write')
    .action(
      cli.run(async (requestFile: string, options: { readonly out: string }) => {
        const file = readTextFile(requestFile);
        const answered = await cli.withApi('clearinghouse', (api) =>
          api.call<Answered>('POST', '/v1/answers', { body: { file } }),
        );
        const out = writeOutFile(options.out, answered.file);
        return done({ out, messages: answered.messages, for: answered.for }, (page) =>
          page
            .title('The request is answered.')
            .keyValues([
              ['Answer file', out],
              ['Messages', answered.messages],
              ['For', answered.for.join(', ')],
            ])
            .next(
              `Carry the file to ${places(answered.for.length)}, with the command that wrote the request: ` +
                `calyx server … --response ${options.out}`,
            ),
        );
      }),
    );
}

const places = (count: number): string =>
  count === 1
    ? 'the license server and take it in there'
    : `each of these ${count} license servers and take it in there; each takes what is its own`;
