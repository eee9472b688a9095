import type { NewSecret } from '../index.ts';

/** A key file as anybody could make one. */
export const testKeyFile: NewSecret = { kind: 'key-file', text: `${'5a'.repeat(32)}\n`, label: 'test' };

/** Suites that go for every store run with these; spread `create` and `open` into the options. */
export const storeKinds = [
  ['plain', { create: {}, open: {} }],
  ['encrypted', { create: { encryption: { secrets: [testKeyFile] } }, open: { unlock: [testKeyFile] } }],
] as const;
