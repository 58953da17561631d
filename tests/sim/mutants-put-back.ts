/** Rules for a license server whose disk was put back to an earlier copy (protocol §5.2). */
import type { Mutant } from './mutant.ts';

const whereDisksArePutBack = { only: ({ putBacks }) => putBacks > 0 } satisfies Pick<Mutant, 'only'>;

export const putBacks: readonly Mutant[] = [
  {
    name: 'M9',
    ...whereDisksArePutBack,
    rule: 'Whoever may have been renewed since keeps its unit until that can have ended',
    patches: [
      {
        file: 'server/usecases/put-back.ts',
        find: '  await keepRenewed(tx, { atMs: mark.seenAtMs + renewalMs, untilMs });',
        replace: '',
      },
    ],
    caught: { seed: 3005, checker: 'I5' },
  },
  {
    name: 'M12',
    ...whereDisksArePutBack,
    rule: 'What was issued since is set aside',
    patches: [
      {
        file: 'core/high-water.ts',
        find: 'quarantined: before - unissued }',
        replace: 'quarantined: 0 * before }',
      },
    ],
    caught: { seed: 3001, checker: 'one holder per unit' },
  },
];
