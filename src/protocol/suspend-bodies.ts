/** What is said when a server is heard of whose CALs had come to another one at once (protocol §5.5). */
import Type from 'typebox';
import { AgreementNumber, closed, LicenseServerIdText, LineNumber, Time, Token } from './schema.ts';

const cals = { agreement: AgreementNumber, line: LineNumber, source: LicenseServerIdText };

/** A license of it was shown, which it signed after its CALs had come here. */
export const SourceSeen = closed({ ...cals, signedAt: Time, token: Token });

/** What of its CALs nobody has is set aside until then; `said`: what was heard, in words. */
export const Suspend = closed({ ...cals, until: Time, said: Type.String({ minLength: 1, maxLength: 1000 }) });

/** That is taken back. */
export const Resume = closed(cals);
