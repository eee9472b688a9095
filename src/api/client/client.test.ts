import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Received, type Reply, startHttpsServer } from '../../../tests/support/https-server.ts';
import { ApiError } from './api-error.ts';
import { type ClientOptions, createClient } from './connect.ts';

const subscriptionId = '6f1c0b1e-0000-4000-8000-000000000001';
const vault = { resourceGroup: 'default', vault: 'v1' };
const item = { ...vault, vmResourceGroup: 'rack 1', vm: 'web/1' };

/** A client of a server that answers as given; `received` fills as requests come. */
async function setUp(
  answer: (received: Received, n: number) => Reply | undefined,
  options: Partial<ClientOptions> = {},
) {
  const received: Received[] = [];
  const server = await startHttpsServer((request) => {
    received.push(request);
    return answer(request, received.length);
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const client = createClient({
    endpoint: server.endpoint,
    token: 'secret-token',
    ca: server.ca,
    subscriptionId,
    ...options,
  });
  return { client, received, server };
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error,
  );

const service = { version: '0.1.0', startedAt: '2026-11-21T05:00:00Z', subscriptionId, home: '/srv/h' };

const operation = (status: string, more: object = {}) => ({
  id: '/op',
  name: 'op1',
  status,
  startTime: '2026-11-21T05:00:00Z',
  endTime: '0001-01-01T00:00:00Z',
  ...more,
});

describe('requests', () => {
  test('carry the token, the api-version and percent-encoded names', async () => {
    const { client, received } = await setUp(() => ({
      status: 202,
      headers: { 'azure-asyncoperation': 'https://elsewhere:1/op?api-version=x', 'retry-after': '3' },
    }));
    const accepted = await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } });
    expect(received[0]?.headers.authorization).toBe('Bearer secret-token');
    expect(received[0]?.url).toBe(
      `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.RecoveryServices/vaults/v1` +
        '/backupFabrics/Azure/protectionContainers/iaasvmcontainer%3Biaasvmcontainerv2%3Brack%201%3Bweb%2F1' +
        '/protectedItems/vm%3Biaasvmcontainerv2%3Brack%201%3Bweb%2F1/backup?api-version=2026-07-01',
    );
    expect(received[0]?.body).toEqual({ properties: { objectType: 'IaasVMBackupRequest' } });
    expect(accepted).toEqual({ statusPath: '/op?api-version=x', retryAfterMs: 3000 });
  });

  test('are sent again when there were too many', async () => {
    const busy = {
      status: 429,
      headers: { 'retry-after': '0' },
      body: { error: { code: 'TooManyRequests', message: 'x' } },
    };
    const { client, received } = await setUp((_request, n) => (n < 3 ? busy : { body: { value: [] } }));
    expect(await client.vaults.list()).toEqual([]);
    expect(received).toHaveLength(3);
    const patient = await setUp(() => busy);
    expect(await failure(patient.client.vaults.list())).toMatchObject({
      code: 'TooManyRequests',
      status: 429,
    });
    expect(patient.received).toHaveLength(5);
  });

  test('learn the subscription from the service, once', async () => {
    const { client, received } = await setUp(
      ({ path }) => ({ body: path === '/holdfast/service' ? service : { value: [] } }),
      { subscriptionId: undefined },
    );
    await client.hosts.list();
    await client.vaults.list();
    expect(received.map(({ path }) => path)).toEqual([
      '/holdfast/service',
      `/subscriptions/${subscriptionId}/providers/Holdfast.Fleet/hosts`,
      `/subscriptions/${subscriptionId}/providers/Microsoft.RecoveryServices/vaults`,
    ]);
  });

  test('ask for the subscription again when the first answer was a failure', async () => {
    const { client } = await setUp(
      (_, n) => (n === 1 ? { status: 503, body: 'starting' } : { body: service }),
      {
        subscriptionId: undefined,
      },
    );
    await failure(client.subscriptionId());
    expect(await client.subscriptionId()).toBe(subscriptionId);
  });

  test("write a job filter in Azure's words", async () => {
    const { client, received } = await setUp(() => ({ body: { value: [] } }));
    await client.jobs.list(vault, {
      status: 'Failed',
      operation: 'Backup',
      startTime: new Date('2026-11-20T00:05:09Z'),
      endTime: new Date('2026-11-20T15:00:00Z'),
    });
    expect(received[0]?.query.get('$filter')).toBe(
      "status eq 'Failed' and operation eq 'Backup' and startTime eq '2026-11-20 12:05:09 AM' and endTime eq '2026-11-20 03:00:00 PM'",
    );
  });
});

describe('answers', () => {
  test('are handed on as they came, unknown fields included', async () => {
    const { client } = await setUp(() => ({ body: { ...service, later: { more: 1 } } }));
    expect(await client.service()).toEqual({ ...service, later: { more: 1 } });
  });

  test('of another shape are refused, naming the field', async () => {
    const { client, server } = await setUp(() => ({ body: { ...service, version: 3 } }));
    expect(await failure(client.service())).toMatchObject({
      code: 'AnswerNotUnderstood',
      message: expect.stringMatching(
        new RegExp(`^The service at ${server.endpoint} was not understood: .*version`),
      ),
    });
  });

  test('that are no JSON are refused', async () => {
    const { client } = await setUp(() => ({ status: 502, body: '<html>' }));
    expect(await failure(client.service())).toMatchObject({ code: 'AnswerNotUnderstood' });
  });

  test('that refuse become an error with code, sentence, advice, status and request id', async () => {
    const body = {
      error: {
        code: 'UserErrorBackupOperationInProgress',
        message: "A backup of 'web' is running.",
        additionalInfo: [{ type: 'RecommendedAction', info: { action: 'Wait for it.' } }],
      },
    };
    const { client } = await setUp(() => ({ status: 409, headers: { 'x-ms-request-id': 'r-1' }, body }));
    const error = await failure(client.service());
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      code: 'UserErrorBackupOperationInProgress',
      message: "A backup of 'web' is running.",
      action: 'Wait for it.',
      status: 409,
      requestId: 'r-1',
      body,
    });
  });

  test('without advice get that of the catalogue', async () => {
    const { client } = await setUp(() => ({
      status: 404,
      body: { error: { code: 'ResourceNotFound', message: 'No vault v1.' } },
    }));
    expect(await failure(client.vaults.get(vault))).toMatchObject({
      action: 'Check the name; list what exists.',
      requestId: undefined,
    });
  });

  test('in pages become one list; links are followed at our address, whatever name they carry', async () => {
    const subscription = (n: number) => ({
      id: `/subscriptions/${n}`,
      subscriptionId: String(n),
      displayName: 'x',
      state: 'Enabled',
      tenantId: subscriptionId,
    });
    const { client, received } = await setUp(({ query }) => {
      const n = Number(query.get('$skipToken') ?? 0);
      const nextLink = n < 2 ? { nextLink: `https://other.example/subscriptions?$skipToken=${n + 1}` } : {};
      return { body: { value: [subscription(n)], ...nextLink } };
    });
    expect((await client.subscriptions()).map((s) => s.subscriptionId)).toEqual(['0', '1', '2']);
    expect(received).toHaveLength(3);
  });

  test('are not asked for beyond the wanted number of jobs', async () => {
    const { client, received } = await setUp(() => ({
      body: { value: [], nextLink: 'https://other.example/more' },
    }));
    expect(await client.jobs.list(vault, {}, 0)).toEqual([]);
    expect(received).toHaveLength(0);
  });
});

describe('operations', () => {
  const accepted = { statusPath: '/op?api-version=2026-07-01', retryAfterMs: 0 };
  const properties = { objectType: 'OperationStatusJobExtendedInfo', jobId: 'j1' };

  test('are asked after until they end', async () => {
    const { client, received } = await setUp((_, n) => ({
      headers: { 'retry-after': '0' },
      body: operation(n < 3 ? 'InProgress' : 'Succeeded', { properties }),
    }));
    expect(await client.operations.wait(accepted)).toMatchObject({ status: 'Succeeded' });
    expect(received).toHaveLength(3);
  });

  test('name their job before they end', async () => {
    const { client, received } = await setUp((_, n) => ({
      headers: { 'retry-after': '0' },
      body: operation('InProgress', n < 2 ? {} : { properties }),
    }));
    expect(await client.operations.jobOf(accepted)).toBe('j1');
    expect(received).toHaveLength(2);
  });

  test('that fail throw their own code with the advice of the catalogue', async () => {
    const { client } = await setUp(() => ({
      body: operation('Failed', { error: { code: 'UserErrorVmNotFoundV2', message: "No VM 'web'." } }),
    }));
    expect(await failure(client.operations.wait(accepted))).toMatchObject({
      code: 'UserErrorVmNotFoundV2',
      status: 404,
      action: expect.stringContaining('holdfast vm list'),
    });
  });

  test('that have failed still name the job that tells why', async () => {
    const error = { code: 'StoreFull', message: 'Full.' };
    const { client } = await setUp(() => ({ body: operation('Failed', { error, properties }) }));
    expect(await client.operations.jobOf(accepted)).toBe('j1');
    expect(await failure(client.operations.wait(accepted))).toMatchObject({ code: 'StoreFull' });
  });

  test('are waited for no longer than the signal allows', async () => {
    const stop = new AbortController();
    const { client } = await setUp(
      () => {
        setImmediate(() => stop.abort(new Error('enough')));
        return { headers: { 'retry-after': '60' }, body: operation('InProgress') };
      },
      { signal: stop.signal },
    );
    expect(await failure(client.operations.wait(accepted))).toMatchObject({ message: 'enough' });
  });
});

describe('the way to the service', () => {
  test('nobody listens: says so and how to start it', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const address = closed.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await new Promise((resolve) => closed.close(resolve));
    const client = createClient({ endpoint: `https://127.0.0.1:${port}`, token: 't' });
    expect(await failure(client.service())).toMatchObject({
      code: 'ServiceUnreachable',
      message: `Nothing answers at https://127.0.0.1:${port}.`,
      action: expect.stringContaining('holdfast serve'),
    });
  });

  test('a certificate that no given authority signed is not trusted', async () => {
    const { client } = await setUp(() => ({ body: service }), { ca: undefined });
    expect(await failure(client.service())).toMatchObject({
      code: 'CertificateNotTrusted',
      action: expect.stringContaining('--ca-file'),
    });
  });

  test('a trusted certificate for another name is not accepted', async () => {
    await using server = await startHttpsServer(() => ({ body: service }), { address: '127.0.0.2' });
    const client = createClient({ endpoint: server.endpoint, token: 't', ca: server.ca });
    expect(await failure(client.service())).toMatchObject({
      code: 'CertificateNotTrusted',
      message: expect.stringContaining('127.0.0.2'),
    });
  });

  test('an answer that does not come ends with the time limit', async () => {
    const { client } = await setUp(() => undefined, { timeoutMs: 100 });
    expect(await failure(client.service())).toMatchObject({
      code: 'ServiceTimedOut',
      message: expect.stringContaining('within 0.1 s'),
    });
  });

  test("the caller's signal ends a request with its own reason", async () => {
    const stop = new AbortController();
    const { client } = await setUp(
      () => {
        stop.abort(new Error('interrupted'));
        return undefined;
      },
      { signal: stop.signal },
    );
    expect(await failure(client.service())).toMatchObject({ message: 'interrupted' });
  });

  test.each(['http://127.0.0.1:1', 'https://127.0.0.1:1/path', 'nonsense', 'https://user@host'])(
    '%s is no address of a service',
    (endpoint) => {
      expect(() => createClient({ endpoint, token: 't' })).toThrow(
        expect.objectContaining({ code: 'InvalidInput' }),
      );
    },
  );
});
