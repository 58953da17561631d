/** The end of a run, before an auditor: what its programs export is sound. */
import { auditOf, clearinghouseBundle, serverBundle } from '../audit/bundles.ts';
import type { Sim } from './sim.ts';
import { Violation } from './tokens.ts';

/** Whatever happened, the audit finds nothing broken. */
export async function checkAudit(sim: Sim): Promise<void> {
  const bundles: Record<string, Uint8Array> = {};
  for (const { name, program } of sim.servers) bundles[name] = await serverBundle(program);
  bundles['clearinghouse'] = await clearinghouseBundle(sim.clearinghouse);
  const { findings } = auditOf(bundles);
  const broken = findings.find(({ level }) => level === 'break');
  if (broken === undefined) return;
  throw new Violation('an audit finds it sound', `${broken.code} in ${broken.where}: ${broken.text}`);
}
