import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request as requestOverTls } from 'node:https';
import { type ErrorCode, HoldfastError, messageOf } from '../../errors/index.ts';
import { type Exchange, type Method, type Send, sendOver } from './send.ts';

export interface TransportOptions {
  /** `https://host:port`, with nothing after it. */
  endpoint: string;
  /** Bearer token; undefined for what asks for none, signing in. */
  token: string | undefined;
  /** PEM certificates to trust instead of the system's. The host name is verified in either case. */
  ca?: string | undefined;
  /** Bound of one request, from connecting to the last byte. Default 60 s. */
  timeoutMs?: number | undefined;
  /** Ends whatever is under way. */
  signal?: AbortSignal | undefined;
}

const defaultTimeoutMs = 60_000;

/** No answer of this API comes near; more is not ours. */
const maxAnswerBytes = 64 * 1024 * 1024;

/**
 * HTTPS with its own trust: `fetch` has no way to trust a certificate per client.
 * Connections are not kept: a stale one would fail a POST that can't be sent twice, and TLS sessions are resumed.
 */
export function createTransport(options: TransportOptions): Send {
  const endpoint = endpointOf(options.endpoint);
  const agent = new Agent({ keepAlive: false, ...(options.ca === undefined ? {} : { ca: options.ca }) });
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;

  const exchange: Exchange = async (method, path, body, headers) => {
    options.signal?.throwIfAborted();
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
    return request(new URL(path, endpoint), method, body, {
      agent,
      token: options.token,
      signal,
      headers,
    }).catch((error: unknown) => {
      if (options.signal?.aborted) throw options.signal.reason;
      throw connectionError(endpoint, error, deadline.aborted ? timeoutMs : undefined);
    });
  };
  return sendOver(exchange, endpoint, options.signal);
}

function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' && url.pathname === '/' && url.search === '' && url.username === '')
    return url;
  throw new HoldfastError('InvalidInput', `'${text}' is no address of a service.`, {
    action: 'Give it as https://HOST:PORT, with nothing after the port.',
  });
}

interface RequestOptions {
  agent: Agent;
  token: string | undefined;
  signal: AbortSignal;
  headers: Readonly<Record<string, string>> | undefined;
}

function request(
  url: URL,
  method: Method,
  body: unknown,
  { agent, token, signal, headers: more }: RequestOptions,
): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
  const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = {
    ...more,
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(content === undefined
      ? { 'content-length': 0 }
      : { 'content-type': 'application/json', 'content-length': content.length }),
  };
  return new Promise((resolve, reject) => {
    const sent = requestOverTls(url, { method, headers, agent, signal }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxAnswerBytes)
          response.destroy(new Error(`an answer of more than ${maxAnswerBytes} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    sent.on('error', reject);
    sent.end(content);
  });
}

/** OpenSSL's and Node's names for a certificate that is not accepted. */
const certificateErrors = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function connectionError(endpoint: URL, error: unknown, timedOutMs: number | undefined): HoldfastError {
  const refuse = (code: ErrorCode, sentence: string) => new HoldfastError(code, sentence, { cause: error });
  const at = endpoint.origin;
  if (timedOutMs !== undefined)
    return refuse('ServiceTimedOut', `The service at ${at} did not answer within ${timedOutMs / 1000} s.`);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (certificateErrors.has(code))
    return refuse('CertificateNotTrusted', `The certificate of ${at} is not trusted: ${messageOf(error)}.`);
  if (code === 'ECONNREFUSED') return refuse('ServiceUnreachable', `Nothing answers at ${at}.`);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return refuse('ServiceUnreachable', `The name '${endpoint.hostname}' is not known.`);
  if (code === 'EPROTO' || code.startsWith('ERR_SSL'))
    return refuse('AnswerNotUnderstood', `What listens at ${at} does not speak TLS as expected.`);
  return refuse('ServiceUnreachable', `The connection to ${at} failed: ${messageOf(error)}.`);
}
