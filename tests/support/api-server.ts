import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { createLocalCredential } from '../../src/access/index.ts';
import { createServer, ensureCertificate, resourceIds } from '../../src/api/index.ts';
import { StorePlaces, VaultKeys } from '../../src/jobs/index.ts';
import { createSmallEstate, type SmallEstate } from '../../src/jobs/testing/small-estate.ts';
import { createStore, fileSystemBackend, openStore } from '../../src/store/index.ts';
import { onPostgres } from './scratch-place.ts';

export const subscriptionId = '11111111-2222-3333-4444-555555555555';

/** The API over a service's insides in memory, not yet listening. */
export interface ApiServer extends AsyncDisposable {
  app: ReturnType<typeof createServer>;
  estate: SmallEstate;
  /** Home of the service. */
  directory: string;
  /** Of the local administrator. */
  token: string;
  /** Certificate to trust, PEM. */
  ca: string;
  /** Errors that the service logged. */
  errors: object[];
  /** Everything it logged, as text. */
  log: string[];
}

const now = { now: () => Temporal.Now.instant() };

export async function createApiServer(
  options: Pick<Parameters<typeof createServer>[0], 'throttle' | 'portal'> = {},
): Promise<ApiServer> {
  await using starting = new AsyncDisposableStack();
  const estate = starting.use(await createSmallEstate());
  // Every write of the API is durable twice over, by its audit lines; no test here cuts the power.
  if (!onPostgres()) await sql`pragma synchronous = off`.execute(estate.workshop.db);
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-api-'));
  starting.defer(() => rm(directory, { recursive: true, force: true }));
  const tls = await ensureCertificate(join(directory, 'tls'), '127.0.0.1', new Date());
  const credential = createLocalCredential();
  const errors: object[] = [];
  const log: string[] = [];
  const note = (fields: object, message: string) => log.push(`${message} ${inspect(fields, { depth: 10 })}`);
  const app = createServer({
    ...options,
    scope: {
      workshop: estate.workshop,
      ids: resourceIds(subscriptionId),
      subscriptionId,
      defaultStoreRoot: join(directory, 'stores'),
      home: directory,
      restoreRoots: [join(directory, 'restored')],
      version: '0.0.0',
      startedAt: Temporal.Now.instant(),
      storePlaces: new StorePlaces(join(directory, 'store-credentials')),
      openStoreAt: (path, secrets) =>
        openStore(fileSystemBackend(path), {
          clock: now,
          ...(secrets.length === 0 ? {} : { unlock: secrets }),
        }),
      createStore: (path, secrets) =>
        createStore(fileSystemBackend(path), {
          clock: now,
          encryption: secrets.length === 0 ? 'none' : { secrets },
        }),
      openStore: (row, secret) =>
        openStore(fileSystemBackend(row.store_path), { clock: now, unlock: [secret] }),
      vaultKeys: new VaultKeys(join(directory, 'keys'), estate.workshop.clock),
    },
    credential,
    tls,
    log: {
      info: note,
      warn: note,
      error(fields, message) {
        errors.push(fields);
        note(fields, message);
      },
    },
  });
  starting.defer(() => app.close());
  const rest = starting.move();
  return {
    app,
    estate,
    directory,
    token: credential.token,
    ca: tls.cert,
    errors,
    log,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}
