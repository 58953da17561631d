/** How the two programs are opened inside the command line's own process, loaded when they are needed. */
import type { Openers } from './connect.ts';

export const openers: Openers = {
  server: async () => {
    throw new Error('not wired yet');
  },
  clearinghouse: async () => {
    throw new Error('not wired yet');
  },
};
