/**
 * The life of a store at many times its speed, until it is killed: full and incremental backups side by side,
 * deletions, collections that repack, verifications, closing and opening. Tells its parent of each step. Arguments: the directory, a
 * seed. What a point's disk must be is in its metadata.
 */
import { fileSystemBackend, openStore, type Store } from '../index.ts';
import { type Life, lifeContent, lifeOptions } from './life-content.ts';
import { extentsOf, sourceOf, testChunkBytes } from './model-disk.ts';
import { randomFrom } from './scheduler.ts';

const [, , directory = '', seedText = '0'] = process.argv;
const seed = Number(seedText);
const random = randomFrom(seed);
const points = new Map<string, Life>();
const busy = new Set<string>();
let next = 0;

/** Resolves when the message is on its way, whatever happens to this process. */
async function tell(message: Record<string, unknown>): Promise<void> {
  await new Promise<void>((resolve, reject) =>
    process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error))),
  );
}

function anyPoint(): [string, Life] | undefined {
  const free = [...points].filter(([pointId]) => !busy.has(pointId));
  return free[random(Math.max(1, free.length))];
}

async function write(store: Store): Promise<void> {
  const pointId = `s${seed}-${next++}`;
  const base = random(3) === 0 ? undefined : anyPoint();
  const life = base === undefined ? Array.from({ length: 12 }, () => random(30)) : [...base[1]];
  const changed = base === undefined ? [...life.keys()] : [random(12), random(12)].sort((a, b) => a - b);
  for (const chunk of changed) life[chunk] = random(30);
  const content = lifeContent(life);
  const extents = [...new Set(changed)].map((chunk) => ({
    offset: chunk * testChunkBytes,
    length: testChunkBytes,
    zero: false,
  }));
  if (base !== undefined) busy.add(base[0]); // not deleted while it is the base
  try {
    await using writer = await store.beginPoint({ itemId: 'vm', pointId });
    const record = base && (await store.readPoint('vm', base[0]));
    const disk = record?.disks[0]?.disk;
    const written = await writer.writeDisk({
      sizeBytes: content.length,
      extents: extentsOf(extents),
      source: sourceOf(content),
      ...(disk === undefined ? {} : { base: disk }),
    });
    const disks = [{ name: 'sda', disk: written.disk }];
    await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks, metadata: { life } });
  } finally {
    if (base !== undefined) busy.delete(base[0]);
  }
  points.set(pointId, life);
  await tell({ committed: pointId });
}

async function remove(store: Store): Promise<void> {
  const point = points.size > 4 ? anyPoint() : undefined;
  if (point === undefined) return;
  points.delete(point[0]);
  await tell({ deleting: point[0] });
  await store.deletePoint('vm', point[0]);
  await tell({ deleted: point[0] });
}

async function collect(store: Store): Promise<void> {
  const { removedPacks, repackedPacks } = await store.collect({
    minimumAgeMs: 0,
    wasteThreshold: random(3) / 5,
    force: true,
  });
  await tell({ removedPacks, repackedPacks });
}

/** Nothing that a killed process has left is damage. */
async function verify(store: Store): Promise<void> {
  const { damagedPacks, damagedObjects, damagedPoints } = await store.verify();
  const found = [...damagedPacks, ...damagedObjects, ...damagedPoints];
  if (found.length > 0) throw new Error(`found damaged: ${JSON.stringify(found)}`);
}

for (;;) {
  await using store = await openStore(fileSystemBackend(directory), lifeOptions);
  for (const { pointId, metadata } of (await store.listPoints()).points)
    points.set(pointId, metadata.life as Life);
  await tell({ opened: points.size });
  for (let round = 0; round < 8; round++)
    await Promise.all([
      write(store),
      write(store),
      remove(store),
      collect(store),
      ...(round % 4 === 0 ? [verify(store)] : []),
    ]);
}
