import { expect, it } from 'vitest';
import { hashPassword, isPassword, passwordProblem } from './passwords.ts';

it('knows a password again, however its accents are written, and no other', async () => {
  const hash = await hashPassword('gr\u00fcne Wiese im Mai');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  expect(await isPassword('gr\u00fcne Wiese im Mai', hash)).toBe(true);
  expect(await isPassword('gru\u0308ne Wiese im Mai', hash)).toBe(true);
  expect(await isPassword('gr\u00fcne Wiese im Juni', hash)).toBe(false);
  expect(await isPassword('gr\u00fcne Wiese im Mai', null)).toBe(false);
  expect(await hashPassword('gr\u00fcne Wiese im Mai')).not.toBe(hash);
});

it('reads a hash of other costs than those of today', async () => {
  // From the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32
  const reference = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  expect(await isPassword('password', reference)).toBe(true);
  expect(await isPassword('passwort', reference)).toBe(false);
});

it('refuses what is short, simple, or names its user', () => {
  expect(passwordProblem('correct horse battery', 'ada')).toBeUndefined();
  for (const bad of ['eleven char', 'x'.repeat(257), 'abababababababab', 'the name of ADA is it'])
    expect(passwordProblem(bad, 'ada'), bad).toBeDefined();
});
