import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../backend.ts';
import { createStore, openStore } from '../index.ts';
import { startTestBlob, type TestBlob } from '../testing/blob-server.ts';
import { backUp, bytesFrom, restore, testChunkBytes, testClock } from '../testing/model-disk.ts';
import { startTestS3, type TestS3 } from '../testing/s3-server.ts';
import { openBackend } from './open-backend.ts';

const servers: { [name: string]: TestS3 | TestBlob } = {};
beforeAll(async () => {
  const [strict, plain, blob] = await Promise.all([
    startTestS3({ strict: true }),
    startTestS3({ strict: false }),
    startTestBlob(),
  ]);
  Object.assign(servers, {
    'S3 that does as AWS does': strict,
    'S3 without conditional puts': plain,
    'Azure Blob': blob,
  });
});
afterAll(async () => {
  for (const server of Object.values(servers)) await server[Symbol.asyncDispose]();
});

function serverOf(name: string): TestS3 | TestBlob {
  const server = servers[name];
  if (server === undefined) throw new Error(`no server ${name}`);
  return server;
}

/** What a dead holder's lease still lasts: Azure grants no less than 15 s. */
const leaseMs = 3_000;
const rules = { tries: 3, baseMs: 10, timeoutMs: 5_000 };
const options = { clock: testClock, chunkSizeBytes: testChunkBytes, packTargetBytes: 4 * testChunkBytes };

describe.each(['S3 that does as AWS does', 'S3 without conditional puts', 'Azure Blob'])(
  'a store on %s',
  (name) => {
    let place: string;
    const open = (more: object = {}): Promise<Backend> =>
      openBackend(place, { credentials: serverOf(name).credentials, leaseMs, rules, ...more });

    test('writes, restores, takes increments, deletes, collects, and is opened again', async () => {
      place = serverOf(name).place(randomUUID());
      const first = bytesFrom(1, 40 * testChunkBytes + 5);
      const second = Buffer.from(first);
      bytesFrom(3, 50_000).copy(second, 100_000);
      const extents = [{ offset: 100_000, length: 50_000, zero: false }];
      await expect(openStore(await open(), options)).rejects.toMatchObject({ code: 'StoreNotFound' });
      {
        await using store = await createStore(await open(), options);
        const { disk } = await backUp(store, 'one', first);
        const added = await backUp(store, 'two', second, { base: disk, extents });
        expect(added.readBytes).toBe(50_000);
        await backUp(store, 'other', bytesFrom(5, 20 * testChunkBytes));
        expect(await store.verifyPoint('vm', 'two', {})).toEqual([]);
      }
      await expect(createStore(await open(), options)).rejects.toMatchObject({ code: 'StoreExists' });
      {
        await using store = await openStore(await open(), options);
        expect((await store.listPoints()).points.map(({ pointId }) => pointId).sort()).toEqual([
          'one',
          'other',
          'two',
        ]);
        expect((await restore(store, 'one')).equals(first)).toBe(true);
        const before = await store.stats();
        await store.deletePoint('vm', 'one');
        await store.deletePoint('vm', 'other');
        expect((await store.collect({ minimumAgeMs: 0, force: true })).condemnedPacks).toBeGreaterThan(3);
        expect((await store.collect({ minimumAgeMs: 0 })).removedPacks).toBeGreaterThan(3);
        expect((await store.stats()).storedBytes).toBeLessThan(before.storedBytes);
        expect((await restore(store, 'two')).equals(second)).toBe(true);
      }
      await using store = await openStore(await open(), options);
      expect((await restore(store, 'two')).equals(second)).toBe(true);
    });

    test('reports damage, and the next backup that meets the content heals it', async () => {
      place = serverOf(name).place(randomUUID());
      const content = bytesFrom(1, 20 * testChunkBytes);
      {
        await using store = await createStore(await open(), options);
        await backUp(store, 'one', content);
      }
      {
        const backend = await open();
        await using lock = await backend.lock({ create: false });
        expect(lock).toBeDefined();
        const packs = (await Array.fromAsync(backend.list('packs/'))).filter((pack) =>
          pack.name.endsWith('.pack'),
        );
        const [flipped, gone] = packs;
        if (flipped === undefined || gone === undefined) throw new Error('not enough packs');
        const bytes = (await backend.get(flipped.name)) ?? Buffer.alloc(0);
        bytes[100] = (bytes[100] ?? 0) ^ 1;
        await backend.put(flipped.name, [bytes]);
        await backend.delete(gone.name);
      }
      await using store = await openStore(await open(), options);
      expect((await store.verifyPoint('vm', 'one', {})).length).toBeGreaterThan(0);
      await expect(restore(store, 'one')).rejects.toMatchObject({ code: 'StoreDamaged' });
      await backUp(store, 'two', content);
      expect((await restore(store, 'two')).equals(content)).toBe(true);
      expect((await restore(store, 'one')).equals(content)).toBe(true);
    });

    test('keeps a second process out, and lets it in when the first has been killed', async () => {
      place = serverOf(name).place(randomUUID());
      const child = hold(name, place);
      await child.commits(2);
      await expect(openStore(await open(), options)).rejects.toMatchObject({ code: 'StoreInUse' });
      child.process.kill('SIGKILL');
      await child.ended;
      await using store = await openStore(await open(), options);
      const { points, damaged } = await store.listPoints();
      expect(damaged).toEqual([]);
      expect(points.map(({ pointId }) => pointId)).toEqual(expect.arrayContaining(child.committed));
      for (const { pointId } of points)
        expect(
          (await restore(store, pointId)).equals(bytesFrom(Number(pointId.slice(1)), 200_000)),
          pointId,
        ).toBe(true);
      await backUp(store, 'after', bytesFrom(2, 100_000));
    });

    test('has nothing written by a process that stood still while another took over', async () => {
      place = serverOf(name).place(randomUUID());
      const child = hold(name, place);
      await child.commits(2);
      child.process.kill('SIGSTOP');
      const { proxy } = serverOf(name);
      await using store = await openStore(await open(), options);
      await backUp(store, 'after', bytesFrom(2, 100_000));
      const before = proxy.seen.length;
      child.process.kill('SIGCONT');
      await child.ended;
      await delay(500);
      expect(child.failure()).toBe('StoreLockLost');
      const changes = proxy.seen
        .slice(before)
        .map((line) => decodeURIComponent(line))
        .filter((line) => !/^(GET|HEAD)/.test(line) && !line.includes('/lock/'));
      expect(changes).toEqual([]);
      expect((await store.listPoints()).damaged).toEqual([]);
      expect(store.lost.aborted).toBe(false);
    });

    test('fails what is asked of it once the lock is lost, before another can have it', async () => {
      place = serverOf(name).place(randomUUID());
      let moved = 0;
      const backend = await open({ leaseClock: { now: () => performance.now() + moved } });
      const store = await createStore(backend, options);
      await backUp(store, 'one', bytesFrom(2, 50_000));
      const { proxy } = serverOf(name);
      const before = proxy.seen.length;
      moved = 50_000; // its timers have not run, and will not before the next call
      await expect(backUp(store, 'two', bytesFrom(4, 50_000))).rejects.toMatchObject({
        code: 'StoreLockLost',
      });
      expect(store.lost.aborted).toBe(true);
      await expect(backend.put('index/late.segment', ['x'].map(Buffer.from))).rejects.toMatchObject({
        code: 'StoreLockLost',
      });
      await store[Symbol.asyncDispose]();
      expect(proxy.seen.slice(before)).toEqual([]);
    });
  },
);

/** A process that writes points into a new store at `place`. */
function hold(name: string, place: string) {
  const credentials = JSON.stringify(serverOf(name).credentials);
  const process: ChildProcess = fork(
    join(import.meta.dirname, '../testing/holder.ts'),
    [place, credentials, String(leaseMs)],
    { stdio: 'inherit' },
  );
  const committed: string[] = [];
  let failure: string | undefined;
  let onMessage = () => {};
  process.on('message', (message: { committed?: string; failed?: string }) => {
    if (message.committed !== undefined) committed.push(message.committed);
    failure ??= message.failed;
    onMessage();
  });
  const ended = new Promise<void>((resolve) => process.once('exit', () => resolve()));
  return {
    process,
    committed,
    ended,
    failure: () => failure,
    async commits(count: number): Promise<void> {
      const reached = Promise.withResolvers<void>();
      onMessage = () => {
        if (committed.length >= count) reached.resolve();
        else if (failure !== undefined) reached.reject(new Error(failure));
      };
      onMessage();
      await Promise.race([
        reached.promise,
        ended.then(() => {
          throw new Error('the holder ended by itself');
        }),
      ]);
    },
  };
}
