import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

export interface TestBlob extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly credentials: { accountKey: string };
  /** The address of a store in the server's container. */
  place(prefix: string, container?: string): string;
}

const account = 'holdfasttest';
const accountKey = Buffer.from('a key of the test, not to be shown').toString('base64');
const startLimitMs = 30_000;

/** Azurite, in a process and a port of its own, in memory, behind a proxy. It checks signatures, sums and conditions. */
export async function startTestBlob(): Promise<TestBlob> {
  const port = await freePort();
  const program = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js');
  const options = ['--inMemoryPersistence', '--skipApiVersionCheck', '--disableTelemetry', '--silent'];
  const child = spawn(
    process.execPath,
    [program, '--blobHost', '127.0.0.1', '--blobPort', String(port), ...options],
    { env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${accountKey}` }, stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const target = `http://127.0.0.1:${port}`;
  const proxy = await startFaultProxy(target);
  const dispose = async () => {
    await proxy[Symbol.asyncDispose]();
    child.kill('SIGKILL');
    await ended;
  };
  try {
    await createContainer(`${target}/${account}/backups`);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    proxy,
    credentials: { accountKey },
    place: (prefix, container = 'backups') =>
      `azblob://${account}/${container}/${prefix}?endpoint=${proxy.endpoint}/${account}`,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Once the server answers. */
async function createContainer(address: string): Promise<void> {
  const container = new ContainerClient(address, new StorageSharedKeyCredential(account, accountKey), {
    retryOptions: { maxTries: 1 },
  });
  const deadline = performance.now() + startLimitMs;
  for (;;) {
    try {
      await container.createIfNotExists();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
