/** The program `calyx`: an older Node is refused before anything is loaded that it cannot read. */
import process from 'node:process';
import { refuseOldNode } from './node-version.mjs';

refuseOldNode();

// `calyx … | head`: whoever stops reading has seen enough.
process.stdout.on('error', (error: Error & { code?: string }) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const [{ runCli }, { groups }, { openers }] = await Promise.all([
  import('../cli/main.ts'),
  import('../cli/groups.ts'),
  import('../cli/connect-programs.ts'),
]);
process.exitCode = await runCli(process.argv.slice(2), process, { groups, openers });
