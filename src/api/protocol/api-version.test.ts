import { expect, it } from 'vitest';
import { checkApiVersion } from './api-version.ts';

const path = '/subscriptions/x/resourceGroups/y/providers/Microsoft.RecoveryServices/vaults/v';

it.each(['2016-06-01', '2023-02-01', '2026-07-01', '2099-12-31', '2021-12-01-preview'])(
  'takes %s',
  (version) => {
    expect(() => checkApiVersion(path, version)).not.toThrow();
  },
);

it.each([undefined, ''])('asks for the version where it is %j', (version) => {
  expect(() => checkApiVersion(path, version)).toThrow(
    expect.objectContaining({ code: 'MissingApiVersionParameter', status: 400 }),
  );
});

it.each([
  '2015-11-10',
  '2016-05-31',
  '1',
  'latest',
  '2026-13-01',
  '2026-02-30',
  '2026-07-01-',
  "2026-07-01'",
])('refuses %s', (version) => {
  expect(() => checkApiVersion(path, version)).toThrow(
    expect.objectContaining({ code: 'InvalidApiVersionParameter' }),
  );
});

it('takes older versions of the providers around backup', () => {
  const storage = '/subscriptions/x/resourceGroups/y/providers/Microsoft.Storage/storageAccounts/s';
  expect(() => checkApiVersion(storage, '2016-01-01')).not.toThrow();
  expect(() => checkApiVersion(storage, '2013-01-01')).toThrow(/2014-04-01 or later/);
});

it('leaves paths alone that are not of Azure Resource Manager', () => {
  for (const own of ['/holdfast/service', '/openapi.json', '/subscriptionsX', '/'])
    expect(() => checkApiVersion(own, undefined)).not.toThrow();
});
