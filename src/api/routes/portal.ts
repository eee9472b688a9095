import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HoldfastError } from '../../errors/index.ts';
import { codingFor, type PortalFiles } from '../portal-files.ts';
import { messagePage, pageHeaders } from '../sign-in-pages.ts';

/** The pages are below this; everything else is the API's. */
export const portalPath = '/portal';

/** In the document, what stands for the nonce of an answer. */
const noncePlace = '__NONCE__';

const year = 31_536_000;

/**
 * What the document may do: run scripts of ours alone, have styles of ours and those that it makes itself and marks with the
 * nonce, talk to this service alone, be framed by nobody.
 */
const policyOf = (nonce: string) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');

/**
 * The portal: the files of its build, and its document at every other address below `/portal`, which then shows the page of
 * that address.
 * @param portal undefined: it is not built
 */
export function registerPortal(app: FastifyInstance, portal: PortalFiles | undefined): void {
  app.get('/', async (request, reply) => {
    // The router takes several slashes for one.
    if (!/^\/(\?|$)/.test(request.url))
      throw new HoldfastError('ResourceNotFound', 'There is nothing at this address.');
    return reply.redirect(portalPath, 302);
  });

  const document = (reply: FastifyReply) => {
    if (portal === undefined)
      return reply
        .code(404)
        .headers(pageHeaders)
        .send(messagePage('The portal is not built', 'Run bin/setup, and start the service again.'));
    const nonce = randomBytes(16).toString('base64');
    return reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': policyOf(nonce),
        'cache-control': 'no-store',
        'referrer-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
      })
      .send(portal.document.replaceAll(noncePlace, nonce));
  };

  app.get(portalPath, async (_request, reply) => document(reply));

  app.get(`${portalPath}/*`, async (request, reply) => {
    const name = (request.params as { '*': string })['*'];
    const file = portal?.files.get(name);
    if (file === undefined) {
      // A browser with an old document asks for what is gone: it must not take the new document for a script.
      if (name.startsWith('assets/'))
        throw new HoldfastError('ResourceNotFound', `The portal has no file '${name.slice(0, 200)}'.`);
      return document(reply);
    }
    reply.headers({
      'content-type': file.contentType,
      'cache-control': file.isImmutable ? `public, max-age=${year}, immutable` : 'no-cache',
      etag: file.etag,
      vary: 'accept-encoding',
      'x-content-type-options': 'nosniff',
    });
    if (isKnown(request, file.etag)) return reply.code(304).send();
    const coding = codingFor(request.headers['accept-encoding'], file);
    if (coding !== 'identity') reply.header('content-encoding', coding);
    return reply.send(file.bodies[coding]);
  });
}

const isKnown = (request: FastifyRequest, etag: string) =>
  request.headers['if-none-match']?.split(',').some((known) => known.trim().replace(/^W\//, '') === etag) ===
  true;
