/** What belongs to the journals that are shown, and is not shown: journals that somebody has signed, and agreements. */
import { clearinghouseOrigin, serverOrigin } from '../protocol/checkpoint.ts';
import type { AuditedJournal } from './audit.ts';
import type { AgreementFacts } from './clearinghouse-facts.ts';
import { amountKeyParts } from './clearinghouse-facts.ts';
import type { Findings } from './finding.ts';
import type { Opened } from './open-bundles.ts';
import type { ServerFacts } from './server-facts.ts';

interface Shown {
  readonly agreements: ReadonlyMap<string, AgreementFacts>;
  readonly servers: ReadonlyMap<string, ServerFacts>;
}

/** Names every journal that is missing; an agreement of which the publisher says nothing at all is a break. */
export function noteMissing(
  of: {
    readonly findings: Findings;
    readonly opened: Opened;
    readonly journals: readonly AuditedJournal[];
  },
  shown: Shown,
): void {
  const { findings, opened } = of;
  const missing = noteAgreements(of, shown);
  const told = new Set([
    ...of.journals.map(({ origin }) => origin),
    ...[...shown.agreements.values()].flatMap(({ servers }) => [...servers].map(serverOrigin)),
    ...[...opened.publishers].flatMap((publisher) =>
      [...missing].map((agreement) => clearinghouseOrigin(publisher, agreement)),
    ),
  ]);
  for (const origin of opened.vouched.keys()) {
    if (told.has(origin)) continue;
    const text = `${origin} has signed checkpoints, and its journal is not shown`;
    findings.add('not-shown', 'journal-not-shown', { where: 'all bundles', text });
  }
}

/** Agreements under which a server has units, and whose journal nobody shows. Answers which. */
function noteAgreements(
  { findings, opened }: { readonly findings: Findings; readonly opened: Opened },
  { agreements, servers }: Shown,
): ReadonlySet<string> {
  const known = new Set(opened.agreements.values());
  const missing = new Set<string>();
  for (const { server, where, cameIn } of servers.values()) {
    const units = new Map<string, number>();
    for (const [key, { amount }] of cameIn) {
      const { owner } = amountKeyParts(key);
      units.set(owner, (units.get(owner) ?? 0) + amount);
    }
    for (const [agreement, amount] of units) {
      if (agreements.has(agreement)) continue;
      missing.add(agreement);
      const text = `${server} has installed ${amount} units of agreement ${agreement}, and`;
      if (known.has(agreement)) {
        const told = `${text} the journal of that agreement is not shown: what it was granted is its own word`;
        findings.add('not-shown', 'agreement-not-shown', { where, text: told });
      } else {
        const told = `${text} neither a kit nor a certificate of the publisher knows that agreement`;
        findings.add('break', 'agreement-unknown', { where, text: told });
      }
    }
  }
  return missing;
}
