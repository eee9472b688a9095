import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './transport.ts';

/** A long operation that the service has accepted. It goes on whether or not anyone follows it. */
export interface Accepted {
  /** Path and query of the status, from `Azure-AsyncOperation`. */
  statusPath: string;
  /** How long the service asks to wait before asking again. */
  retryAfterMs: number;
}

const defaultRetryAfterMs = 2_000;

/** A service that asks for more patience than this is asked earlier. */
const maxRetryAfterMs = 60_000;

/** Where to ask on, from a 202; undefined if the answer does not say. */
export function acceptedOf({ status, headers }: Answer): Accepted | undefined {
  const url = headers['azure-asyncoperation'];
  if (status !== 202 || typeof url !== 'string' || !URL.canParse(url)) return undefined;
  return { statusPath: pathOf(url), retryAfterMs: retryAfterOf(headers) ?? defaultRetryAfterMs };
}

/** Seconds, or an HTTP date, as milliseconds from now; undefined where the header is absent or nonsense. */
export function retryAfterOf(headers: Answer['headers'], now = Date.now()): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), maxRetryAfterMs);
}

/**
 * The part of a link that matters. Links are followed at the address this client was given: the service may be known
 * by another name here than it knows itself, and the token must not go anywhere else.
 */
export function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** Waits; rejects with the signal's reason when that comes first. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    throw signal?.aborted ? signal.reason : error;
  });
}
