/** `calyx server …`: a license server, where CALs are installed, given out and moved. */
import type { Command } from 'commander';
import type { Cli } from './main.ts';
import { register as registerActivate } from './server-activate.ts';
import { register as registerAddress } from './server-address.ts';
import { register as registerCode } from './server-code.ts';
import { register as registerDeactivate } from './server-deactivate.ts';
import { register as registerEvents } from './server-events.ts';
import { register as registerExport } from './server-export.ts';
import { register as registerHeartbeat } from './server-heartbeat.ts';
import { register as registerHosts } from './server-hosts.ts';
import { register as registerInit } from './server-init.ts';
import { register as registerInstall } from './server-install.ts';
import { register as registerKit } from './server-kit.ts';
import { register as registerLicenses } from './server-licenses.ts';
import { register as registerMethod } from './server-method.ts';
import { register as registerMove } from './server-move.ts';
import { register as registerPacks } from './server-packs.ts';
import { register as registerReport } from './server-report.ts';
import { register as registerReturn } from './server-return.ts';
import { register as registerServe } from './server-serve.ts';
import { register as registerStatus } from './server-status.ts';

export function register(group: Command, cli: Cli): void {
  registerInit(group, cli);
  registerKit(group, cli);
  registerServe(group, cli);
  registerStatus(group, cli);
  registerMethod(group, cli);
  registerAddress(group, cli);
  registerHosts(group, cli);
  registerActivate(group, cli);
  registerInstall(group, cli);
  registerCode(group, cli);
  registerPacks(group, cli);
  registerLicenses(group, cli);
  registerEvents(group, cli);
  registerReport(group, cli);
  registerExport(group, cli);
  registerMove(group, cli);
  registerReturn(group, cli);
  registerHeartbeat(group, cli);
  registerDeactivate(group, cli);
}
