import { HoldfastError } from '../../errors/index.ts';
import { apiErrorOf } from './api-error.ts';
import { type AnswerHeaders, pause, retryAfterOf } from './patience.ts';

export interface Answer {
  status: number;
  headers: AnswerHeaders;
  /** Parsed JSON; undefined when the answer had no body. */
  body: unknown;
}

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

/** Sends one request. `path` begins with `/` and may carry a query. */
export type Send = (
  method: Method,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

/** Brings one request to the service and its answer back, whatever that says. Rejects when none comes. */
export type Exchange = (
  ...request: Parameters<Send>
) => Promise<{ status: number; headers: AnswerHeaders; text: string }>;

/** How often a request is sent that is answered with "too many requests", and how long is waited in between at most. */
const maxAttempts = 5;
const maxThrottlePauseMs = 10_000;

/**
 * What is the same over every kind of connection: JSON, refusals as `ApiError`, patience when the service asks for it.
 * @param endpoint where the service is, for what is said of it
 */
export function sendOver(exchange: Exchange, endpoint: URL, signal: AbortSignal | undefined): Send {
  const send = async (attempts: number, ...request: Parameters<Send>): Promise<Answer> => {
    const { status, headers, text } = await exchange(...request);
    const answer = { status, headers, body: parse(text, status, endpoint) };
    if (status === 429 && attempts > 1) {
      // Nothing was done yet, so that any request may be sent again.
      await pause(Math.min(retryAfterOf(headers) ?? 1000, maxThrottlePauseMs), signal);
      return send(attempts - 1, ...request);
    }
    if (status >= 200 && status < 300) return answer;
    const requestId = headers['x-ms-request-id'];
    const refusal = apiErrorOf(status, answer.body, typeof requestId === 'string' ? requestId : undefined);
    if (refusal !== undefined) throw refusal;
    throw notUnderstood(endpoint, `it answered ${status} without a reason`);
  };
  return (...request) => send(maxAttempts, ...request);
}

function parse(text: string, status: number, endpoint: URL): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw notUnderstood(endpoint, `its answer (${status}) is no JSON`, cause);
  }
}

/** The answer came, but is not one of this API. */
export function notUnderstood(endpoint: URL | string, why: string, cause?: unknown): HoldfastError {
  const origin = new URL(endpoint).origin;
  return new HoldfastError('AnswerNotUnderstood', `The service at ${origin} was not understood: ${why}.`, {
    cause,
  });
}
