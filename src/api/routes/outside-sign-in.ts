import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { type Access, beginSession, OutsideProvider, personFromOutside } from '../../access/index.ts';
import { listRolesOf } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { clearPendingCookie, pendingOf, setPendingCookie, setSessionCookie } from '../cookies.ts';
import { type ApiScope, baseUrl } from '../scope.ts';
import { pageHeaders, welcomePage } from '../sign-in-pages.ts';

const callback = '/holdfast/openid-connect/callback';

/** Signing in at an OpenID Connect provider, by a browser. */
export function registerOutsideSignIn(app: FastifyInstance, scope: ApiScope, access: Access): void {
  const { db, clock } = scope.workshop;
  const now = () => clock.now().epochMilliseconds;
  const provider = new OutsideProvider(join(scope.home, 'openid-connect.json'), now);

  /** As for passwords, failures are bounded: each is a line of the audit log. @throws SignInFailed, TooManyAttempts */
  async function finish(address: string, answer: URL, pending: NonNullable<ReturnType<typeof pendingOf>>) {
    let failure: unknown;
    const outside = await access.attempts.guard({ name: `openid-connect ${address}`, address }, () =>
      provider.finish(answer, pending, `/subscriptions/${scope.subscriptionId}`).catch((error: unknown) => {
        failure = error;
        return undefined;
      }),
    );
    if (outside === undefined) throw failure;
    return outside;
  }

  app.get('/holdfast/openid-connect/sign-in', async (request, reply) => {
    const { url, pending } = await provider.begin(baseUrl(request) + callback);
    setPendingCookie(reply, pending);
    return reply.redirect(url, 303);
  });

  app.get(callback, async (request, reply) => {
    const pending = pendingOf(request);
    clearPendingCookie(reply);
    if (pending === undefined)
      throw new HoldfastError('SignInFailed', 'This browser has not begun to sign in, or took too long.');
    request.endsSignIn = true;
    const answer = new URL(request.url, baseUrl(request));
    const outside = await finish(request.ip, answer, pending);
    const person = await personFromOutside(db, outside, clock.now().toString({ fractionalSecondDigits: 3 }));
    request.signedInAs = { id: person.person_id, name: person.user_name };
    if (outside.roles.length === 0 && (await listRolesOf(db, person.person_id)).length === 0)
      throw new HoldfastError('AuthorizationFailed', `'${person.user_name}' has no role here.`);
    setSessionCookie(reply, (await beginSession(db, person, now(), outside.roles)).secret);
    return reply.headers(pageHeaders).send(welcomePage(person.user_name, 'You are signed in.'));
  });
}
