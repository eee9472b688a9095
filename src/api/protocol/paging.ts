import type { FastifyRequest } from 'fastify';
import { HoldfastError } from '../../errors/index.ts';
import { baseUrl, query } from '../scope.ts';

/** As Azure pages its lists of machines and jobs. */
const defaultPageSize = 200;
const maxPageSize = 1000;

export interface PageWish {
  offset: number;
  size: number;
}

export interface Page<Row> {
  value: Row[];
  nextLink?: string;
}

/** Which part of a list a request asks for, by `$skipToken` and `$top`. @throws InvalidInput */
export function pageWish(request: FastifyRequest): PageWish {
  const top = query(request, '$top');
  const size = top === undefined ? defaultPageSize : Number(top);
  if (!/^\d{1,9}$/.test(top ?? '1') || size < 1)
    throw new HoldfastError('InvalidInput', '$top is no positive number.', { target: '$top' });
  const token = query(request, '$skipToken') ?? '0';
  if (!/^\d{1,9}$/.test(token))
    throw new HoldfastError('InvalidInput', '$skipToken is not one of ours.', { target: '$skipToken' });
  return { offset: Number(token), size: Math.min(size, maxPageSize) };
}

/**
 * The page of rows that were asked for one more than it holds; the surplus row only says that there is another page.
 * The link to it is that of the request, at the address the client has used.
 */
export function pageOf<Row>(request: FastifyRequest, wish: PageWish, rows: readonly Row[]): Page<Row> {
  const value = rows.slice(0, wish.size);
  if (rows.length <= wish.size) return { value };
  const next = new URL(request.url, baseUrl(request));
  for (const key of [...next.searchParams.keys()])
    if (key.toLowerCase() === '$skiptoken') next.searchParams.delete(key);
  next.searchParams.set('$skipToken', String(wish.offset + wish.size));
  return { value, nextLink: next.href };
}

/** The page of a list that is at hand as a whole. */
export function pageOfAll<Row>(request: FastifyRequest, all: readonly Row[]): Page<Row> {
  const wish = pageWish(request);
  return pageOf(request, wish, all.slice(wish.offset, wish.offset + wish.size + 1));
}
