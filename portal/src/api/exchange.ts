import type { Exchange } from '../../../src/api/client/browser.ts';
import { noteSessionEnd, sessionState, setSession, signedIn } from './session.ts';

const timeoutMs = 60_000;

/** How often a request is repeated because somebody had to sign in first. */
const maxSignIns = 5;

/** The way to the service did not work: no answer came. What is on the page stays, and is asked for again. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code = 'ServiceUnreachable';
  readonly action = 'Check the network, and that the service runs; then try again.';
}

/** One request as the browser sends it, with the session's cookie, and for a write the token that goes with it. */
export const bareExchange: Exchange = async (method, path, body, headers) => {
  const current = sessionState();
  const csrf = current.kind === 'signed-in' ? current.session.csrfToken : undefined;
  const response = await fetch(path, {
    method,
    credentials: 'same-origin',
    cache: 'no-store',
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
    headers: {
      ...headers,
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(csrf === undefined || method === 'GET' ? {} : { 'x-holdfast-csrf': csrf }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    const late = cause instanceof DOMException && cause.name === 'TimeoutError';
    throw new ConnectionError(
      late ? `The service did not answer within ${timeoutMs / 1000} s.` : 'The service does not answer.',
      { cause },
    );
  });
  const text = await response.text().catch((cause: unknown) => {
    throw new ConnectionError('The connection broke before the answer was complete.', { cause });
  });
  return { status: response.status, headers: Object.fromEntries(response.headers), text };
};

/**
 * As {@link bareExchange}; but a request that is refused because the session has ended waits until somebody has signed in
 * and is then sent again: it was refused before anything was done, and nothing that was typed is lost.
 */
export const exchange: Exchange = async (...request) => {
  for (let signIns = 0; ; signIns++) {
    const answer = await bareExchange(...request);
    if (answer.status === 403 && (await sessionHasChanged(request[0]))) continue;
    if (answer.status !== 401 || signIns >= maxSignIns) return answer;
    noteSessionEnd();
    await signedIn();
  }
};

/** Whether somebody has signed in anew in another tab, so that our token is old; takes over the new one. */
async function sessionHasChanged(method: string): Promise<boolean> {
  const before = sessionState();
  if (method === 'GET' || before.kind !== 'signed-in') return false;
  const { status, text } = await bareExchange('GET', '/holdfast/session');
  if (status !== 200) return false;
  const session = JSON.parse(text);
  if (session.csrfToken === before.session.csrfToken || session.principalId !== before.session.principalId)
    return false;
  setSession({ kind: 'signed-in', session });
  return true;
}
