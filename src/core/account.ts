/**
 * The accounts of the books, by name, and the two equations that must hold over them (protocol
 * §1.3). A name is `agreement/line/account`, followed by the server and generation or the move where
 * an account is kept once for each.
 */
import type { AccountId } from './ledger.ts';

/**
 * One part of an account name. Ids come over wires, and one with a "/" would name another account;
 * so would one called like a source account, which the ledger knows by its last part.
 */
function part(text: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(text) || text === 'entitled' || text === 'installed') {
    throw new RangeError(`not part of an account name: "${text}"`);
  }
  return text;
}

function linePrefix(agreement: string, line: number): string {
  return `${part(agreement)}/${part(String(line))}/`;
}

/** The clearinghouse's accounts of one line. */
export interface ClearinghouseAccounts {
  /** All that was bought: the source account, equal to the sum of the others. */
  readonly entitled: AccountId;
  /** Not given to anyone. */
  readonly inHand: AccountId;
  /** Returned, expired or withdrawn for good. */
  readonly retired: AccountId;
  /** Given to one generation of a server. */
  readonly committed: (licenseServerId: string, generation: number) => AccountId;
  /** Under way between two servers. */
  readonly inTransit: (move: string) => AccountId;
  /** Of a source that was declared dead, until its horizon has passed. */
  readonly quarantined: (move: string) => AccountId;
}

/** Names the accounts of a line at the clearinghouse. Throws where an id cannot be part of a name. */
export function clearinghouseAccount(agreement: string, line: number): ClearinghouseAccounts {
  const prefix = linePrefix(agreement, line);
  return {
    entitled: `${prefix}entitled`,
    inHand: `${prefix}in-hand`,
    retired: `${prefix}retired`,
    committed: (licenseServerId, generation) =>
      `${prefix}committed/${part(licenseServerId)}/${part(String(generation))}`,
    inTransit: (move) => `${prefix}in-transit/${part(move)}`,
    quarantined: (move) => `${prefix}quarantined/${part(move)}`,
  };
}

/** A license server's accounts of one line. */
export interface ServerAccounts {
  /** All that was installed here and not given up: the source account. */
  readonly installed: AccountId;
  /** Free for a new holder. */
  readonly unissued: AccountId;
  /** With a holder. */
  readonly issued: AccountId;
  /** Frozen for a move out. */
  readonly held: AccountId;
  /** Came with a move, for a holder who has not come yet. */
  readonly reserved: AccountId;
  /** Usable by nobody until their past is cleared up. */
  readonly quarantined: AccountId;
}

/** Names the accounts of a line on a license server. Throws where an id cannot be part of a name. */
export function serverAccount(agreement: string, line: number): ServerAccounts {
  const prefix = linePrefix(agreement, line);
  return {
    installed: `${prefix}installed`,
    unissued: `${prefix}unissued`,
    issued: `${prefix}issued`,
    held: `${prefix}held`,
    reserved: `${prefix}reserved`,
    quarantined: `${prefix}quarantined`,
  };
}

/** The balances of one line at the clearinghouse. */
export interface ClearinghouseLine {
  readonly agreement: string;
  readonly line: number;
  readonly entitled: number;
  readonly inHand: number;
  readonly retired: number;
  readonly committed: number;
  readonly inTransit: number;
  readonly quarantined: number;
  /** Who holds the committed part; a server that was closed and opened again appears per generation. */
  readonly servers: readonly {
    readonly licenseServerId: string;
    readonly generation: number;
    readonly amount: number;
  }[];
}

/** The balances of one line on a license server. */
export interface ServerLine {
  readonly agreement: string;
  readonly line: number;
  readonly installed: number;
  readonly unissued: number;
  readonly issued: number;
  readonly held: number;
  readonly reserved: number;
  readonly quarantined: number;
}

interface NamedBalance {
  readonly account: string;
  readonly keys: readonly string[];
  readonly amount: number;
}

interface LineBalances {
  readonly agreement: string;
  readonly line: number;
  readonly balances: readonly NamedBalance[];
}

/** Sorts the balances into their lines; a name that is not of our form is a damaged book. */
function byLine(balances: ReadonlyMap<AccountId, number>): readonly LineBalances[] {
  const lines = new Map<string, { agreement: string; line: number; balances: NamedBalance[] }>();
  for (const [id, amount] of balances) {
    const [agreement, line, account, ...keys] = id.split('/');
    if (agreement === undefined || line === undefined || account === undefined) {
      throw new RangeError(`not the name of an account: "${id}"`);
    }
    const key = `${agreement}/${line}`;
    const found = lines.get(key) ?? { agreement, line: Number(line), balances: [] };
    found.balances.push({ account, keys, amount });
    lines.set(key, found);
  }
  return [...lines.values()].sort(
    (one, other) => compare(one.agreement, other.agreement) || one.line - other.line,
  );
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** Adds up each account of a line. Throws where a balance stands under a name that is not known. */
function totals<Name extends string>(
  line: LineBalances,
  names: Readonly<Record<string, Name>>,
): Record<Name, number> {
  const sums = Object.fromEntries(Object.values(names).map((name) => [name, 0])) as Record<Name, number>;
  for (const { account, amount } of line.balances) {
    const name = names[account];
    if (name === undefined) throw new RangeError(`no such account: "${account}"`);
    sums[name] += amount;
  }
  return sums;
}

const clearinghouseNames = {
  entitled: 'entitled',
  'in-hand': 'inHand',
  retired: 'retired',
  committed: 'committed',
  'in-transit': 'inTransit',
  quarantined: 'quarantined',
} as const;

const serverNames = {
  installed: 'installed',
  unissued: 'unissued',
  issued: 'issued',
  held: 'held',
  reserved: 'reserved',
  quarantined: 'quarantined',
} as const;

/** Reads the clearinghouse's balances (as `ReadTx.balances` gives them) line by line, in order. */
export function sumClearinghouse(balances: ReadonlyMap<AccountId, number>): readonly ClearinghouseLine[] {
  return byLine(balances).map((line) => ({
    agreement: line.agreement,
    line: line.line,
    ...totals(line, clearinghouseNames),
    servers: line.balances
      .filter((each) => each.account === 'committed' && each.amount !== 0)
      .map(({ keys: [licenseServerId = '', generation = ''], amount }) => ({
        licenseServerId,
        generation: Number(generation),
        amount,
      })),
  }));
}

/** Reads a license server's balances line by line, in order. */
export function sumServer(balances: ReadonlyMap<AccountId, number>): readonly ServerLine[] {
  return byLine(balances).map((line) => ({
    agreement: line.agreement,
    line: line.line,
    ...totals(line, serverNames),
  }));
}

/**
 * Promise 1 at the clearinghouse (protocol §1.1; §1.3, I1): entitled = in hand + committed + in transit +
 * quarantined + retired, no term below zero.
 */
export function conservesEntitled(line: ClearinghouseLine): boolean {
  const { entitled, inHand, committed, inTransit, quarantined, retired } = line;
  const parts = [inHand, committed, inTransit, quarantined, retired];
  return balanced(entitled, parts) && line.servers.every((server) => server.amount >= 0);
}

/**
 * Promise 1 on a server (protocol §1.1; §1.3, I2): installed = issued + unissued + held + reserved +
 * quarantined, no term below zero.
 */
export function conservesInstalled(line: ServerLine): boolean {
  const { installed, unissued, issued, held, reserved, quarantined } = line;
  return balanced(installed, [unissued, issued, held, reserved, quarantined]);
}

function balanced(whole: number, parts: readonly number[]): boolean {
  return parts.every((amount) => amount >= 0) && parts.reduce((sum, amount) => sum + amount, 0) === whole;
}
