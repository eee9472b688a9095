import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PendingSignIn } from '../access/index.ts';

/** What a sign-in at an outside provider has begun with; sent along when that sends the browser back. */
const pendingCookie = '__Host-holdfast-sign-in';
const pendingSeconds = 600;

/** `__Host-`: browsers take it only over TLS, for this very host and all of its paths. */
const sessionCookie = '__Host-holdfast-session';

const attributes = 'Path=/; Secure; HttpOnly; SameSite=Strict';

/** The secret of the session that a request brings in its cookie. */
export function sessionOf(request: FastifyRequest): string | undefined {
  return cookieOf(request, sessionCookie);
}

function cookieOf(request: FastifyRequest, wanted: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=');
    if (name === wanted && value !== undefined && /^[\w.-]{1,512}$/.test(value)) return value;
  }
  return undefined;
}

/** Keeps a session in the browser, until it is closed. */
export function setSessionCookie(reply: FastifyReply, secret: string): void {
  reply.header('set-cookie', `${sessionCookie}=${secret}; ${attributes}`);
}

export function clearSessionCookie(reply: FastifyReply): void {
  reply.header('set-cookie', `${sessionCookie}=; ${attributes}; Max-Age=0`);
}

export function pendingOf(request: FastifyRequest): PendingSignIn | undefined {
  const [state, nonce, codeVerifier] = cookieOf(request, pendingCookie)?.split('.') ?? [];
  if (state === undefined || nonce === undefined || codeVerifier === undefined) return undefined;
  return { state, nonce, codeVerifier };
}

/** Lax: with Strict the provider's redirect would come without it. */
export function setPendingCookie(reply: FastifyReply, { state, nonce, codeVerifier }: PendingSignIn): void {
  const value = [state, nonce, codeVerifier].join('.');
  reply.header(
    'set-cookie',
    `${pendingCookie}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${pendingSeconds}`,
  );
}

export function clearPendingCookie(reply: FastifyReply): void {
  reply.header('set-cookie', `${pendingCookie}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0`);
}
