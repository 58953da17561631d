/** What `calyx up` prints when its world is ready. */
import type { JsonObject } from '../core/json.ts';
import type { Page } from './page.ts';
import type { Status } from './server-answers.ts';
import { sample } from './up-sample.ts';
import type { Shown } from './up-steps.ts';
import { automaticSteps, telephoneSteps } from './up-steps.ts';
import type { World, WorldProgram, WorldServer } from './up-world.ts';

/** The one object of `--json`. */
export function worldFields(world: World, shown: Shown): JsonObject {
  const place = ({ address, dir }: WorldProgram): JsonObject => ({
    address,
    docs: `${address}/docs`,
    data: dir,
  });
  const server = (of: WorldServer): JsonObject => ({ ...of.state, ...place(of) });
  return {
    ...{
      data: world.dir,
      continued: world.continued,
      agreement: sample.agreement,
      product: sample.product.id,
    },
    ...{ type: sample.type, kit: world.kit, bundle: world.bundle },
    clearinghouse: place(world.clearinghouse),
    servers: [server(world.old), server(world.fresh)],
    steps: telephoneSteps(world, shown),
    automatic: automaticSteps(world, shown),
  };
}

function inWords(state: Status): string {
  const packs = state.packs
    .filter(({ installed }) => installed > 0)
    .map(({ installed, issued, unissued, held, reserved, quarantined }) => {
      const others = Object.entries({ held, reserved, quarantined }).filter(([, count]) => count > 0);
      const counts = [
        `${issued} issued`,
        `${unissued} unissued`,
        ...others.map(([name, n]) => `${n} ${name}`),
      ];
      return `${installed} CALs installed: ${counts.join(', ')}`;
    });
  const activation = state.activation.replace('-', ' ');
  return [`${activation}, method ${state.method}`, ...(packs.length === 0 ? ['no CALs'] : packs)].join('; ');
}

/** Addresses, identities, and the commands to type next. */
export function showWorld(page: Page, world: World, shown: Shown): void {
  const { old, fresh, clearinghouse } = world;
  page
    .title(
      world.continued
        ? 'Calyx is up again, with the data of before.'
        : 'Calyx is up: a clearinghouse and two license servers.',
    )
    .keyValues([
      ['Clearinghouse', `${clearinghouse.address}   (API: /docs)`],
      ['LS-OLD', `${old.address}   (API: /docs)\n${inWords(old.state)}\nID ${old.state.licenseServerId}`],
      [
        'LS-NEW',
        `${fresh.address}   (API: /docs)\n${inWords(fresh.state)}\nID ${fresh.state.licenseServerId}`,
      ],
      [
        'Agreement number',
        `${sample.agreement}   (${sample.customer}, ${sample.entitled} ${sample.product.name} CALs per ${sample.type})`,
      ],
      ['Agreement kit', shown.path(world.kit)],
      ['Data', shown.path(world.dir)],
    ]);
  if (old.state.activation === 'activated') showSteps(page, world, shown);
  else page.text('LS-OLD is deactivated. To do it all again, start in another folder: calyx up --data DIR');
  page.text('Ctrl-C stops everything. The data stays; calyx up goes on with it.');
}

function showSteps(page: Page, world: World, shown: Shown): void {
  page.title('Move the CALs from LS-OLD to LS-NEW by telephone (in another terminal, in this folder):');
  for (const { step, text, commands } of telephoneSteps(world, shown)) {
    page.text(`Step ${step}. ${text}`).verbatim(commands.map((each) => each.command));
  }
  page
    .title('Or automatically, over the network, instead of the steps above:')
    .verbatim(automaticSteps(world, shown).map((each) => each.command));
}
