import { expect, it } from 'vitest';
import { accessCodes } from './access-codes.ts';
import { apiCodes } from './api-codes.ts';
import { errorCatalogue } from './catalogue.ts';
import { clientCodes } from './client-codes.ts';
import { guestCodes } from './guest-codes.ts';
import { machineCodes } from './machine-codes.ts';
import { protectionCodes } from './protection-codes.ts';
import { serviceCodes } from './service-codes.ts';
import { storeCodes } from './store-codes.ts';

it('has each code once: of two entries the later would silently win', () => {
  const codes = [
    storeCodes,
    machineCodes,
    guestCodes,
    protectionCodes,
    serviceCodes,
    clientCodes,
    apiCodes,
    accessCodes,
  ].flatMap(Object.keys);
  expect(codes.filter((code, i) => codes.indexOf(code) !== i)).toEqual([]);
  expect(codes).toHaveLength(Object.keys(errorCatalogue).length);
});

it('tells what to do for each code', () => {
  for (const { action } of Object.values(errorCatalogue)) expect(action).toMatch(/^[A-Z].+[.?]$/);
});
