import { createStore, type MemoryBackend, memoryBackend } from '../index.ts';
import { decodeFooter, type PackEntry, packFooterBytes, trailerEntries } from '../pack-format.ts';
import type { DiskRoot } from '../types.ts';
import { backUp, bytesFrom, testChunkBytes, testClock } from './model-disk.ts';

export const damageOptions = { clock: testClock, chunkSizeBytes: testChunkBytes };
export const oldContent = bytesFrom(1, 20 * testChunkBytes);
export const newContent = Buffer.concat([
  bytesFrom(2, 10 * testChunkBytes),
  bytesFrom(3, 10 * testChunkBytes + 777),
]);

/** Two points of VM `vm` that share nothing, `old` and `new`, each in a pack of its own. */
export async function twoPoints(): Promise<{ backend: MemoryBackend; packs: string[]; disk: DiskRoot }> {
  const backend = memoryBackend();
  const packNames = () => [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
  await using store = await createStore(backend, damageOptions);
  await backUp(store, 'old', oldContent);
  const [oldPack = ''] = packNames();
  const { disk } = await backUp(store, 'new', newContent);
  const newPack = packNames().find((name) => name !== oldPack) ?? '';
  return { backend, packs: [oldPack, newPack], disk };
}

export function entriesOf(backend: MemoryBackend, pack: string): { bytes: Buffer; entries: PackEntry[] } {
  const bytes = backend.objects.get(pack) ?? Buffer.alloc(0);
  const place = decodeFooter(bytes.subarray(-packFooterBytes), bytes.length);
  if ('wrong' in place) throw new Error(place.wrong);
  const trailer = Buffer.from(bytes.subarray(place.offset, place.offset + place.length));
  return { bytes, entries: [...trailerEntries(trailer)] };
}

export function flip(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
}

export function dropIndex(backend: MemoryBackend): void {
  for (const name of [...backend.objects.keys()]) if (name.startsWith('index/')) backend.objects.delete(name);
}

export const packIdOf = (name: string) => name.slice('packs/xx/'.length, -'.pack'.length);
