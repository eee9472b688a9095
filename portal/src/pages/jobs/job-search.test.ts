import { expect, it } from 'vitest';
import { jobQuery, readJobSearch } from './job-search.ts';

const now = Date.parse('2026-11-21T12:00:42Z');

it('asks for the last day, unless told otherwise', () => {
  expect(jobQuery({}, undefined, now)).toEqual({ $filter: "startTime eq '2026-11-20T12:00:00.000Z'" });
  expect(jobQuery({ period: 'all' }, undefined, now)).toEqual({});
  expect(jobQuery({ period: 'all', name: "it's", status: 'Failed' }, '/v', now)).toEqual({
    $filter: "entityFriendlyName eq 'it''s' and status eq 'Failed' and vaultId eq '/v'",
  });
});

it('takes from an address only what makes sense', () => {
  expect(readJobSearch({ status: 'Failed', operation: 'Nonsense', period: '7d', name: 'web' })).toEqual({
    status: 'Failed',
    operation: undefined,
    period: '7d',
    name: 'web',
  });
});
