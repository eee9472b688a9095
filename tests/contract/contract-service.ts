import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ComputeManagementClient } from '@azure/arm-compute';
import { RecoveryServicesClient } from '@azure/arm-recoveryservices';
import { RecoveryServicesBackupClient } from '@azure/arm-recoveryservicesbackup';
import { ResourceManagementClient } from '@azure/arm-resources';
import { SubscriptionClient } from '@azure/arm-resources-subscriptions';
import { createLocalCredential } from '../../src/access/index.ts';
import { createServer, ensureCertificate, resourceIds } from '../../src/api/index.ts';
import { StorePlaces, VaultKeys } from '../../src/jobs/index.ts';
import { createSmallEstate, type SmallEstate } from '../../src/jobs/testing/small-estate.ts';
import { createStore, fileSystemBackend, openStore } from '../../src/store/index.ts';

export const subscriptionId = '11111111-2222-3333-4444-555555555555';

/** The service's API over machines of byte arrays, and Azure's published clients, which reach it over TLS. */
export interface ContractService extends AsyncDisposable {
  estate: SmallEstate;
  directory: string;
  endpoint: string;
  token: string;
  /** PEM of the service's certificate. */
  ca: string;
  /** What the service logged as unexpected. */
  failures: object[];
  vaults: RecoveryServicesClient;
  backup: RecoveryServicesBackupClient;
  compute: ComputeManagementClient;
  resources: ResourceManagementClient;
  subscriptions: SubscriptionClient;
}

export async function startContractService(
  options: { throttle?: { burst: number; perSecond: number } } = {},
): Promise<ContractService> {
  const estate = await createSmallEstate();
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-contract-'));
  const tls = await ensureCertificate(join(directory, 'tls'), '127.0.0.1', new Date());
  const credential = createLocalCredential();
  const now = { now: () => Temporal.Now.instant() };
  const failures: object[] = [];
  const server = createServer({
    scope: {
      workshop: estate.workshop,
      ids: resourceIds(subscriptionId),
      subscriptionId,
      defaultStoreRoot: join(directory, 'stores'),
      home: directory,
      version: '0.0.0',
      startedAt: now.now(),
      storePlaces: new StorePlaces(join(directory, 'store-credentials')),
      openStoreAt: (path, secrets) =>
        openStore(fileSystemBackend(path), { clock: now, ...(secrets.length > 0 && { unlock: secrets }) }),
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
    log: { info() {}, warn() {}, error: (fields) => failures.push(fields) },
    ...options,
  });
  const endpoint = await server.listen({ host: '127.0.0.1', port: 0 });
  const signIn = {
    getToken: async () => ({ token: credential.token, expiresOnTimestamp: Date.now() + 3_600_000 }),
  };
  const client = { endpoint, tlsOptions: { ca: tls.cert } };
  return {
    estate,
    directory,
    endpoint,
    token: credential.token,
    ca: tls.cert,
    failures,
    vaults: new RecoveryServicesClient(signIn, subscriptionId, client),
    backup: new RecoveryServicesBackupClient(signIn, subscriptionId, { ...client, $host: endpoint }),
    compute: new ComputeManagementClient(signIn, subscriptionId, client),
    resources: new ResourceManagementClient(signIn, subscriptionId, client),
    subscriptions: new SubscriptionClient(signIn, client),
    async [Symbol.asyncDispose]() {
      await server.close();
      await estate[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
