/** The commands of the first level, in the order of the help; each is loaded only when it is named. */
import type { CommandGroup } from './main.ts';

export const groups: readonly CommandGroup[] = [
  {
    name: 'up',
    summary: 'a whole world on one machine, to try everything with',
    load: async () => import('./up.ts'),
  },
  {
    name: 'clearinghouse',
    summary: 'the publisher: products, agreements, kits',
    load: async () => import('./clearinghouse.ts'),
  },
  {
    name: 'desk',
    summary: 'the representative on the telephone: codes to read out and to take in',
    load: async () => import('./desk.ts'),
  },
  {
    name: 'server',
    summary: 'a license server: activate, install, move, deactivate',
    load: async () => import('./server.ts'),
  },
  {
    name: 'move',
    summary: 'a move between license servers: whether every CAL of it is accounted for',
    load: async () => import('./move.ts'),
  },
  {
    name: 'license',
    summary: 'a client: asks for licenses, and looks at them',
    load: async () => import('./license.ts'),
  },
  {
    name: 'audit',
    summary: 'an auditor: replays what was exported, and gives a verdict',
    load: async () => import('./audit.ts'),
  },
];
