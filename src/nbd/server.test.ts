import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NbdExport, Stretch } from './exports.ts';
import { connectNbd } from './index.ts';
import { bytesOf } from './scripted-peer.ts';
import { type NbdServer, type NbdServerOptions, serveNbd } from './server.ts';

let directory: string;
let path: string;
let errors: unknown[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-nbd-server-'));
  path = join(directory, 'socket');
  errors = [];
});
afterEach(async () => {
  expect(await readdir(directory), 'the socket is gone').toEqual([]);
  await rm(directory, { recursive: true });
});

/** Bytes that tell where they are from, in the given stretches; zeros elsewhere. */
function memoryExport(sizeBytes: number, stretches: readonly Stretch[]): NbdExport & { content: Buffer } {
  const content = Buffer.alloc(sizeBytes);
  for (const { offset, length } of stretches)
    for (let at = offset; at < offset + length; at++) content[at] = 1 + ((at * 31 + (at >> 9)) % 255);
  return {
    sizeBytes,
    content,
    async read(offset, length) {
      return content.subarray(offset, offset + length);
    },
    async allocated(offset, length) {
      return stretches.flatMap((stretch) => {
        const start = Math.max(stretch.offset, offset);
        const end = Math.min(stretch.offset + stretch.length, offset + length);
        return start < end ? [{ offset: start, length: end - start }] : [];
      });
    },
  };
}

const serve = (
  exports: Record<string, NbdExport>,
  options: Partial<NbdServerOptions> = {},
): Promise<NbdServer> =>
  serveNbd({
    path,
    exports: new Map(Object.entries(exports)),
    onError: (error) => errors.push(error),
    ...options,
  });

const client = (options: Partial<Parameters<typeof connectNbd>[0]> = {}) =>
  connectNbd({ address: { path }, contexts: ['base:allocation'], ...options });

const disk = () =>
  memoryExport(1_000_001, [
    { offset: 0, length: 512 },
    { offset: 65_536, length: 131_072 },
    { offset: 999_990, length: 11 },
  ]);

test('a client reads what the export holds, wherever it asks', async () => {
  const source = disk();
  await using _server = await serve({ '': source });
  await using reader = await client();
  expect(reader).toMatchObject({ sizeBytes: 1_000_001, readOnly: true, contexts: ['base:allocation'] });
  const offset = fc.nat({ max: 1_000_000 });
  await fc.assert(
    fc.asyncProperty(offset, offset, async (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b) + 1];
      const read = Buffer.from(await reader.read(start, end - start));
      expect(read.equals(source.content.subarray(start, end))).toBe(true);
    }),
    { numRuns: 50 },
  );
  await reader.close();
});

test('tells where data is and where zeros are', async () => {
  await using _server = await serve({ '': disk() });
  await using reader = await client();
  expect((await reader.blockStatus(256, 999_745)).get('base:allocation')).toEqual([
    { length: 256, flags: 0 },
    { length: 65_024, flags: 3 },
    { length: 131_072, flags: 0 },
    { length: 803_382, flags: 3 },
    { length: 11, flags: 0 },
  ]);
  await reader.close();
});

test('an export that does not know where its data is may hold it anywhere', async () => {
  const { sizeBytes, read } = disk();
  await using _server = await serve({ '': { sizeBytes, read } });
  await using reader = await client();
  expect((await reader.blockStatus(0, sizeBytes)).get('base:allocation')).toEqual([
    { length: sizeBytes, flags: 0 },
  ]);
  await reader.close();
});

test('serves several disks by name, and refuses another', async () => {
  const [vda, vdb] = [memoryExport(4096, [{ offset: 0, length: 10 }]), memoryExport(8192, [])];
  await using _server = await serve({ vda, vdb });
  await using reader = await client({ exportName: 'vdb' });
  expect(reader.sizeBytes).toBe(8192);
  await reader.close();
  await expect(client({ exportName: 'vdc' })).rejects.toMatchObject({ kind: 'refused' });
  await expect(client()).rejects.toMatchObject({ kind: 'refused' });
});

test('many readers get their own answers, though these come in any order', async () => {
  const source = disk();
  const slow: NbdExport = {
    ...source,
    async read(offset, length, signal) {
      for (let turns = offset % 7; turns > 0; turns--) await new Promise(setImmediate);
      return source.read(offset, length, signal);
    },
  };
  await using _server = await serve({ '': slow });
  const readers = await Promise.all([client(), client(), client({ maxInFlight: 64 })]);
  const offsets = Array.from({ length: 60 }, (_, index) => (index * 16_001) % 990_000);
  await Promise.all(
    readers.map(async (reader) => {
      const answers = await Promise.all(offsets.map((offset) => reader.read(offset, 9000)));
      answers.forEach((answer, index) => {
        const from = offsets[index] ?? 0;
        expect(Buffer.from(answer).equals(source.content.subarray(from, from + 9000))).toBe(true);
      });
      await reader.close();
    }),
  );
});

test('a read that fails is an I/O error of that read, and nothing else', async () => {
  const source = disk();
  const damaged: NbdExport = {
    ...source,
    async read(offset, length, signal) {
      if (offset === 65_536) throw new Error('chunk damaged');
      if (offset === 66_000) return Buffer.alloc(length - 1);
      return source.read(offset, length, signal);
    },
  };
  await using _server = await serve({ '': damaged });
  await using reader = await client();
  for (const offset of [65_536, 66_000])
    await expect(reader.read(offset, 100)).rejects.toMatchObject({ kind: 'server', errorName: 'EIO' });
  expect(Buffer.from(await reader.read(0, 100)).equals(source.content.subarray(0, 100))).toBe(true);
  await reader.close();
  expect(errors).toHaveLength(2);
});

test('more in flight than there is room for waits, and is answered', async () => {
  let underWay = 0;
  let most = 0;
  const source = memoryExport(64, []);
  const counting: NbdExport = {
    ...source,
    async read(_offset, length) {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
      return Buffer.alloc(length);
    },
  };
  await using _server = await serve({ '': counting });
  await using reader = await client({ maxInFlight: 200 });
  await Promise.all(Array.from({ length: 200 }, () => reader.read(0, 64)));
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(16);
  await reader.close();
});

test('ends reads that nobody waits for any more', async () => {
  const started = Promise.withResolvers<AbortSignal>();
  const stuck: NbdExport = {
    ...memoryExport(4096, []),
    read(_offset, _length, signal) {
      started.resolve(signal);
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  };
  await using server = await serve({ '': stuck });
  {
    await using reader = await client();
    const read = reader.read(0, 4096);
    read.catch(() => {});
    await started.promise;
  }
  const signal = await started.promise;
  if (!signal.aborted) await once(signal, 'abort');
  await expect.poll(() => server.clients).toBe(0);
  expect(errors).toEqual([]);
});

test('ending the server cuts its clients off', async () => {
  const server = await serve({ '': memoryExport(4096, []) });
  const reader = await client();
  await server[Symbol.asyncDispose]();
  await expect(reader.read(0, 512)).rejects.toMatchObject({ kind: 'lost' });
});

test('hangs up on more clients than it serves, and on those that say nothing', async () => {
  await using server = await serve({ '': memoryExport(4096, []) }, { maxClients: 1, handshakeTimeoutMs: 50 });
  const silent = connect({ path });
  const second = connect({ path });
  const ends = [silent, second].map((socket) => socket.resume() && once(socket, 'close'));
  await Promise.all(ends);
  await expect.poll(() => server.clients).toBe(0);
  await using reader = await client();
  expect(reader.sizeBytes).toBe(4096);
  await reader.close();
});

/** A client of raw bytes, past the greeting, and everything it has been answered when the server hung up. */
async function talk(...parts: Uint8Array[]): Promise<Buffer> {
  const socket: Socket = connect({ path });
  const heard: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => heard.push(bytes));
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  for (const part of parts) socket.write(part);
  socket.end();
  await closed;
  return Buffer.concat(heard).subarray(18);
}

const flags = bytesOf(['u32', 3]);
const option = (number: number, data: Uint8Array = Buffer.alloc(0)) =>
  bytesOf('IHAVEOPT', ['u32', number], ['u32', data.length], data);
const goTo = (name: string) => option(7, bytesOf(['u32', name.length], name, ['u16', 0]));
const request = (command: number, offset: bigint, length: number, requestFlags = 0) =>
  bytesOf(
    ['u32', 0x25609513],
    ['u16', requestFlags],
    ['u16', command],
    ['u64', 77],
    ['u64', offset],
    ['u32', length],
  );
/** The error numbers of simple replies, in order. */
const simpleErrors = (replies: Buffer) =>
  Array.from({ length: replies.length / 16 }, (_, index) => replies.readUInt32BE(16 * index + 4));

test('answers options: a list, information, what it does not know, and goodbye', async () => {
  await using _server = await serve({ vda: memoryExport(4096, []), vdb: memoryExport(8192, []) });
  const list = await talk(flags, option(3), option(2));
  expect(list.includes('vda') && list.includes('vdb')).toBe(true);
  const unknown = await talk(flags, option(42), option(2));
  expect(unknown.readUInt32BE(12)).toBe(0x80000001);
  const info = await talk(flags, option(6, bytesOf(['u32', 3], 'vdb', ['u16', 0])), option(2));
  expect(info.readBigUInt64BE(22)).toBe(8192n);
});

test('a client of the old way gets the export it names, or is hung up on', async () => {
  await using _server = await serve({ vda: memoryExport(4096, []) });
  const reply = await talk(flags, option(1, Buffer.from('vda')), request(0, 0n, 512));
  expect(reply.readBigUInt64BE(0)).toBe(4096n);
  expect(reply).toHaveLength(10 + 16 + 512);
  expect(await talk(bytesOf(['u32', 1]), option(1, Buffer.from('vda')))).toHaveLength(134);
  expect(await talk(flags, option(1, Buffer.from('other')))).toHaveLength(0);
});

test('refuses writes, and what lies outside the disk, and goes on', async () => {
  await using _server = await serve({ vda: memoryExport(4096, []) });
  const replies = await talk(
    flags,
    option(1, Buffer.from('vda')),
    request(1, 0n, 512),
    Buffer.alloc(512, 1),
    request(4, 0n, 512),
    request(6, 0n, 512),
    request(0, 4000n, 97),
    request(0, 2n ** 63n, 1),
    request(0, 0n, 0),
    request(0, 0n, 64 * 2 ** 20),
    request(7, 0n, 512),
    request(99, 0n, 512),
    request(3, 0n, 0),
  );
  expect(simpleErrors(replies.subarray(10)).toSorted((a, b) => a - b)).toEqual(
    [1, 1, 1, 22, 22, 22, 22, 22, 95, 0].toSorted((a, b) => a - b),
  );
});

test('whatever is sent, it neither crashes nor hangs, and serves the next client', async () => {
  await using _server = await serve({ vda: memoryExport(4096, []) });
  const noise = fc.uint8Array({ maxLength: 200 });
  const message = fc.oneof(
    noise,
    fc.tuple(fc.constantFrom(1, 2, 3, 6, 8, 9, 10, 42), noise).map(([number, data]) => option(number, data)),
    fc.constant(goTo('vda')),
    fc
      .tuple(fc.nat({ max: 9 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat({ max: 2 ** 31 }), noise)
      .map(([command, offset, length, rest]) => Buffer.concat([request(command, offset, length), rest])),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 8 }), async (messages) => {
      await talk(flags, ...messages);
    }),
    { numRuns: 200 },
  );
  await using reader = await client({ exportName: 'vda' });
  expect(await reader.read(0, 4096)).toHaveLength(4096);
  await reader.close();
  expect(errors).toEqual([]);
});
