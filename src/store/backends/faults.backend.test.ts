import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { HoldfastError } from '../../errors/index.ts';
import type { Backend } from '../backend.ts';
import { startTestBlob, type TestBlob } from '../testing/blob-server.ts';
import type { Fault, ProxiedRequest } from '../testing/fault-proxy.ts';
import { startTestS3, type TestS3 } from '../testing/s3-server.ts';
import { type BackendOptions, openBackend } from './open-backend.ts';

const servers: { [name: string]: TestS3 | TestBlob } = {};
beforeAll(async () => {
  [servers.S3, servers.Blob] = await Promise.all([startTestS3({ strict: true }), startTestBlob()]);
});
afterAll(async () => {
  for (const server of Object.values(servers)) await server[Symbol.asyncDispose]();
});
const locks: AsyncDisposable[] = [];
afterEach(async () => {
  for (const server of Object.values(servers)) server.proxy.fault = () => undefined;
  for (const lock of locks.splice(0)) await lock[Symbol.asyncDispose]();
});

const rules = { tries: 3, baseMs: 2, timeoutMs: 800, slowestBytesPerSecond: 16 * 1024 * 1024 };
const partBytes = 5 * 1024 * 1024;

function serverOf(name: string): TestS3 | TestBlob {
  const server = servers[name];
  if (server === undefined) throw new Error(`no server ${name}`);
  return server;
}

async function backendOf(name: string, options: BackendOptions & { prefix?: string } = {}): Promise<Backend> {
  const { credentials, place } = serverOf(name);
  return await openBackend(place(options.prefix ?? randomUUID()), {
    credentials,
    rules,
    leaseMs: 20_000,
    ...options,
  });
}

async function locked(name: string, options: BackendOptions = {}): Promise<Backend> {
  const backend = await backendOf(name, options);
  const lock = await backend.lock({ create: true });
  if (lock === undefined) throw new Error('the place is taken');
  locks.push(lock);
  return backend;
}

/** The first `times` requests that are about `text` fail so. Renewals of the lease are left alone. */
function failing(text: string, fault: Fault, times = 1) {
  let left = times;
  return ({ method, url }: ProxiedRequest): Fault | undefined =>
    `${method} ${url}`.includes(text) && !decodeURIComponent(url).includes('/lock/') && left-- > 0
      ? fault
      : undefined;
}

const bytes = Buffer.from('0123456789'.repeat(100));
const all = (backend: Backend, prefix: string) =>
  Array.fromAsync(backend.list(prefix)).then((found) => found.map(({ name }) => name).sort());

const faults: [string, Fault][] = [
  ['a connection that is reset', { kind: 'reset' }],
  ['a connection that is reset when the work is done', { kind: 'reset', afterServer: true }],
  ['a body that is cut off', { kind: 'cutBody' }],
  ['no answer', { kind: 'hang' }],
  ['503 SlowDown', { kind: 'answer', status: 503, body: '<Error><Code>SlowDown</Code></Error>' }],
  ['500 without a body', { kind: 'answer', status: 500 }],
  ['429', { kind: 'answer', status: 429 }],
];

describe.each(['S3', 'Blob'])('%s', (name) => {
  describe.each(faults)('that meets %s once', (_, fault) => {
    test('does every operation all the same', async () => {
      const backend = await locked(name);
      const { proxy } = serverOf(name);
      const once = async <T>(run: () => Promise<T>): Promise<T> => {
        proxy.fault = failing('', fault);
        return await run();
      };
      await once(() => backend.put('index/one', [bytes]));
      expect((await once(() => backend.get('index/one')))?.equals(bytes)).toBe(true);
      const into = Buffer.alloc(20);
      const part = await once(() => backend.get('index/one', { offset: 5, length: 20, into }));
      expect(String(part)).toBe(String(bytes.subarray(5, 25)));
      expect(await once(() => backend.stat('index/one'))).toMatchObject({ sizeBytes: 1000 });
      expect(await once(() => all(backend, 'index/'))).toEqual(['index/one']);
      await once(() => backend.delete('index/one'));
      expect(await once(() => backend.stat('index/one'))).toBeUndefined();
    });
  });

  test.each(faults)('gives up on %s that goes on, with StoreUnavailable', async (_, fault) => {
    const backend = await locked(name);
    const { proxy } = serverOf(name);
    await backend.put('index/one', [bytes]);
    proxy.fault = failing('', fault, Number.POSITIVE_INFINITY);
    const before = proxy.seen.length;
    const putting = expect(backend.put('index/two', [bytes]));
    // The answer to a put has no body that could be cut off.
    if (fault.kind === 'cutBody') await putting.resolves.toBeUndefined();
    else await putting.rejects.toMatchObject({ code: 'StoreUnavailable' });
    const tries = proxy.seen.slice(before).filter((line) => line.includes('index/two')).length;
    expect(tries).toBe(fault.kind === 'cutBody' ? 1 : rules.tries);
    await expect(backend.get('index/one')).rejects.toMatchObject({ code: 'StoreUnavailable' });
    await expect(all(backend, 'index/')).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });

  test('does not take a body for whole whose headers lie about its length', async () => {
    const backend = await locked(name);
    const { proxy } = serverOf(name);
    await backend.put('index/one', [bytes]);
    proxy.fault = failing('GET', { kind: 'shortBody' });
    const range = { offset: 100, length: 500 };
    expect((await backend.get('index/one', range))?.equals(bytes.subarray(100, 600))).toBe(true);
    proxy.fault = failing('GET', { kind: 'shortBody' }, Number.POSITIVE_INFINITY);
    await expect(backend.get('index/one', range)).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });

  test('has a put refused, and repeats it, whose bytes changed on the way', async () => {
    const backend = await locked(name);
    serverOf(name).proxy.fault = failing('PUT', { kind: 'flipBit' });
    await backend.put('index/one', [bytes]);
    expect((await backend.get('index/one'))?.equals(bytes)).toBe(true);
  });

  test('reads over a slow link, as long as it is not slower than allowed', async () => {
    const backend = await locked(name);
    const { proxy } = serverOf(name);
    const large = Buffer.alloc(1024 * 1024, 'x');
    await backend.put('packs/aa/1', [large]);
    proxy.fault = failing('packs/aa', { kind: 'slow', bytesPerSecond: 8 * 1024 * 1024 }, 1);
    expect((await backend.get('packs/aa/1', { offset: 0, length: large.length }))?.equals(large)).toBe(true);
    proxy.fault = failing('packs/aa', { kind: 'slow', bytesPerSecond: 20_000 }, Number.POSITIVE_INFINITY);
    await expect(backend.get('packs/aa/1', { offset: 0, length: large.length })).rejects.toMatchObject({
      code: 'StoreUnavailable',
      message: expect.stringContaining('no answer within') as string,
    });
  });

  test('lists page by page, and fails rather than leave a page out', async () => {
    const backend = await locked(name, { pageSize: 3 });
    const { proxy } = serverOf(name);
    const names = Array.from({ length: 10 }, (_, number) => `points/vm/${number}`);
    for (const point of names) await backend.put(point, [bytes]);
    expect(await all(backend, 'points/')).toEqual(names);
    const inside = name === 'S3' ? 'continuation-token' : 'marker';
    proxy.fault = failing(inside, { kind: 'reset' });
    expect(await all(backend, 'points/')).toEqual(names);
    proxy.fault = failing(inside, { kind: 'cutBody' }, Number.POSITIVE_INFINITY);
    await expect(all(backend, 'points/')).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });

  describe('a large object', () => {
    const large = Buffer.alloc(2 * partBytes + 12345, 'abcdefg');
    const begins = name === 'S3' ? 'uploads' : 'comp=block';
    const ends = name === 'S3' ? 'POST' : 'comp=blocklist';

    test.each([
      ['its beginning', begins, 'reset'],
      ['a part', name === 'S3' ? 'partNumber=2' : 'comp=block&', 'reset'],
      ['the answer to a part', name === 'S3' ? 'partNumber=2' : 'comp=block&', 'late'],
      ['its end', ends === 'POST' ? 'uploadId' : ends, 'reset'],
    ])('gets there in parts although %s fails once', async (_, text, when) => {
      const backend = await locked(name, { partBytes });
      const { proxy } = serverOf(name);
      proxy.fault = failing(text, { kind: 'reset', afterServer: when === 'late' });
      await backend.put('packs/aa/1', [large.subarray(0, partBytes + 7), large.subarray(partBytes + 7)]);
      expect((await backend.get('packs/aa/1'))?.equals(large)).toBe(true);
    });

    test('is taken for whole when only the answer to its end got lost', async () => {
      const backend = await locked(name, { partBytes });
      const { proxy } = serverOf(name);
      let left = 1;
      proxy.fault = ({ method, url }) => {
        const isEnd = name === 'S3' ? method === 'POST' && url.includes('uploadId') : url.includes(ends);
        return isEnd && left-- > 0 ? { kind: 'reset', afterServer: true } : undefined;
      };
      await backend.put('packs/aa/1', [large]);
      expect(left).toBeLessThan(1);
      expect((await backend.get('packs/aa/1'))?.equals(large)).toBe(true);
    });

    test('that cannot be sent leaves nothing to be seen, and is given up at the server', async () => {
      const backend = await locked(name, { partBytes });
      const { proxy } = serverOf(name);
      const part = name === 'S3' ? 'partNumber=3' : 'comp=block&';
      proxy.fault = failing(part, { kind: 'reset' }, Number.POSITIVE_INFINITY);
      await expect(backend.put('packs/aa/1', [large])).rejects.toMatchObject({ code: 'StoreUnavailable' });
      proxy.fault = () => undefined;
      expect(await backend.stat('packs/aa/1')).toBeUndefined();
      expect(await all(backend, 'packs/')).toEqual([]);
      const ended = proxy.seen.filter((line) => /^DELETE .*uploadId=/.test(line));
      if (name === 'S3') expect(ended).toHaveLength(1);
    });

    test('has several parts on their way at once', async () => {
      const backend = await locked(name, { partBytes, rules: { ...rules, timeoutMs: 20_000 } });
      const { proxy } = serverOf(name);
      const three = Promise.withResolvers<void>();
      let parts = 0;
      // None of the first three is answered before all of them are there.
      proxy.fault = async ({ method, url }) => {
        if (method !== 'PUT' || !/partNumber|comp=block&/.test(url)) return undefined;
        if (++parts === 3) three.resolve();
        await three.promise;
        return undefined;
      };
      await backend.put('packs/aa/1', [Buffer.alloc(4 * partBytes)]);
      expect(parts).toBe(4);
    });
  });

  test('says what is wrong with the credentials, and none of their secret', async () => {
    const secret = Buffer.from('quite another secret').toString('base64');
    const wrong =
      name === 'S3' ? { accessKeyId: 'AKIAOTHER', secretAccessKey: secret } : { accountKey: secret };
    const backend = await backendOf(name, { credentials: wrong });
    const failure = await backend.lock({ create: true }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'StoreAccessDenied' });
    expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain(secret);
    expect((failure as HoldfastError).action).toMatch(/credentials|account key/);
  });

  test('says that the bucket is not there, and makes none', async () => {
    const { credentials, place } = serverOf(name);
    const backend = await openBackend(place('x', 'no-such-place'), { credentials, rules });
    expect(await backend.exists()).toBe(false);
    await expect(backend.lock({ create: true })).rejects.toMatchObject({ code: 'StoreNotFound' });
    await expect(backend.get('index/one')).rejects.toMatchObject({ code: 'StoreNotFound' });
    await expect(backend.stat('index/one')).rejects.toMatchObject({ code: 'StoreNotFound' });
    await expect(all(backend, 'index/')).rejects.toMatchObject({ code: 'StoreNotFound' });
    expect(await backend.exists()).toBe(false);
  });

  test('says that there is no more room', async () => {
    const backend = await locked(name);
    const body = '<?xml version="1.0"?><Error><Code>QuotaExceeded</Code><Message>no more</Message></Error>';
    const headers = { 'content-type': 'application/xml', 'x-ms-error-code': 'QuotaExceeded' };
    const status = name === 'S3' ? 403 : 507;
    serverOf(name).proxy.fault = failing('PUT', { kind: 'answer', status, headers, body }, 5);
    await expect(backend.put('index/one', [bytes])).rejects.toMatchObject({ code: 'StoreFull' });
  });

  test('finds out what the service can do, and leaves nothing of the trials', async () => {
    const backend = await locked(name);
    expect(await backend.capabilities()).toEqual({
      atomicReplace: true,
      conditionalPut: true,
      contentCheck: true,
      objectLock: false,
    });
    expect(await all(backend, 'probe/')).toEqual([]);
  });

  test('stops a read that is under way when told to', async () => {
    const backend = await locked(name);
    await backend.put('index/one', [bytes]);
    const stop = new AbortController();
    serverOf(name).proxy.fault = ({ method, url }) => {
      if (method !== 'GET' || !url.includes('index/one')) return undefined;
      setTimeout(() => stop.abort(new Error('enough')), 20);
      return { kind: 'hang' };
    };
    const reading = backend.get('index/one', { offset: 0, length: 10, signal: stop.signal });
    await expect(reading).rejects.toThrow('enough');
  });
});

test('an S3 store that is opened ends the uploads that it left behind, and nobody else’s', async () => {
  const prefix = randomUUID();
  const { proxy } = serverOf('S3');
  const upload = (key: string) =>
    `<Upload><Key>${key}</Key><UploadId>of-${key.replaceAll('/', '-')}</UploadId></Upload>`;
  const keys = [
    `${prefix}/packs/aa/1.pack`,
    `${prefix}/inner/packs/aa/2.pack`,
    `${prefix}-2/packs/aa/3.pack`,
  ];
  const body = `<?xml version="1.0"?><ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${keys.map(upload).join('')}</ListMultipartUploadsResult>`;
  const ended: string[] = [];
  // fauxqs does not list uploads.
  proxy.fault = ({ method, url }) => {
    if (method === 'GET' && /[?&]uploads/.test(url))
      return { kind: 'answer', status: 200, headers: { 'content-type': 'application/xml' }, body };
    if (method === 'DELETE' && url.includes('uploadId=of-')) ended.push(url);
    return undefined;
  };
  const backend = await backendOf('S3', { prefix });
  const lock = await backend.lock({ create: true });
  if (lock !== undefined) locks.push(lock);
  expect(ended).toHaveLength(1);
  expect(ended[0]).toContain(`${prefix}/packs/aa/1.pack`);
});

test('S3 that honours neither conditions nor sums is seen for what it is', async () => {
  await using plain = await startTestS3({ strict: false });
  const backend = await openBackend(plain.place('p'), { credentials: plain.credentials, rules });
  expect(await backend.capabilities()).toEqual({
    atomicReplace: true,
    conditionalPut: false,
    contentCheck: false,
    objectLock: false,
  });
});
