import type { FastifyInstance } from 'fastify';

/**
 * Lets the routes of a child scope take HTML forms, as flat objects of texts. Only where that is meant: forms are what a
 * foreign page can make a browser send.
 */
export function takeForms(child: FastifyInstance): void {
  child.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 16 * 1024 },
    (_request, text, done) => done(null, Object.fromEntries(new URLSearchParams(text as string))),
  );
}
