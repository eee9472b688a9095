import {
  type CollectPlan,
  createStore,
  type MemoryBackend,
  memoryBackend,
  type PackAction,
} from '../index.ts';
import { bytesFrom, testChunkBytes } from './model-disk.ts';
import { MovableClock } from './movable-clock.ts';

/** Chunks that do not compress; the same for the same seed. */
export const noise = (seed: number, chunks: number) => bytesFrom(2 * seed + 1, chunks * testChunkBytes);

/** A store in memory whose packs take few chunks, and whose clock is moved by hand. */
export async function emptyStore(packChunks = 4) {
  const backend = memoryBackend();
  const clock = new MovableClock();
  const options = {
    clock,
    chunkSizeBytes: testChunkBytes,
    packTargetBytes: (packChunks + 1) * testChunkBytes,
    reserveBytes: 1000,
  };
  return { backend, clock, options, store: await createStore(backend, options) };
}

/** What the packs on the medium take. */
export function packBytes(backend: MemoryBackend): number {
  return [...backend.objects].reduce(
    (sum, [name, { length }]) => sum + (name.endsWith('.pack') ? length : 0),
    0,
  );
}

/** Everything on the medium, to be compared. */
export function snapshot(backend: MemoryBackend): string {
  const objects = [...backend.objects].filter(([name]) => !name.startsWith('quarantine/')); // whoever reads writes there
  return JSON.stringify(objects.map(([name, bytes]) => [name, bytes.toString('base64')]).sort());
}

export const actionsOf = ({ packs }: CollectPlan) => packs.map(({ action }) => action);

/** Packs with which a plan does `action`. */
export const count = (plan: CollectPlan, action: PackAction) =>
  actionsOf(plan).filter((one) => one === action).length;
