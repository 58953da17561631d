/**
 * What a clearinghouse that was restored says with each welcome, and what a license server reports to it with a contact
 * (protocol §5.6): how far it has come, proved by values that only the clearinghouse can have revealed.
 */
import type { Static } from 'typebox';
import Type from 'typebox';
import type { ReadonlyDeep } from './schema.ts';
import {
  AgreementNumber,
  Bytes16,
  ChainPosition,
  Count,
  closed,
  Id,
  LineNumber,
  Reveal,
  Time,
  Token,
  Units,
} from './schema.ts';

/** The most agreements of one server that are reported at once. */
const mostAgreements = 256;

export const Recovery = closed({
  /** Higher with each restore. */
  epoch: Count,
  at: Time,
  /** As of when the backup was. */
  backup: Time,
  /** Whether a report is waited for from this server. */
  report: Type.Boolean(),
  /** Agreements for which it is to ask for a certificate: codes that were read out and forgotten end with the one before. */
  certificates: Type.Array(AgreementNumber, { maxItems: mostAgreements }),
});
export type Recovery = ReadonlyDeep<Static<typeof Recovery>>;

const ReportedLine = closed({
  line: LineNumber,
  /** Units that its certificate vouches for, and positions with their values. */
  open: Units,
  free: Reveal,
  held: Reveal,
  /** By its books, with what it has given up in messages that the clearinghouse has not confirmed. */
  installed: Units,
});

const ReportedAuthority = closed({
  agreement: AgreementNumber,
  aid: Bytes16,
  /** Its certificate; null of a slot of a kit. */
  certificate: Type.Union([Token, Type.Null()]),
  slot: Type.Union([Count, Type.Null()]),
  /** Whether it is in force: not deactivated since. */
  active: Type.Boolean(),
  horizonE: ChainPosition,
  ...{ seq: Count, freezes: Count, releases: Count, returns: Count },
  lines: Type.Array(ReportedLine, { maxItems: 15 }),
  /** Moves that are not over here, and what of them is frozen or has come. */
  moves: Type.Array(
    closed({ move: Id, line: LineNumber, role: Type.Enum(['source', 'target']), units: Units }),
    { maxItems: 1000 },
  ),
});
export type ReportedAuthority = ReadonlyDeep<Static<typeof ReportedAuthority>>;

export const RecoveryReport = closed({
  epoch: Count,
  authorities: Type.Array(ReportedAuthority, { maxItems: mostAgreements }),
});
export type RecoveryReport = ReadonlyDeep<Static<typeof RecoveryReport>>;
