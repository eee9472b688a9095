import { expect, test } from 'vitest';
import { run } from './run.ts';

test('Xen Orchestra #10182: what a program prints is in one language, whatever the server speaks', async () => {
  const before = process.env.LC_ALL;
  process.env.LC_ALL = 'de_DE.UTF-8';
  try {
    const print = ['sh', '-c', 'printf %s "$LC_ALL"'] as const;
    expect((await run([...print], { timeoutMs: 60_000 })).stdout).toBe('C');
    const asked = await run([...print], { timeoutMs: 60_000, env: { LC_ALL: 'fr_FR.UTF-8' } });
    expect(asked.stdout).toBe('C');
  } finally {
    if (before === undefined) delete process.env.LC_ALL;
    else process.env.LC_ALL = before;
  }
});
