import { DatabaseSync } from 'node:sqlite';
import { vi } from 'vitest';

/**
 * Makes the catalog as it is for a process that dies at its `n`th write: that one and everything after it fails, reads
 * included. `died` resolves then; `restore` is the machine coming back; what was not committed is lost when the file is closed.
 */
export function dieAtWrite(n: number): { died: Promise<void>; hasDied: () => boolean; restore: () => void } {
  let left = n;
  const death = Promise.withResolvers<void>();
  const { prepare } = DatabaseSync.prototype;
  const spy = vi.spyOn(DatabaseSync.prototype, 'prepare').mockImplementation(function (
    this: DatabaseSync,
    sql: string,
  ) {
    if (left > 0 && /^\s*(insert|update|delete|commit)/i.test(sql)) left -= 1;
    if (left === 0) {
      death.resolve();
      throw new Error('the process is dead');
    }
    return prepare.call(this, sql);
  });
  return { died: death.promise, hasDied: () => left === 0, restore: () => spy.mockRestore() };
}
