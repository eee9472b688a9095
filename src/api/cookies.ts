import type { FastifyReply, FastifyRequest } from 'fastify';

/** `__Host-`: browsers take it only over TLS, for this very host and all of its paths. */
const sessionCookie = '__Host-holdfast-session';

const attributes = 'Path=/; Secure; HttpOnly; SameSite=Strict';

/** The secret of the session that a request brings in its cookie. */
export function sessionOf(request: FastifyRequest): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=');
    if (name === sessionCookie && value !== undefined && /^[\w-]{1,128}$/.test(value)) return value;
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
