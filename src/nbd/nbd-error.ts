/**
 * What went wrong:
 * - `unreachable`: no connection could be made
 * - `refused`: the server does not speak a protocol we need, or does not have the export
 * - `server`: the server answered one request with an error; the connection is fine
 * - `protocol`: the server broke the protocol; the connection is closed
 * - `timeout`: the server did not answer in time; the connection is closed
 * - `lost`: the connection ended with requests in flight, or had ended before
 */
export type NbdErrorKind = 'unreachable' | 'refused' | 'server' | 'protocol' | 'timeout' | 'lost';

export interface NbdErrorOptions {
  cause?: unknown;
  /** The protocol's name for a `server` error: `EIO`, `ENOSPC`, `EINVAL`, ... */
  errorName?: string;
}

/** An expected failure of an NBD connection. */
export class NbdError extends Error {
  override readonly name = 'NbdError';
  readonly kind: NbdErrorKind;
  readonly errorName: string | undefined;

  constructor(kind: NbdErrorKind, message: string, options: NbdErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.errorName = options.errorName;
  }
}

/** What a server says in its own words, made fit for a message: one line of at most 500 characters. */
export function quoted(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, 500);
}
