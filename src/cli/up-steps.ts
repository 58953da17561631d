/** The ten steps of moving CALs by telephone, and the automatic way, as commands for this very world. */
import { commandLine } from './command-words.ts';
import { sample } from './up-sample.ts';
import type { World } from './up-world.ts';

/** How this world's places are typed in the terminal that shows them. */
export interface Shown {
  /** The launcher: `./calyx`. */
  readonly calyx: string;
  /** A path, as short as it can be typed. */
  readonly path: (path: string) => string;
}

export type StepCommand = {
  /** Who types it. */
  readonly where: string;
  readonly command: string;
};

export type Step = {
  /** The step of the procedure, or the steps that one command covers: `3–4`. */
  readonly step: string;
  readonly text: string;
  readonly commands: readonly StepCommand[];
};

interface Places {
  readonly desk: (...words: readonly (string | number)[]) => StepCommand;
  readonly old: Places['desk'];
  readonly fresh: Places['desk'];
  readonly client: Places['desk'];
}

function placesOf(world: World, { calyx, path }: Shown): Places {
  const at =
    (where: string, dir: string) =>
    (...words: readonly (string | number)[]): StepCommand => ({
      where,
      command: commandLine(calyx, ...words, '--data', path(dir)),
    });
  return {
    desk: at('desk', world.clearinghouse.dir),
    old: at('LS-OLD', world.old.dir),
    fresh: at('LS-NEW', world.fresh.dir),
    client: (...words) => ({ where: 'client', command: commandLine(calyx, ...words) }),
  };
}

const cals = ['--product', sample.product.id, '--type', sample.type];

/** The procedure, by telephone. Words in capitals stand for the codes that were printed just before. */
export function telephoneSteps(world: World, shown: Shown): readonly Step[] {
  const places = placesOf(world, shown);
  return [...untilActivated(world, places), ...untilInstalled(world, places), untilClosed(world, places)];
}

/** Steps 1 to 6: the new license server is there, activated, and says what it is called. */
function untilActivated(world: World, { desk, fresh }: Places): readonly Step[] {
  const id = world.fresh.state.licenseServerId;
  return [
    {
      step: '1',
      text: 'Install Terminal Services Licensing on the target server. (Done: LS-NEW runs.)',
      commands: [fresh('server', 'status')],
    },
    {
      step: '2',
      text: 'Activate the license server: the desk reads out a code, LS-NEW takes it in.',
      commands: [
        desk('desk', 'activate', '--agreement', sample.agreement, '--server-id', id, '--name', 'LS-NEW'),
        fresh('server', 'activate', '--code', 'CODE'),
      ],
    },
    {
      step: '3–4',
      text: 'In the Properties of the license server, set the installation method to Telephone.',
      commands: [fresh('server', 'method', 'telephone')],
    },
    {
      step: '5–6',
      text: 'Install Licenses: the wizard shows the License Server ID to be read out.',
      commands: [fresh('server', 'status')],
    },
  ];
}

/** Steps 7 to 9: the unissued CALs leave the old license server and are tried on the new one. */
function untilInstalled(world: World, { desk, old, fresh, client }: Places): readonly Step[] {
  const source = world.old.state.licenseServerId;
  const target = world.fresh.state.licenseServerId;
  const all = [...cals, '--quantity', 'all'];
  const call = ['--agreement', sample.agreement, '--from', source, '--to', target];
  const device = ['--server', world.fresh.address, '--product', sample.product.id, '--device', 'ws-99'];
  return [
    {
      step: '7',
      text:
        'Call the clearinghouse with both License Server IDs and the agreement number. LS-OLD freezes and shows ' +
        'a code to read; the desk answers it with a CAL Key Pack ID.',
      commands: [
        desk('desk', 'move', ...call, ...all, '--reason', 'replaced'),
        old('server', 'move', '--freeze', '--to', target, ...all),
        desk('desk', 'confirm', 'CODE'),
      ],
    },
    {
      step: '8–9',
      text:
        'Type the CAL Key Pack ID. The CALs have been installed successfully. Try them with a new device: ' +
        'a temporary license at first, a permanent one after its sign-in.',
      commands: [
        fresh('server', 'install', '--code', 'CAL-KEY-PACK-ID'),
        client('license', 'request', ...device),
        client('license', 'validate', ...device),
        client('license', 'request', ...device),
      ],
    },
  ];
}

/** Step 10: the old license server is given up, and the CALs that have holders follow. */
function untilClosed(world: World, { desk, old, fresh }: Places): Step {
  return {
    step: '10',
    text:
      'The new license server works: deactivate the old one, read its code, and bring the CALs that have ' +
      'holders over with the code that the desk answers.',
    commands: [
      old('server', 'deactivate', '--code-out'),
      desk('desk', 'confirm', 'CODE'),
      fresh('server', 'install', '--code', 'CAL-KEY-PACK-ID', '--from', world.old.state.licenseServerId),
      desk('clearinghouse', 'agreement', 'show', sample.agreement),
    ],
  };
}

/** The same by connection: one command moves everything. */
export function automaticSteps(world: World, shown: Shown): readonly StepCommand[] {
  const { old, fresh } = placesOf(world, shown);
  const { agreement } = sample;
  return [
    fresh('server', 'method', 'automatic', '--clearinghouse', world.clearinghouse.address),
    fresh('server', 'activate', '--agreement', agreement),
    old(
      'server',
      'move',
      '--to',
      world.fresh.address,
      '--agreement',
      agreement,
      ...cals,
      '--quantity',
      'all',
    ),
    old('server', 'deactivate'),
  ];
}
