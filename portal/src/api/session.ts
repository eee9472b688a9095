import type { Session } from '../../../src/api/client/browser.ts';

/** Who is signed in, as all pages see it. */
export type SessionState =
  | { kind: 'unknown' }
  | { kind: 'signed-out' }
  | { kind: 'signed-in'; session: Session }
  /** Was signed in; the page is still there, with what was typed into it. */
  | { kind: 'ended'; session: Session };

let state: SessionState = { kind: 'unknown' };
const listeners = new Set<() => void>();

export const sessionState = (): SessionState => state;

export function subscribeSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function setSession(next: SessionState): void {
  state = next;
  for (const listener of [...listeners]) listener();
}

/** The service does not know this browser any more. */
export function noteSessionEnd(): void {
  if (state.kind === 'signed-in') setSession({ kind: 'ended', session: state.session });
  else if (state.kind === 'unknown') setSession({ kind: 'signed-out' });
}

/** Resolves when somebody is signed in. Rejects with the reason of `signal`. */
export async function signedIn(signal?: AbortSignal): Promise<Session> {
  const { promise, resolve, reject } = Promise.withResolvers<Session>();
  const look = () => {
    if (state.kind === 'signed-in') resolve(state.session);
  };
  const stop = () => reject(signal?.reason);
  const unsubscribe = subscribeSession(look);
  signal?.addEventListener('abort', stop, { once: true });
  look();
  try {
    return await promise;
  } finally {
    unsubscribe();
    signal?.removeEventListener('abort', stop);
  }
}
