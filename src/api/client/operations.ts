import { retryAfterOf } from './patience.ts';
import type { Answer } from './send.ts';

/** A long operation that the service has accepted. It goes on whether or not anyone follows it. */
export interface Accepted {
  /** Path and query of the status, from `Azure-AsyncOperation`. */
  statusPath: string;
  /** How long the service asks to wait before asking again. */
  retryAfterMs: number;
}

const defaultRetryAfterMs = 2_000;

/** Where to ask on, from a 202; undefined if the answer does not say. */
export function acceptedOf({ status, headers }: Answer): Accepted | undefined {
  const url = headers['azure-asyncoperation'];
  if (status !== 202 || typeof url !== 'string' || !URL.canParse(url)) return undefined;
  return { statusPath: pathOf(url), retryAfterMs: retryAfterOf(headers) ?? defaultRetryAfterMs };
}

/**
 * The part of a link that matters. Links are followed at the address this client was given: the service may be known
 * by another name here than it knows itself, and the token must not go anywhere else.
 */
export function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
