/** `calyx clearinghouse …`: the publisher's side. Each command stands in a file of its own. */
import type { Command } from 'commander';
import { register as registerAgreement } from './clearinghouse-agreement.ts';
import { register as registerAnswer } from './clearinghouse-answer.ts';
import { register as registerExport } from './clearinghouse-export.ts';
import { register as registerInit } from './clearinghouse-init.ts';
import { register as registerKit } from './clearinghouse-kit.ts';
import { register as registerProduct } from './clearinghouse-product.ts';
import { register as registerRecovery } from './clearinghouse-recovery.ts';
import { register as registerServe } from './clearinghouse-serve.ts';
import { register as registerTrustList } from './clearinghouse-trust-list.ts';
import type { Cli } from './main.ts';
import { register as registerBackup } from './program-backup.ts';
import { register as registerBackupKey } from './program-backup-key.ts';
import { register as registerRestore } from './program-restore.ts';
import { register as registerVerify } from './program-verify.ts';

export function register(group: Command, cli: Cli): void {
  registerInit(group, cli);
  registerServe(group, cli);
  registerProduct(group, cli);
  registerAgreement(group, cli);
  registerKit(group, cli);
  registerAnswer(group, cli);
  registerExport(group, cli);
  registerBackupKey(group, cli, 'clearinghouse');
  registerBackup(group, cli, 'clearinghouse');
  registerVerify(group, cli, 'clearinghouse');
  registerRestore(group, cli, 'clearinghouse');
  registerRecovery(group, cli);
  registerTrustList(group, cli);
}
