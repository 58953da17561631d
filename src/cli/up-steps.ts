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
  /** The step of the procedure; `8` after `7`, and a step may be of several commands. */
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
  const { desk, old, fresh, client } = placesOf(world, shown);
  const oldId = world.old.state.licenseServerId;
  const newId = world.fresh.state.licenseServerId;
  const { agreement } = sample;
  return [
    {
      ...{
        step: '1',
        text: 'Install Terminal Services Licensing on the target server. (Done: LS-NEW runs.)',
      },
      commands: [fresh('server', 'status')],
    },
    {
      ...{ step: '2', text: 'Activate the license server: the desk reads out a code, LS-NEW takes it in.' },
      commands: [
        desk('desk', 'activate', '--agreement', agreement, '--server-id', newId, '--name', 'LS-NEW'),
        fresh('server', 'activate', '--code', 'CODE'),
      ],
    },
    {
      ...{
        step: '3–4',
        text: 'In the Properties of the license server, set the installation method to Telephone.',
      },
      commands: [fresh('server', 'method', 'telephone')],
    },
    {
      ...{ step: '5–6', text: 'Install Licenses: the wizard shows the License Server ID to be read out.' },
      commands: [fresh('server', 'status')],
    },
    {
      step: '7',
      text:
        'Call the clearinghouse with both License Server IDs and the agreement number. LS-OLD freezes and shows ' +
        'a code to read; the desk answers it with a CAL Key Pack ID.',
      commands: [
        desk(
          'desk',
          'move',
          '--agreement',
          agreement,
          '--from',
          oldId,
          '--to',
          newId,
          ...cals,
          '--quantity',
          'all',
          '--reason',
          'replaced',
        ),
        old('server', 'move', '--freeze', '--to', newId, ...cals, '--quantity', 'all'),
        desk('desk', 'confirm', 'CODE'),
      ],
    },
    {
      ...{
        step: '8–9',
        text: 'Type the CAL Key Pack ID. The CALs have been installed successfully; try them.',
      },
      commands: [
        fresh('server', 'install', '--code', 'CAL-KEY-PACK-ID'),
        client(
          'license',
          'request',
          '--server',
          world.fresh.address,
          '--product',
          sample.product.id,
          '--device',
          'ws-99',
        ),
      ],
    },
    {
      step: '10',
      text:
        'The new license server works: deactivate the old one, read its code, and bring the CALs that have ' +
        'holders over with the code that the desk answers.',
      commands: [
        old('server', 'deactivate', '--code-out'),
        desk('desk', 'confirm', 'CODE'),
        fresh('server', 'install', '--code', 'CAL-KEY-PACK-ID', '--from', oldId),
        desk('clearinghouse', 'agreement', 'show', agreement),
      ],
    },
  ];
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
