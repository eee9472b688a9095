/** Writes points until it is killed, telling its parent of each; the fourth never ends. Argument: the directory. */
import { createStore, fileSystemBackend } from '../index.ts';
import { bytesFrom, extentsOf, testChunkBytes, testClock } from './model-disk.ts';

const [, , directory = ''] = process.argv;
const store = await createStore(fileSystemBackend(directory), {
  clock: testClock,
  chunkSizeBytes: testChunkBytes,
  packTargetBytes: 4 * testChunkBytes,
});
for (let number = 0; ; number++) {
  const content = bytesFrom(number, 1_000_000);
  const pointId = `p${number}`;
  const writer = await store.beginPoint({ itemId: 'vm', pointId });
  const { disk } = await writer.writeDisk({
    sizeBytes: number < 3 ? content.length : 2 ** 40,
    extents: extentsOf([{ offset: 0, length: number < 3 ? content.length : 2 ** 40, zero: false }]),
    source: {
      async read(offset, length) {
        if (offset > content.length / 2) process.send?.({ reading: pointId });
        return number < 3
          ? Buffer.from(content.subarray(offset, offset + length))
          : bytesFrom(offset | 1, length);
      },
    },
  });
  await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks: [{ name: 'sda', disk }], metadata: {} });
  process.send?.({ committed: pointId });
}
