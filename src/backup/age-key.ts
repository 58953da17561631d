/** The customer's key pair for backups: an X25519 identity of age, and the recipient that is its public half. */
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';

/** A new key: the text of its file, as age-keygen writes it, and the recipient. */
export async function makeBackupKey(
  createdAt: string,
): Promise<{ readonly text: string; readonly recipient: string }> {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  return { text: `# created: ${createdAt}\n# public key: ${recipient}\n${identity}\n`, recipient };
}

/** The identities in a key file, as age reads it; undefined where there is none, or one that is not. */
export async function identitiesIn(text: string): Promise<readonly string[] | undefined> {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const identities = lines.filter((line) => line !== '' && !line.startsWith('#'));
  try {
    for (const identity of identities) await identityToRecipient(identity);
  } catch {
    return undefined;
  }
  return identities.length === 0 ? undefined : identities;
}

/** Whether a text is a recipient that a backup can be sealed to. */
export function isRecipient(text: string): boolean {
  try {
    new Encrypter().addRecipient(text);
    return true;
  } catch {
    return false;
  }
}
