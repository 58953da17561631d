/** Sets of holders as bits, and mail that stays deliverable for ever: what the models are made of. */

/** A set of devices, one bit for each. */
export type Holders = number;

export const nobody: Holders = 0;

/** The first so many devices, each as a set of one. */
export function devices(count: number): readonly Holders[] {
  return Array.from({ length: count }, (_, index) => 1 << index);
}

export function countOf(holders: Holders): number {
  let count = 0;
  for (let left = holders; left !== 0; left &= left - 1) count += 1;
  return count;
}

export const has = (holders: Holders, device: Holders): boolean => (holders & device) !== 0;

export const without = (holders: Holders, device: Holders): Holders => holders & ~device;

/** The lowest so many of a set. */
export function lowest(holders: Holders, count: number): Holders {
  let taken = nobody;
  let left = holders;
  for (let index = 0; index < count && left !== 0; index += 1) {
    taken |= left & -left;
    left &= left - 1;
  }
  return taken;
}

/** Units of a line: those that nobody has, and the holders of the others. */
export interface Split {
  readonly free: number;
  readonly holders: Holders;
}

export interface Letter<Kind extends string> {
  readonly kind: Kind;
  readonly split: Split | null;
  readonly key: string;
}

/**
 * Everything that was ever sent, sorted. Nothing is ever taken out: that one rule stands for a network and
 * a post that lose, delay, repeat and overtake.
 */
export type Mail<Kind extends string> = readonly Letter<Kind>[];

export function post<Kind extends string>(
  mail: Mail<Kind>,
  kind: Kind,
  split: Split | null = null,
): Mail<Kind> {
  const key = split === null ? kind : `${kind} ${split.free}+${split.holders}`;
  if (mail.some((letter) => letter.key === key)) return mail;
  return [...mail, { kind, split, key }].sort((a, b) => (a.key < b.key ? -1 : 1));
}

export const mailKey = (mail: Mail<string>): string => mail.map(({ key }) => key).join(',');

/** The number of a device, from 1 on. */
export const numberOf = (device: Holders): number => Math.log2(device) + 1;

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** What must be at an index. */
export function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new Error(`nothing at ${index}`);
  return item;
}
