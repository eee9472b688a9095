import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { HoldfastError } from '../errors/index.ts';
import { nameFullHome } from './full-home.ts';

it('names what SQLite and the file system say when the home is full, and nothing else', () => {
  using db = new DatabaseSync(':memory:');
  db.exec('create table t (x blob); pragma max_page_count = 3');
  let full: unknown;
  try {
    db.prepare('insert into t values (zeroblob(100000))').run();
  } catch (error) {
    full = error;
  }
  expect(full).toBeInstanceOf(Error);
  expect(nameFullHome(full)).toMatchObject({ code: 'HomeFull', retryable: true, cause: full });
  const noSpace = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  expect(nameFullHome(noSpace)).toMatchObject({ code: 'HomeFull', cause: noSpace });

  let wrong: unknown;
  try {
    db.exec('select nonsense');
  } catch (error) {
    wrong = error;
  }
  for (const other of [wrong, new Error('x'), 'text', new HoldfastError('StoreFull', 'full')])
    expect(nameFullHome(other)).toBe(other);
});
