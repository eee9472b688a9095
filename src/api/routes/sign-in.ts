import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  type Access,
  beginSession,
  type Caller,
  changePassword,
  type NewSession,
  personOf,
  redeemFirstRunCode,
} from '../../access/index.ts';
import { deleteSession, type PersonRow } from '../../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { firstRunRequest, passwordChange, type Session, signInRequest } from '../client/index.ts';
import { clearSessionCookie, setSessionCookie } from '../cookies.ts';
import { takeForms } from '../form-body.ts';
import { type ApiScope, parseBody, query } from '../scope.ts';
import { firstRunPage, pageHeaders, welcomePage } from '../sign-in-pages.ts';

/** People: signing in with a password, out again, and the very first time. */
export function registerSignIn(app: FastifyInstance, scope: ApiScope, access: Access): void {
  const { db, clock } = scope.workshop;
  const now = () => clock.now().epochMilliseconds;

  /** Answers with a session: for a browser in a cookie that no script can read, for a program as text. */
  const answer = (
    reply: FastifyReply,
    person: PersonRow,
    session: NewSession,
    kind: 'cookie' | 'token',
  ): Session => {
    reply.header('cache-control', 'no-store');
    const common = {
      userName: person.user_name,
      principalId: person.person_id,
      expiresAt: session.expiresAt,
    };
    if (kind === 'token') return { ...common, token: session.secret };
    setSessionCookie(reply, session.secret);
    return { ...common, csrfToken: session.csrfToken };
  };

  app.post('/holdfast/sign-in', async (request, reply) => {
    const { userName, password, kind } = parseBody(signInRequest, request);
    const person = await access.attempts.guard({ name: `person ${userName}`, address: request.ip }, () =>
      personOf(db, userName, password),
    );
    if (person === undefined) throw new HoldfastError('SignInFailed', 'User name or password is wrong.');
    request.signedInAs = { id: person.person_id, name: person.user_name };
    return answer(reply, person, await beginSession(db, person, now()), kind);
  });

  app.get('/holdfast/session', async (request): Promise<Session> => {
    const { principal, session, csrfToken } = callerOf(request);
    return {
      userName: principal.name,
      principalId: principal.id,
      ...(session === undefined ? {} : { expiresAt: session.expiresAt }),
      ...(csrfToken === undefined ? {} : { csrfToken }),
    };
  });

  app.delete('/holdfast/session', async (request, reply) => {
    const { session } = callerOf(request);
    if (session !== undefined) await deleteSession(db, session.hash);
    clearSessionCookie(reply);
    return reply.code(204).send();
  });

  app.post('/holdfast/session/password', async (request, reply) => {
    const { principal, session } = callerOf(request);
    const { currentPassword, newPassword } = parseBody(passwordChange, request);
    if (principal.kind !== 'person')
      throw new HoldfastError('InvalidInput', 'Only people have passwords.', {
        action: 'A client gets another secret with "holdfast client rotate-secret".',
      });
    // Whoever finds a session open must not be able to guess on in peace.
    const person = await access.attempts.guard(
      { name: `person ${principal.name}`, address: request.ip },
      () => personOf(db, principal.name, currentPassword),
    );
    if (person === undefined) throw new HoldfastError('SignInFailed', 'The current password is wrong.');
    await changePassword(db, person, newPassword, session?.hash);
    return reply.code(204).send();
  });

  app.get('/holdfast/first-run', async (request, reply) =>
    reply.headers(pageHeaders).send(firstRunPage((query(request, 'code') ?? '').slice(0, 64))),
  );

  app.register((child, _options, done) => {
    takeForms(child);
    child.post('/holdfast/first-run', async (request, reply) => {
      const isForm =
        request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
      try {
        const { code, ...wanted } = parseBody(firstRunRequest, request);
        const scopeId = `/subscriptions/${scope.subscriptionId}`;
        const person = await redeemFirstRunCode(db, code, { ...wanted, scope: scopeId }, now());
        request.signedInAs = { id: person.person_id, name: person.user_name };
        const session = answer(reply, person, await beginSession(db, person, now()), 'cookie');
        reply.code(201);
        return isForm
          ? reply.headers(pageHeaders).send(welcomePage(person.user_name, firstRunDone))
          : session;
      } catch (error) {
        if (!isForm || !isHoldfastError(error)) throw error;
        const { code } = request.body as Record<string, string>;
        return reply
          .code(error.status)
          .headers(pageHeaders)
          .send(firstRunPage(code?.slice(0, 64) ?? '', `${error.message} ${error.action}`));
      }
    });
    done();
  });
}

const firstRunDone = 'You are signed in, and the owner of this service. The link is used up.';

function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('a route that asks for a caller is public');
  return request.caller;
}
