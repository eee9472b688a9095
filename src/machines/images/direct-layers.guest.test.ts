import { afterEach, beforeEach, expect, test } from 'vitest';
import { alignedMemory } from '../../platform/index.ts';
import type { ImageLayer } from './image-types.ts';
import { readerForPoint } from './index.ts';
import { type Scratch, scratch } from './scratch.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
let lab: Scratch;

beforeEach(async () => {
  lab = await scratch();
});
afterEach(() => lab[Symbol.asyncDispose]());

/** A new image; over `chain`, when there is one. The chain with it. */
async function image(
  name: string,
  sizeBytes: number,
  options: string,
  chain: readonly ImageLayer[] = [],
): Promise<ImageLayer[]> {
  const [below] = chain;
  const backing = below === undefined ? [] : ['-u', '-b', below.path, '-F', below.format];
  const path = lab.path(name);
  await lab.qemu('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', options, ...backing, path, `${sizeBytes}`);
  return [{ path, format: 'qcow2' }, ...chain];
}

async function write(chain: readonly ImageLayer[], ...commands: string[]): Promise<void> {
  const [top] = chain;
  if (top !== undefined) await lab.io(top, ...commands);
}

/** Reads everything in pieces as a backup does, straight from the files, and holds it against qemu-img. */
async function bytesServed(chain: readonly ImageLayer[], pieceBytes: number): Promise<number> {
  const basis = { kind: 'full', reason: 'first backup' } as const;
  await using reader = await readerForPoint({ target: 'vda', layers: chain, basis, settled: true });
  const content = Buffer.from(alignedMemory(reader.sizeBytes), 0, reader.sizeBytes);
  for await (const { offset, length } of reader.extents())
    for (let at = offset; at < offset + length; at += pieceBytes) {
      const into = content.subarray(at, Math.min(at + pieceBytes, offset + length));
      const data = await reader.read(at, into.length, undefined, into);
      if (data.buffer !== into.buffer) into.set(data);
    }
  expect(content.equals(await lab.content(chain))).toBe(true);
  return reader.bytesServed;
}

/** Numbers that look random, the same on every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test.each([
  ['subclusters', 'extended_l2=on,cluster_size=128k'],
  ['small subclusters', 'extended_l2=on,cluster_size=16k'],
  ['plain clusters', 'cluster_size=64k'],
  ['the smallest clusters', 'cluster_size=512'],
  ['the largest clusters', 'cluster_size=2M'],
  ['version 2', 'compat=0.10'],
  ['space taken beforehand', 'preallocation=metadata'],
])('chains of images with %s are read as QEMU reads them', async (_, options) => {
  const pick = numbers(options.length);
  const size = 24 * MiB + 7 * 512;
  const changes = () =>
    Array.from({ length: 40 }, () => {
      const at = pick(size / 512) * 512;
      const length = Math.min([512, 4096, 12_800, 65_536, 700_416][pick(5)] ?? 0, size - at);
      return pick(6) > 0
        ? `write -P ${1 + pick(250)} ${at} ${length}`
        : pick(2) === 0
          ? `write -z ${at} ${length}`
          : `discard ${at} ${length}`;
    });
  const base = await lab.raw('base.raw', size - 3 * MiB - 100); // shorter than what is above, and no whole sectors
  await write([base], `write -P 9 0 ${5 * MiB}`, `write -P 8 ${20 * MiB} ${MiB - 512}`);
  let chain: ImageLayer[] = [base];
  for (const name of ['one', 'two', 'three']) {
    // What is taken beforehand covers what is below it.
    chain = await image(name, size, options, options.startsWith('preallocation') ? [] : chain);
    await write(chain, ...changes());
  }
  for (const pieceBytes of [MiB, 100_352]) expect(await bytesServed(chain, pieceBytes)).toBe(0);
});

test('what is compressed is left to QEMU, and nothing else', async () => {
  const size = 16 * MiB;
  const plain = await lab.raw('plain.raw', size);
  await write([plain], `write -P 3 ${MiB} 8M`);
  const path = lab.path('cloud.qcow2');
  await lab.qemu('qemu-img', 'convert', '-q', '-c', '-f', 'raw', '-O', 'qcow2', plain.path, path);
  const chain = await image('layer', size, 'extended_l2=on,cluster_size=128k', [{ path, format: 'qcow2' }]);
  await write(chain, `write -P 4 ${2 * MiB} ${MiB}`, `write -P 5 ${12 * MiB + 4 * KiB} 4k`);
  expect(await bytesServed(chain, MiB)).toBe(7 * MiB);
});

test('images that only QEMU can read are served', async () => {
  const external = await image('external', 4 * MiB, `data_file=${lab.path('data.raw')},data_file_raw=on`);
  await write(external, 'write -P 1 1M 1M');
  expect(await bytesServed(external, MiB)).toBe(4 * MiB); // a raw data file tells no holes
  const zstd = await image('zstd', 4 * MiB, 'compression_type=zstd');
  await write(zstd, 'write -P 1 1M 1M');
  expect(await bytesServed(zstd, MiB)).toBe(MiB);
});
