import { ApiError, type Session, session as sessionShape } from '../../../src/api/client/browser.ts';
import { sendBare } from './client.ts';
import { sessionState, setSession } from './session.ts';

/** Finds out whether this browser is signed in already. */
export async function findSession(): Promise<void> {
  try {
    const { body } = await sendBare('GET', '/holdfast/session');
    setSession({ kind: 'signed-in', session: sessionShape.parse(body) });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) setSession({ kind: 'signed-out' });
    else throw error;
  }
}

/** @throws ApiError SignInFailed, TooManyAttempts */
export async function signIn(userName: string, password: string): Promise<void> {
  const { body } = await sendBare('POST', '/holdfast/sign-in', { userName, password, kind: 'cookie' });
  takeOver(sessionShape.parse(body));
}

/** Looks whether somebody has signed in meanwhile, in another tab or at the provider. @returns whether so */
export async function signedInElsewhere(): Promise<boolean> {
  try {
    const { body } = await sendBare('GET', '/holdfast/session');
    takeOver(sessionShape.parse(body));
    return true;
  } catch {
    return false;
  }
}

/** What one person had open and typed is not another's. */
function takeOver(session: Session): void {
  const before = sessionState();
  if (before.kind === 'ended' && before.session.principalId !== session.principalId) window.location.reload();
  else setSession({ kind: 'signed-in', session });
}

export async function signOut(): Promise<void> {
  const current = sessionState();
  try {
    await sendBare('DELETE', '/holdfast/session');
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
  if (current.kind === 'signed-in') window.location.assign('/portal');
}
