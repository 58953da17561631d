/**
 * Sending over HTTP(S). Built on node:http because a pinned certificate must be possible (a license
 * server in a LAN shows its own). Never follows a redirect, always ends in time, and asks once more
 * where the connection broke: every write carries an idempotency key, so that is safe.
 */
import { X509Certificate } from 'node:crypto';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import type { AgentOptions } from 'node:https';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { checkServerIdentity } from 'node:tls';
import { systemCode } from '../platform/failure.ts';
import type { Send, WireAnswer, WireRequest } from './client.ts';
import { Unreachable, WrongUsage } from './outcome.ts';

export interface HttpSender {
  readonly send: Send;
  /** Writes the body of a good answer into `into`, whole or with an error; any other answer comes back. */
  readonly save: (request: WireRequest, into: Writable) => Promise<WireAnswer>;
  /** Lets go of open connections, so that the process can end. */
  readonly close: () => void;
}

/** Largest answer that is taken in, bytes: a list is paged, a report may be long. */
const mostAnswerBytes = 256 * 1024 * 1024;

/**
 * TLS that trusts the given certificates (PEM) instead of the system's. The very certificate that was
 * given is accepted under any name: it is the machine meant, whatever address it was reached by.
 */
export function trustOnly(pem: string): AgentOptions {
  const pinned = new Set(certificatesOf(pem).map((certificate) => certificate.fingerprint256));
  return {
    ca: pem,
    checkServerIdentity: (name, certificate) =>
      pinned.has(certificate.fingerprint256) ? undefined : checkServerIdentity(name, certificate),
  };
}

function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch {
    // Said below, as for a file without certificates.
  }
  throw new WrongUsage('--ca needs a file with certificates in PEM form.');
}

/** The base URL of a program: http or https, a host, no query; a path is kept as a prefix. */
export function parseBaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const sound =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '';
  if (url === undefined || !sound)
    throw new WrongUsage(`"${text}" is no address: it must look like https://host:7410`);
  return url;
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ENOTFOUND: 'there is no machine of that name',
  EAI_AGAIN: 'the name service does not answer',
  EHOSTUNREACH: 'there is no way to that machine',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'no answer came in time',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is its own, and not one that was given with --ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that this machine does not know',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an authority that this machine does not know',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

const broken = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'HPE_INVALID_EOF_STATE']);

function unreachable(base: URL, error: unknown): Unreachable {
  const code = systemCode(error) ?? '';
  const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error));
  const next =
    broken.has(code) || code === 'ETIMEDOUT'
      ? 'It is not known whether the request was carried out. Run the same command again: nothing is done twice.'
      : 'Look whether the server runs and the address is right, then run the same command again.';
  return new Unreachable(`${base.origin} cannot be reached: ${reason}.`, {
    url: base.origin,
    next,
    cause: error,
  });
}

class TimedOut extends Error {
  readonly code = 'ETIMEDOUT';
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > mostAnswerBytes) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

interface Exchange {
  readonly base: URL;
  readonly agent: HttpAgent | HttpsAgent;
}

type ReadBody = (response: IncomingMessage) => Promise<string>;

/** The body of a good answer goes into a stream, and is an empty text. */
function readInto(into: Writable): ReadBody {
  return async (response) => {
    if (response.statusCode !== 200) return readText(response);
    await pipeline(response, into);
    return '';
  };
}

/** One request and its answer; `timeoutMs` covers both. */
function exchange(
  { base, agent }: Exchange,
  wire: WireRequest,
  read: ReadBody = readText,
): Promise<WireAnswer> {
  return new Promise((resolve, reject) => {
    const prefix = base.pathname.replace(/\/$/, '');
    const length = wire.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(wire.body)) };
    const options: RequestOptions = {
      method: wire.method,
      protocol: base.protocol,
      host: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port,
      path: `${prefix}${wire.url}`,
      headers: { ...wire.headers, ...length },
      agent,
    };
    const request = (base.protocol === 'https:' ? requestHttps : requestHttp)(options, (response) => {
      read(response).then((text) => {
        const contentType = response.headers['content-type'] ?? '';
        resolve({ status: response.statusCode ?? 0, contentType, text });
      }, reject);
    });
    const timer = setTimeout(() => request.destroy(new TimedOut('timed out')), wire.timeoutMs);
    request.on('close', () => clearTimeout(timer));
    request.on('error', reject);
    request.end(wire.body);
  });
}

/** Sends to `base`; `trust` is what `trustOnly` made, where the system's authorities are not meant. */
export function createHttpSender(base: URL, trust: AgentOptions = {}): HttpSender {
  const agent =
    base.protocol === 'https:'
      ? new HttpsAgent({ keepAlive: true, minVersion: 'TLSv1.2', ...trust })
      : new HttpAgent({ keepAlive: true });
  return {
    send: async (wire) => {
      try {
        return await exchange({ base, agent }, wire);
      } catch (first) {
        if (!broken.has(systemCode(first) ?? '')) throw unreachable(base, first);
      }
      try {
        return await exchange({ base, agent }, wire);
      } catch (error) {
        throw unreachable(base, error);
      }
    },
    save: async (wire, into) => {
      try {
        return await exchange({ base, agent }, wire, readInto(into));
      } catch (error) {
        throw into.errored === null || broken.has(systemCode(error) ?? '') ? unreachable(base, error) : error;
      }
    },
    close: () => agent.destroy(),
  };
}
