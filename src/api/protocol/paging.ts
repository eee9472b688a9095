import type { FastifyRequest } from 'fastify';
import { HoldfastError } from '../../errors/index.ts';
import { baseUrl, query } from '../scope.ts';

/** As Azure pages its lists of machines and jobs. */
const defaultPageSize = 200;
const maxPageSize = 1000;

/** What a list is sorted by, of the last row that a page had: the next page is what comes after it. */
export type PageKey = readonly (string | number)[];

/** Longer ones are none of ours. */
const longestToken = 2048;

export interface PageWish<Key extends PageKey = PageKey> {
  /** Of the row that the page comes after; undefined for the first page. */
  after: Key | undefined;
  size: number;
}

export interface Page<Row> {
  value: Row[];
  nextLink?: string;
}

/**
 * Which part of a list a request asks for, by `$skipToken` and `$top`. A token says where the page before ended, not how
 * many rows it was: whatever is added or removed meanwhile, no row is told twice and none left out.
 * @param shape an example of the list's keys @throws InvalidInput
 */
export function pageWish<const Key extends PageKey>(
  request: FastifyRequest,
  shape: Key,
): PageWish<{ -readonly [K in keyof Key]: Key[K] extends number ? number : string }> {
  const top = query(request, '$top');
  const size = top === undefined ? defaultPageSize : Number(top);
  if (!/^\d{1,9}$/.test(top ?? '1') || size < 1)
    throw new HoldfastError('InvalidInput', '$top is no positive number.', { target: '$top' });
  const token = query(request, '$skipToken');
  const after = token === undefined ? undefined : keyOf(token);
  if (after !== undefined && !fits(after, shape))
    throw new HoldfastError('InvalidInput', '$skipToken is not one of ours.', { target: '$skipToken' });
  return { after: after as never, size: Math.min(size, maxPageSize) };
}

function keyOf(token: string): unknown {
  if (token.length > longestToken) return null;
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return null;
  }
}

const fits = (key: unknown, shape: PageKey) =>
  Array.isArray(key) &&
  key.length === shape.length &&
  key.every(
    (part, place) =>
      typeof part === typeof shape[place] && (typeof part !== 'number' || Number.isSafeInteger(part)),
  );

/**
 * The page of rows that were asked for one more than it holds; the surplus row only says that there is another page.
 * The link to it is that of the request, at the address the client has used.
 */
export function pageOf<Row>(
  request: FastifyRequest,
  { size }: PageWish,
  rows: readonly Row[],
  keyOfRow: (row: Row) => PageKey,
): Page<Row> {
  const value = rows.slice(0, size);
  const last = value.at(-1);
  if (rows.length <= size || last === undefined) return { value };
  const next = new URL(request.url, baseUrl(request));
  for (const key of [...next.searchParams.keys()])
    if (key.toLowerCase() === '$skiptoken') next.searchParams.delete(key);
  next.searchParams.set('$skipToken', Buffer.from(JSON.stringify(keyOfRow(last))).toString('base64url'));
  return { value, nextLink: next.href };
}

/**
 * The page of a list that is at hand as a whole, by a name that no two have.
 * @param nameOf compared without case
 */
export function pageOfAll<Row>(
  request: FastifyRequest,
  all: readonly Row[],
  nameOf: (row: Row) => string,
): Page<Row> {
  const wish = pageWish(request, ['']);
  const after = wish.after?.[0];
  const named = all.map((row) => ({ row, name: nameOf(row).toLowerCase() }));
  const rest = after === undefined ? named : named.filter(({ name }) => name > after);
  const sorted = rest.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const page = pageOf(request, wish, sorted.slice(0, wish.size + 1), ({ name }) => [name]);
  return { ...page, value: page.value.map(({ row }) => row) };
}
