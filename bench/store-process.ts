/**
 * One operation of Holdfast's store through its door, in a process of its own. Prints what it added as JSON.
 *
 *   backup STORE IMAGE POINT [BASE CHANGES]   with BASE: an incremental that reads only the extents in the file CHANGES
 *   restore STORE POINT IMAGE
 *
 * STORE_CHUNK_KIB and STORE_LEVEL choose other values than the defaults; STORE_TRY_OUT=no leaves out the read-back;
 * STORE_KEY_FILE names a key file, with which the store is encrypted.
 */
import { readFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { DirectWriter, run } from '../src/platform/index.ts';
import {
  createStore,
  type DiskExtent,
  fileSystemBackend,
  openStore,
  type Store,
} from '../src/store/index.ts';
import type { Extent } from './disk-image.ts';

const itemId = 'vm';
const clock = { now: () => Temporal.Now.instant() };
const [, , operation, ...args] = process.argv;

function settings() {
  const chunk = process.env.STORE_CHUNK_KIB;
  const level = process.env.STORE_LEVEL;
  return {
    clock,
    ...(chunk === undefined ? {} : { chunkSizeBytes: Number(chunk) * 1024 }),
    ...(level === undefined ? {} : { compressionLevel: Number(level) }),
    tryOut: process.env.STORE_TRY_OUT !== 'no',
  };
}

async function openOrCreate(directory: string): Promise<Store> {
  const there = await stat(directory).catch(() => undefined);
  const backend = fileSystemBackend(directory);
  const keyFile = process.env.STORE_KEY_FILE;
  const secrets =
    keyFile === undefined
      ? []
      : [{ kind: 'key-file', text: readFileSync(keyFile, 'utf8'), label: 'bench' } as const];
  if (there !== undefined) return await openStore(backend, { ...settings(), unlock: secrets });
  const encryption = secrets.length === 0 ? 'none' : { secrets };
  return await createStore(backend, { ...settings(), encryption });
}

/** What the file system knows of the image: `zero` where it has holes. */
async function mapOf(image: string): Promise<DiskExtent[]> {
  const command = ['qemu-img', 'map', '--output=json', '-f', 'raw', image] as const;
  const { stdout } = await run(command, { timeoutMs: 120_000 });
  const map = JSON.parse(stdout) as { start: number; length: number; zero: boolean }[];
  return map.map(({ start, length, zero }) => ({ offset: start, length, zero }));
}

async function backUp(directory: string, image: string, pointId: string, baseId?: string, changes?: string) {
  await using store = await openOrCreate(directory);
  await using file = await open(image, 'r');
  const extents: DiskExtent[] =
    changes === undefined
      ? await mapOf(image)
      : (JSON.parse(readFileSync(changes, 'utf8')) as Extent[]).map((extent) => ({ ...extent, zero: false }));
  const base = baseId === undefined ? undefined : (await store.readPoint(itemId, baseId)).disks[0]?.disk;
  await using writer = await store.beginPoint({ itemId, pointId });
  const written = await writer.writeDisk({
    sizeBytes: (await file.stat()).size,
    extents: (async function* () {
      yield* extents;
    })(),
    source: {
      async read(offset, length, _signal, into) {
        const target = into ?? Buffer.allocUnsafeSlow(length);
        for (let filled = 0; filled < length; ) {
          const { bytesRead } = await file.read(target, filled, length - filled, offset + filled);
          if (bytesRead === 0) throw new Error(`${image} ends before ${offset + length}`);
          filled += bytesRead;
        }
        return target;
      },
    },
    ...(base === undefined ? {} : { base }),
  });
  const disks = [{ name: 'sda', disk: written.disk }];
  await writer.commit({ createdAt: clock.now().toString(), disks, metadata: {} });
  const { readBytes, newBytes, storedBytes } = written;
  console.log(JSON.stringify({ readBytes, newBytes, storedBytes }));
}

/** To a sparse file. */
async function restore(directory: string, pointId: string, image: string) {
  await using store = await openOrCreate(directory);
  const disk = (await store.readPoint(itemId, pointId)).disks[0]?.disk;
  if (disk === undefined) throw new Error(`${pointId} has no disk`);
  await using file = await open(image, 'wx');
  await file.truncate(disk.sizeBytes);
  await using writer = new DirectWriter(file);
  using reader = store.openDisk(disk);
  await reader.copyTo((offset, data) => writer.write(data, offset));
  await file.sync();
}

const [first = '', second = '', third = '', ...rest] = args;
if (operation === 'backup') await backUp(first, second, third, ...rest);
else if (operation === 'restore') await restore(first, second, third);
else throw new Error(`not an operation: ${operation}`);
