/**
 * What a backup that is put back will come to (protocol §5.2), as far as it can be told beforehand: from the instance
 * secret of the machine, and from the database that stands there now. Pure.
 */

/** How the journal in a backup stands to the one in the database that is there. */
export type BackupStanding =
  /** They are the same, or that of the backup has gone on from the other. */
  | 'newest'
  /** That of the backup is the beginning of the other. */
  | 'older'
  /** Neither is the beginning of the other. */
  | 'forked'
  /** There is no database, or it cannot be read: only what the machine remembers can tell. */
  | 'unknown';

export interface OutlookFacts {
  /** `undecryptable`: there is one, and it does not open the key in the backup. */
  readonly secret: 'present' | 'absent' | 'undecryptable';
  readonly standing: BackupStanding;
  /** Whether nothing was installed, frozen, released or given back since. */
  readonly sameRights: boolean;
}

/**
 * - `restored`: it goes on as if nothing had been.
 * - `reconcile`: unissued CALs come back, but for those that were issued since the backup.
 * - `revalidate`: nothing new is given out until the clearinghouse has answered.
 * - `system-replaced`: a new License Server ID; who has a license keeps it, unissued CALs come by telephone.
 * - `decided-at-start`: the first start tells which of these it is.
 */
export type RestoreOutlook = 'restored' | 'reconcile' | 'revalidate' | 'system-replaced' | 'decided-at-start';

/** The table of protocol §5.2, the gravest first. */
export function outlookOf({ secret, standing, sameRights }: OutlookFacts): RestoreOutlook {
  if (secret !== 'present') return 'system-replaced';
  if (standing === 'forked') return 'revalidate';
  if (standing === 'unknown') return 'decided-at-start';
  if (standing === 'newest') return 'restored';
  return sameRights ? 'reconcile' : 'revalidate';
}
