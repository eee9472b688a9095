import { expect, it } from 'vitest';
import { createLocalCredential } from './local-credential.ts';

it('accepts its own token and nothing else', () => {
  const credential = createLocalCredential();
  const other = createLocalCredential();
  expect(credential.authenticate(`Bearer ${credential.token}`)?.kind).toBe('local-administrator');
  expect(credential.authenticate(`bearer ${credential.token}`)?.kind).toBe('local-administrator');
  for (const header of [
    undefined,
    '',
    'Bearer ',
    credential.token,
    `Bearer ${other.token}`,
    `Bearer ${credential.token} x`,
  ]) {
    expect(credential.authenticate(header)).toBeUndefined();
  }
});
