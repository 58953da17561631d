/** Addresses of hosts, in the one form in which a connection shows them. */
import { isIP } from 'node:net';

/** The canonical text of an IP address (RFC 5952 for IPv6), or undefined where it is none. */
export function canonicalAddress(text: string): string | undefined {
  if (isIP(text) === 4) return text;
  // The parser of URLs writes IPv6 addresses in their canonical form, between brackets.
  return isIP(text) === 6 && !text.includes('%')
    ? new URL(`http://[${text}]`).hostname.slice(1, -1)
    : undefined;
}
