import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../platform/index.ts';
import { connectNbd, type NbdClient, type NbdConnectOptions, NbdError } from './index.ts';

let directory: string;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-nbd-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await rm(directory, { recursive: true });
});

async function emptyFile(path: string, sizeBytes: number): Promise<void> {
  await using file = await open(path, 'wx');
  await file.truncate(sizeBytes);
}

/** Starts qemu-nbd with `args`; it is ended after the test. */
function startServer(args: string[]): { child: ChildProcess; path: string } {
  const path = join(directory, `socket-${stops.length}`);
  const child = spawn('qemu-nbd', ['-k', path, ...args], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  stops.push(async () => {
    child.kill();
    await exited;
  });
  return { child, path };
}

/** Connects as soon as the server listens. */
async function connectSoon(path: string, options: Partial<NbdConnectOptions> = {}): Promise<NbdClient> {
  for (const end = performance.now() + 20_000; ; await setImmediate()) {
    try {
      return await connectNbd({ address: { path }, ...options });
    } catch (error) {
      if (!(error instanceof NbdError && error.kind === 'unreachable') || performance.now() > end)
        throw error;
    }
  }
}

const serve = (args: string[], options?: Partial<NbdConnectOptions>) =>
  connectSoon(startServer(args).path, options);

test('what is written through qemu-nbd is read back, and is in the file', async () => {
  const image = join(directory, 'disk.raw');
  await using file = await open(image, 'w+');
  await file.truncate(8 << 20);
  await using client = await serve(['--discard=unmap', '-f', 'raw', image], {
    contexts: ['base:allocation'],
  });
  expect(client).toMatchObject({ sizeBytes: 8 << 20, readOnly: false, contexts: ['base:allocation'] });
  const data = Buffer.alloc(1 << 20, 'holdfast');
  await Promise.all([0, 3, 5].map((mib) => client.write(mib << 20, data)));
  await client.writeZeroes(5 << 20, 4096);
  await client.flush();
  expect(Buffer.from(await client.read((3 << 20) - 4096, 8192))).toEqual(
    Buffer.concat([Buffer.alloc(4096), data.subarray(0, 4096)]),
  );
  expect((await client.blockStatus(0, 8 << 20)).get('base:allocation')?.slice(0, 3)).toEqual([
    { length: 1 << 20, flags: 0 },
    { length: 2 << 20, flags: 3 },
    { length: 1 << 20, flags: 0 },
  ]);
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, (5 << 20) + 4096);
  expect(buffer.toString()).toBe('hold');
  await client.trim(0, 1 << 20);
  expect(Buffer.alloc(1 << 20).equals(await client.read(0, 1 << 20))).toBe(true);
  await client.close();
});

test('a read-only export refuses writes; an unknown one is refused whole', async () => {
  const image = join(directory, 'disk.raw');
  await emptyFile(image, 1 << 20);
  await using client = await serve(['-r', '-f', 'raw', image]);
  expect(client.readOnly).toBe(true);
  await expect(client.write(0, Buffer.alloc(512))).rejects.toMatchObject({ kind: 'refused' });
  await client.close();
  await expect(serve(['-r', '-f', 'raw', image], { exportName: 'other' })).rejects.toMatchObject({
    kind: 'refused',
  });
});

test('the depth context and a dirty bitmap tell what changed', async () => {
  const [base, top] = [join(directory, 'base.qcow2'), join(directory, 'top.qcow2')];
  const qemu = (...command: [string, ...string[]]) => run(command, { timeoutMs: 20_000 });
  await qemu('qemu-img', 'create', '-q', '-f', 'qcow2', base, '4M');
  await qemu('qemu-io', '-f', 'qcow2', '-c', 'write -P 1 0 1M', base);
  await qemu('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
  await qemu('qemu-img', 'bitmap', '--add', '-f', 'qcow2', top, 'since');
  await qemu('qemu-io', '-f', 'qcow2', '-c', 'write -P 2 1M 64k', top);
  const contexts = ['qemu:allocation-depth', 'qemu:dirty-bitmap:since', 'qemu:dirty-bitmap:other'];
  await using client = await serve(['-r', '-A', '-B', 'since', '-f', 'qcow2', top], { contexts });
  expect(client.contexts).toEqual(contexts.slice(0, 2));
  const status = await client.blockStatus(0, 4 << 20);
  const [depth, dirty] = contexts.map((name) => status.get(name));
  expect(depth).toEqual([
    { length: 1 << 20, flags: 2 },
    { length: 65536, flags: 1 },
    { length: (3 << 20) - 65536, flags: 0 },
  ]);
  expect(dirty).toEqual([
    { length: 1 << 20, flags: 0 },
    { length: 65536, flags: 1 },
    { length: (3 << 20) - 65536, flags: 0 },
  ]);
});

test('a server killed in the middle fails the reads in flight', async () => {
  const image = join(directory, 'disk.raw');
  await emptyFile(image, 1 << 30);
  const { child, path } = startServer(['-r', '-f', 'raw', image]);
  const client = await connectSoon(path);
  await client.read(0, 4096);
  child.kill('SIGSTOP');
  const call = client.read(0, 4096);
  const failed = expect(call).rejects.toMatchObject({ kind: 'lost' });
  child.kill('SIGKILL');
  await failed;
});
