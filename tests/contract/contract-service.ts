import { ComputeManagementClient } from '@azure/arm-compute';
import { RecoveryServicesClient } from '@azure/arm-recoveryservices';
import { RecoveryServicesBackupClient } from '@azure/arm-recoveryservicesbackup';
import { ResourceManagementClient } from '@azure/arm-resources';
import { SubscriptionClient } from '@azure/arm-resources-subscriptions';
import { createApiServer, subscriptionId } from '../support/api-server.ts';

export { subscriptionId } from '../support/api-server.ts';

/** The service's API over machines of byte arrays, and Azure's published clients, which reach it over TLS. */
export type ContractService = Awaited<ReturnType<typeof startContractService>>;

export async function startContractService(options: Parameters<typeof createApiServer>[0] = {}) {
  const server = await createApiServer(options);
  const endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  return {
    ...clientsOf(endpoint, server.ca, async () => server.token),
    endpoint,
    app: server.app,
    estate: server.estate,
    directory: server.directory,
    token: server.token,
    ca: server.ca,
    /** What the service logged as unexpected. */
    failures: server.errors,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The clients as anybody makes them, but for the address and the certificate to trust. */
export function clientsOf(
  endpoint: string,
  ca: string,
  token: () => Promise<string>,
  subscription = subscriptionId,
) {
  const signIn = {
    getToken: async () => ({ token: await token(), expiresOnTimestamp: Date.now() + 3_600_000 }),
  };
  const client = { endpoint, tlsOptions: { ca } };
  return {
    vaults: new RecoveryServicesClient(signIn, subscription, client),
    backup: new RecoveryServicesBackupClient(signIn, subscription, { ...client, $host: endpoint }),
    compute: new ComputeManagementClient(signIn, subscription, client),
    resources: new ResourceManagementClient(signIn, subscription, client),
    subscriptions: new SubscriptionClient(signIn, client),
  };
}
