import type { SignInFailureRow } from './access-schema.ts';
import type { Database } from './catalog.ts';

/** The failures of some keys that began after a moment; older ones no longer count. */
export async function findSignInFailures(
  db: Database,
  keys: readonly string[],
  after: string,
): Promise<SignInFailureRow[]> {
  return db
    .selectFrom('sign_in_failures')
    .selectAll()
    .where('key', 'in', keys)
    .where('since', '>', after)
    .execute();
}

/** Counts one failure for each key; a count from before `after` begins anew. Forgets what no longer counts. */
export async function addSignInFailure(
  db: Database,
  keys: readonly string[],
  { now, after }: { now: string; after: string },
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom('sign_in_failures').where('since', '<=', after).execute();
    for (const key of keys)
      await tx
        .insertInto('sign_in_failures')
        .values({ key, failures: 1, since: now })
        .onConflict((conflict) =>
          conflict.column('key').doUpdateSet((eb) => ({
            failures: eb('sign_in_failures.failures', '+', 1),
          })),
        )
        .execute();
  });
}

export async function clearSignInFailures(db: Database, keys: readonly string[]): Promise<void> {
  await db.deleteFrom('sign_in_failures').where('key', 'in', keys).execute();
}
