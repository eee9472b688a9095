import { expect, it } from 'vitest';
import { itemQuery, readItemSearch } from './item-search.ts';

it('asks the service for what the address says', () => {
  const search = readItemSearch({ name: 'web', state: 'Protected', sort: 'last', direction: 'desc' });
  expect(itemQuery(search, undefined)).toEqual({
    $filter: "friendlyName eq 'web' and protectionState eq 'Protected'",
    $orderby: 'lastBackupTime desc',
  });
  expect(itemQuery(readItemSearch({ state: 'Elsewhere', sort: 'size' }), undefined)).toEqual({});
});
