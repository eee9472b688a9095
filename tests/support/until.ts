import { setTimeout as delay } from 'node:timers/promises';

/** Waits until a test passes that nothing announces. @throws when it does not within a minute */
export async function until(what: string, test: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await test())) {
    if (Date.now() > deadline) throw new Error(`not within a minute: ${what}`);
    await delay(50);
  }
}
