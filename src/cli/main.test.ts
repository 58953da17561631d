import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import type { Command } from 'commander';
import { Failure } from '../platform/failure.ts';
import type { Openers } from './connect.ts';
import type { Cli, CommandGroup, Surroundings } from './main.ts';
import { runCli } from './main.ts';
import { done, Refused, silent, Unreachable, unsound, WrongUsage } from './outcome.ts';

const openers: Openers = {
  server: async () => {
    throw new Error('not opened in these tests');
  },
  clearinghouse: async () => {
    throw new Error('not opened in these tests');
  },
};

/** Commands that end well. */
function registerGood(group: Command, cli: Cli): void {
  group
    .command('status')
    .option('--name <name>')
    .action(
      cli.run(async (options: { name?: string }) =>
        done({ name: options.name ?? 'LS-OLD', settings: { ...cli.settings } as never }, (page) =>
          page.keyValues([['Name', options.name ?? 'LS-OLD']]).next('Install a key pack.'),
        ),
      ),
    );
  group
    .command('unsound')
    .action(cli.run(async () => unsound({ verdict: 'broken' }, (page) => page.text('Broken.'))));
  group.command('serve').action(
    cli.run(async () => {
      cli.output.print({ address: 'http://127.0.0.1:7410' }, (page) => page.text('Ready.'));
      cli.output.note('Ctrl-C stops it.');
      return silent;
    }),
  );
  group.command('ask').action(
    cli.run(async () => {
      const answer = await cli.confirm('+25 → total 125. Install?');
      return done({ answer }, (page) => page.text(answer ? 'Installed.' : 'Left as it is.'));
    }),
  );
  group.command('connect').action(cli.run(async () => cli.withApi('server', async () => silent)));
}

/** Commands that end in each other way there is. */
function registerBad(group: Command, cli: Cli): void {
  const ending = (name: string, error: () => unknown): void => {
    group.command(name).action(
      cli.run(async () => {
        throw error();
      }),
    );
  };
  ending(
    'refused',
    () =>
      new Refused({
        code: 'quantity-above-agreement',
        message: 'Only 5 are left.',
        next: 'Ask for 5.',
        asked: 30,
        inHand: 5,
      }),
  );
  ending(
    'suspect',
    () => new Refused({ code: 'server-suspect', message: 'Not as remembered.', next: 'Call.' }),
  );
  ending(
    'offline',
    () => new Refused({ code: 'clearinghouse-unreachable', message: 'No way.', next: 'Telephone.' }),
  );
  ending('unreachable', () => new Unreachable('Nobody there.', { url: 'http://x', next: 'Look.' }));
  ending('usage', () => new WrongUsage('--from and --to are both needed'));
  ending(
    'folder',
    () =>
      new Failure('No folder.', { code: 'data-folder-missing', next: 'Init.', details: { folder: '/x' } }),
  );
  group.command('crash').action(
    cli.run(async () => {
      cli.output.print({ address: 'x' }, (page) => page.text('Ready.'));
      throw new Failure('The disk is full.', { code: 'disk-full', next: 'Free some space.' });
    }),
  );
  ending('bug', () => new TypeError('cannot read properties of undefined'));
}

function register(group: Command, cli: Cli): void {
  registerGood(group, cli);
  registerBad(group, cli);
}

interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly loaded: readonly string[];
}

interface RunOptions {
  readonly env?: Record<string, string>;
  readonly tty?: boolean;
  /** What is typed on the terminal. */
  readonly typed?: string;
}

async function run(line: string, { env = {}, tty = false, typed = '' }: RunOptions = {}): Promise<Ran> {
  const loaded: string[] = [];
  const group = (name: string): CommandGroup => ({
    name,
    summary: `the ${name} commands`,
    load: async () => {
      loaded.push(name);
      return { register };
    },
  });
  const sink = () => Object.assign(new PassThrough(), { isTTY: tty, columns: 80 });
  const [stdin, stdout, stderr] = [sink(), sink(), sink()];
  if (typed !== '') stdin.write(typed);
  const surroundings: Surroundings = { env, stdin, stdout, stderr };
  const argv = line === '' ? [] : line.split(' ');
  const exit = await runCli(argv, surroundings, { groups: [group('server'), group('desk')], openers });
  const text = (stream: PassThrough): string => String(stream.read() ?? '');
  return { exit, stdout: text(stdout), stderr: text(stderr), loaded };
}

describe('results', () => {
  it('are a page for people, and one JSON object for programs', async () => {
    const people = await run('server status');
    assert.equal(people.exit, 0);
    assert.equal(people.stdout, 'Name: LS-OLD\n\nNext: Install a key pack.\n');
    assert.equal(people.stderr, '');
    const programs = await run('server status --json');
    assert.equal(programs.exit, 0);
    assert.equal(JSON.parse(programs.stdout).name, 'LS-OLD');
    assert.equal(programs.stdout.trim().split('\n').length, 1);
  });

  it('have exit code 4 where what was found is not sound', async () => {
    const { exit, stdout } = await run('server unsound --json');
    assert.deepEqual([exit, JSON.parse(stdout)], [4, { verdict: 'broken' }]);
  });

  it('can be printed while the command goes on, notes only for people', async () => {
    const people = await run('server serve');
    assert.deepEqual([people.stdout, people.stderr], ['Ready.\n', 'Ctrl-C stops it.\n']);
    const programs = await run('server serve --json');
    assert.deepEqual([programs.stdout, programs.stderr], ['{"address":"http://127.0.0.1:7410"}\n', '']);
  });
});

describe('refusals', () => {
  it('are words with the next step on stderr', async () => {
    const { exit, stdout, stderr } = await run('server refused');
    assert.deepEqual([exit, stdout], [1, '']);
    assert.equal(stderr, 'Only 5 are left.\nNext: Ask for 5.\n(quantity-above-agreement)\n');
  });

  it('are one JSON object with their numbers on stdout', async () => {
    const { exit, stdout, stderr } = await run('server refused --json');
    assert.deepEqual([exit, stderr], [1, '']);
    assert.deepEqual(JSON.parse(stdout), {
      refused: {
        code: 'quantity-above-agreement',
        message: 'Only 5 are left.',
        next: 'Ask for 5.',
        asked: 30,
        inHand: 5,
      },
    });
  });

  const exits: readonly (readonly [string, number, string])[] = [
    ['folder', 1, 'data-folder-missing'],
    ['unreachable', 3, 'unreachable'],
    ['offline', 3, 'clearinghouse-unreachable'],
    ['suspect', 4, 'server-suspect'],
    ['bug', 1, 'internal-error'],
  ];
  for (const [command, exit, code] of exits) {
    it(`end "${command}" with exit code ${exit}`, async () => {
      const ran = await run(`server ${command} --json`);
      assert.equal(ran.exit, exit);
      assert.equal(JSON.parse(ran.stdout).refused.code, code);
      assert.equal((await run(`server ${command}`)).stdout, '');
    });
  }

  it('go to stderr where the one JSON object is out already', async () => {
    const { exit, stdout, stderr } = await run('server crash --json');
    assert.deepEqual([exit, stdout], [1, '{"address":"x"}\n']);
    assert.match(stderr, /The disk is full\./);
  });

  it('are red on a terminal that did not decline colors', async () => {
    const red = '\u001b[31m';
    assert.ok((await run('server refused', { tty: true })).stderr.startsWith(red));
    assert.ok(
      !(await run('server refused', { tty: true, env: { NO_COLOR: '1' } })).stderr.includes('\u001b'),
    );
    assert.ok(!(await run('server refused')).stderr.includes('\u001b'));
  });
});

describe('wrong usage', () => {
  const wrong = [
    'frobnicate',
    'server frobnicate',
    'server status --nmae x',
    'server status --name',
    'server usage',
    'server',
    '--data',
  ];
  for (const line of wrong) {
    it(`exits with 2 and words on stderr: calyx ${line}`, async () => {
      const { exit, stdout, stderr } = await run(line);
      assert.deepEqual([exit, stdout], [2, '']);
      assert.ok(stderr.length > 0);
    });
  }

  it('keeps stdout empty with --json too', async () => {
    const { exit, stdout, stderr } = await run('server usage --json');
    assert.deepEqual([exit, stdout, stderr], [2, '', '--from and --to are both needed\n']);
  });

  it('says what is needed where no place is named', async () => {
    const { exit, stderr } = await run('server connect');
    assert.equal(exit, 2);
    assert.match(stderr, /--data DIR/);
  });
});

describe('help', () => {
  it('lists the commands without loading them', async () => {
    for (const line of ['', '--help', 'help']) {
      const { exit, stdout, stderr, loaded } = await run(line);
      assert.deepEqual([exit, stderr, loaded], [0, '', []]);
      assert.match(stdout, /server +the server commands/);
      assert.match(stdout, /--token-file/);
    }
  });

  it('loads the command that is named, and no other', async () => {
    assert.deepEqual((await run('server status')).loaded, ['server']);
    const { exit, stdout, loaded } = await run('server status --help');
    assert.deepEqual([exit, loaded], [0, ['server']]);
    assert.match(stdout, /--name <name>/);
    assert.match(stdout, /Global Options:[\s\S]*--data <dir>/);
    assert.equal((await run('help server')).exit, 0);
  });

  it('tells the version', async () => {
    const { exit, stdout } = await run('--version');
    assert.equal(exit, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+/);
  });
});

describe('global options', () => {
  const settingsOf = async (line: string, env?: Record<string, string>) =>
    JSON.parse((await run(line, env === undefined ? {} : { env })).stdout).settings;

  it('are taken before and after the command', async () => {
    assert.equal((await settingsOf('--data /a server status --json')).data, '/a');
    assert.equal((await settingsOf('server status --json --data /a')).data, '/a');
    assert.equal((await settingsOf('server --data /a status --json')).data, '/a');
  });

  it('come before the environment', async () => {
    const env = { CALYX_DATA: '/env', CALYX_CA: '/ca' };
    assert.equal((await settingsOf('server status --json', env)).data, '/env');
    assert.equal((await settingsOf('server status --json', env)).ca, '/ca');
    assert.equal((await settingsOf('server status --json --data /a', env)).data, '/a');
    const url = await settingsOf('server status --json --url http://x', env);
    assert.deepEqual([url.url, url.data], ['http://x', undefined]);
  });

  it('make an id for the invocation, where none is given', async () => {
    const first = (await settingsOf('server status --json')).requestId;
    assert.match(first, /^[\w-]{22}$/);
    assert.notEqual((await settingsOf('server status --json')).requestId, first);
    assert.equal((await settingsOf('server status --json --request-id mine')).requestId, 'mine');
  });
});

describe('secrets', () => {
  const scratch = (t: TestContext): string => {
    const dir = mkdtempSync(join(tmpdir(), 'calyx-cli-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    return dir;
  };

  it('are read from the file that is named, by option or environment', async (t) => {
    const file = join(scratch(t), 'token');
    const line = 'server connect --json --url http://127.0.0.1:1';
    assert.equal(
      JSON.parse((await run(`${line} --token-file ${file}`)).stdout).refused.code,
      'secret-unreadable',
    );
    writeFileSync(file, '\n');
    assert.equal(
      JSON.parse((await run(line, { env: { CALYX_TOKEN_FILE: file } })).stdout).refused.code,
      'secret-empty',
    );
    writeFileSync(file, 'cal_x\n');
    assert.equal((await run(`${line} --token-file ${file}`)).exit, 0);
  });
});

describe('questions', () => {
  it('are asked on a terminal, on stderr', async () => {
    const yes = await run('server ask', { tty: true, typed: 'yes\n' });
    assert.deepEqual([yes.exit, yes.stdout], [0, 'Installed.\n']);
    assert.match(yes.stderr, /\+25 → total 125\. Install\? \[y\/N\]/);
    assert.equal((await run('server ask', { tty: true, typed: '\n' })).stdout, 'Left as it is.\n');
    assert.equal((await run('server ask', { tty: true, typed: 'yesterday\n' })).stdout, 'Left as it is.\n');
  });

  it('are answered by --yes and --json', async () => {
    assert.equal((await run('server ask --yes')).stdout, 'Installed.\n');
    assert.equal((await run('server ask --json')).stdout, '{"answer":true}\n');
  });

  it('stop the command where nobody can answer', async () => {
    const { exit, stdout, stderr } = await run('server ask');
    assert.deepEqual([exit, stdout], [1, '']);
    assert.match(stderr, /--yes/);
  });
});
