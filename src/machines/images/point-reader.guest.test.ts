import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DiskExtent } from '../types.ts';
import type { ImageLayer } from './image-types.ts';
import { createOverlay, imageChain, layersAbove, openImage, readerForPoint } from './index.ts';
import { type Scratch, scratch } from './scratch.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
let lab: Scratch;
let layersMade = 0;

beforeEach(async () => {
  lab = await scratch();
});
afterEach(() => lab[Symbol.asyncDispose]());

/** A new layer over `chain`; the chain with it. */
async function overlay(chain: readonly ImageLayer[], sizeBytes: number): Promise<ImageLayer[]> {
  const [below] = chain;
  if (below === undefined) throw new Error('nothing below');
  const layer: ImageLayer = { path: lab.path(`layer-${++layersMade}.qcow2`), format: 'qcow2' };
  await createOverlay({
    path: layer.path,
    backingPath: below.path,
    backingFormat: below.format,
    sizeBytes,
    extendedL2: true,
  });
  return [layer, ...chain];
}

async function write(chain: readonly ImageLayer[], ...commands: string[]): Promise<void> {
  const [top] = chain;
  if (top !== undefined) await lab.io(top, ...commands);
}

interface Outcome {
  extents: DiskExtent[];
  bytesRead: number;
  content: Buffer;
}

/** What a backup makes of a point: `earlier`, changed where the reader says so. Straight from the files and served. */
async function transfer(
  layers: readonly ImageLayer[],
  earlier: Buffer,
  basis: Parameters<typeof readerForPoint>[0]['basis'],
): Promise<Outcome> {
  const served = await transferOnce({ target: 'vda', layers, basis, settled: false }, earlier);
  const direct = await transferOnce({ target: 'vda', layers, basis, settled: true }, earlier);
  expect(direct.extents).toEqual(served.extents);
  expect(direct.content.equals(served.content)).toBe(true);
  return direct;
}

async function transferOnce(
  request: Parameters<typeof readerForPoint>[0],
  earlier: Buffer,
): Promise<Outcome> {
  await using reader = await readerForPoint(request);
  const content = Buffer.alloc(reader.sizeBytes);
  earlier.copy(content);
  const extents: DiskExtent[] = [];
  for await (const extent of reader.extents()) {
    extents.push(extent);
    if (extent.zero) content.fill(0, extent.offset, extent.offset + extent.length);
    else content.set(await reader.read(extent.offset, extent.length), extent.offset);
  }
  expect(reader.bytesServed).toBe(request.settled ? 0 : reader.bytesRead);
  return { extents, bytesRead: reader.bytesRead, content };
}

const full = (chain: readonly ImageLayer[]) =>
  transfer(chain, Buffer.alloc(0), { kind: 'full', reason: 'first backup' });

async function delta(chain: readonly ImageLayer[], since: readonly ImageLayer[]): Promise<Outcome> {
  const layers = layersAbove(chain, since[0]?.path ?? '');
  if (layers === undefined) throw new Error('not in the chain');
  return transfer(layers, await lab.content(since), { kind: 'delta', since: 'earlier' });
}

describe('full', () => {
  test('reads data only, through overlays down to a raw base', async () => {
    const size = 64 * MiB;
    const base = await lab.raw('base.raw', size);
    let chain: ImageLayer[] = [base];
    await write(chain, 'write -P 1 1M 256k');
    chain = await overlay(chain, size);
    await write(chain, 'write -P 2 40M 4k', 'write -P 3 1M 4k', 'write -z 1100k 64k');
    const { extents, bytesRead, content } = await full(chain);
    expect(content.equals(await lab.content(chain))).toBe(true);
    expect(bytesRead).toBe(256 * KiB + 4 * KiB - 64 * KiB);
    expect(extents.every((extent) => !extent.zero)).toBe(true);
  });

  test('a raw disk of any size is read to its last byte', async () => {
    const base = await lab.raw('base.raw', 100_000);
    await writeFile(base.path, 'the end', { flag: 'a' });
    const { content } = await full([base]);
    expect(content.length).toBe(Math.ceil(100_007 / 512) * 512); // QEMU counts in sectors
    expect(content.subarray(99_999, 100_009).toString()).toBe('\0the end\0\0');
    expect(content.equals(await lab.content([base]))).toBe(true);
  });

  test('as many layers as a policy keeps are read, whole and over all of them', async () => {
    const size = MiB;
    const most = 102;
    const base = await lab.raw('base.raw', size);
    let chain: ImageLayer[] = [base];
    for (let layer = 0; layer < most; layer++) {
      chain = await overlay(chain, size);
      if (layer % 20 === 0) await write(chain, `write -P ${layer + 1} ${layer * 8192} 4k`);
    }
    expect((await imageChain(chain[0]?.path ?? '', { format: 'qcow2' })).length).toBe(most + 1);
    const { bytesRead, content } = await full(chain);
    expect(bytesRead).toBe(6 * 4 * KiB);
    for (let layer = 0; layer < most; layer += 20)
      expect([content[layer * 8192], content[layer * 8192 + 4096]]).toEqual([layer + 1, 0]);
    const changed = await delta(chain, [base]);
    expect([changed.extents.length, changed.content.equals(content)]).toEqual([6, true]);
  });

  test('an empty disk has no extents', async () => {
    const { extents, bytesRead } = await full([await lab.raw('base.raw', 3 * MiB)]);
    expect([extents, bytesRead]).toEqual([[], 0]);
  });

  test('a raw disk that looks like qcow2 stays raw', async () => {
    const secret = await lab.raw('secret.raw', MiB);
    await lab.io(secret, 'write -P 0x5e 0 1M');
    const base = await lab.raw('base.raw', MiB);
    const chain = await overlay([secret], MiB);
    await lab.qemu('dd', `if=${chain[0]?.path}`, `of=${base.path}`, 'conv=notrunc', 'status=none');
    const { content } = await full([base]);
    expect(content.subarray(0, 4).toString('latin1')).toBe('QFI\xfb');
    const over = await overlay([base], MiB);
    expect((await full(over)).content.equals(content)).toBe(true);
  });
});

describe('delta', () => {
  test('the bytes read follow scattered writes at 4 KiB', async () => {
    const size = 1024 * MiB;
    const base = await overlay([await lab.raw('base.raw', size)], size);
    await write(base, 'write -P 1 0 8M');
    const chain = await overlay(base, size);
    const blocks = 300;
    const writes = Array.from({ length: blocks }, (_, n) => `write -P ${(n % 250) + 1} ${n * 3_407_872} 4k`);
    await write(chain, ...writes);
    const layers = layersAbove(chain, base[0]?.path ?? '') ?? [];
    await using reader = await readerForPoint({
      target: 'vda',
      layers,
      basis: { kind: 'delta', since: 'p1' },
      settled: true,
    });
    let at = 0;
    for await (const { offset, length, zero } of reader.extents()) {
      expect([offset, length, zero]).toEqual([at * 3_407_872, 4096, false]);
      const bytes = await reader.read(offset, length);
      expect(Buffer.alloc(4096, (at % 250) + 1).equals(bytes)).toBe(true);
      at++;
    }
    expect(at).toBe(blocks);
    expect(reader.bytesRead).toBeLessThanOrEqual(1.1 * blocks * 4096);
  });

  test('one, two and three layers give the point exactly', async () => {
    const size = 32 * MiB + 5 * 512; // not a multiple of 4 KiB
    const points: ImageLayer[][] = [await overlay([await lab.raw('base.raw', size)], size)];
    await write(points[0] ?? [], 'write -P 1 0 4M', `write -P 9 ${size - 512} 512`);
    const changes = [
      ['write -P 2 1M 8k', 'discard 2M 256k', `write -P 3 ${size - 1536} 1k`],
      ['write -P 4 1028k 4k', 'write -P 5 2100k 1k', 'write -z 3M 20k'],
      ['write -P 6 30M 128k', 'discard 1M 128k', 'write -P 7 4k 512'],
    ];
    for (const commands of changes) {
      const chain = await overlay(points.at(-1) ?? [], size);
      await write(chain, ...commands);
      points.push(chain);
    }
    const last = points.at(-1) ?? [];
    const expected = await lab.content(last);
    for (const since of points.slice(0, -1)) {
      const { content, extents } = await delta(last, since);
      expect(content.equals(expected)).toBe(true);
      expect(extents.some((extent) => extent.zero)).toBe(true);
    }
    expect((await full(last)).content.equals(expected)).toBe(true);
    const { bytesRead } = await delta(last, points[2] ?? []);
    expect(bytesRead).toBe(128 * KiB + 4 * KiB);
  });

  test('nothing written, nothing to do', async () => {
    const base = [await lab.raw('base.raw', 8 * MiB)];
    await write(base, 'write -P 1 0 8M');
    const { extents, bytesRead } = await delta(await overlay(base, 8 * MiB), base);
    expect([extents, bytesRead]).toEqual([[], 0]);
  });

  test('a disk that has grown', async () => {
    const base = [await lab.raw('base.raw', 4 * MiB)];
    await write(base, 'write -P 1 0 4M');
    const middle = await overlay(base, 6 * MiB);
    await write(middle, 'write -P 2 5M 4k');
    const top = await overlay(middle, 10 * MiB);
    await write(top, 'write -P 3 10236k 4k', 'write -P 4 4092k 8k');
    for (const since of [base, middle]) {
      expect((await delta(top, since)).content.equals(await lab.content(top))).toBe(true);
    }
    expect((await full(top)).content.equals(await lab.content(top))).toBe(true);
  });

  test('the images below are not opened', async () => {
    const base = await overlay([await lab.raw('base.raw', MiB)], MiB);
    const chain = await overlay(base, MiB);
    await write(chain, 'write -P 1 64k 4k');
    const earlier = await lab.content(base);
    await lab.qemu('rm', ...base.map((layer) => layer.path));
    const layers = chain.slice(0, 1);
    const { extents } = await transfer(layers, earlier, { kind: 'delta', since: 'p1' });
    expect(extents).toEqual([{ offset: 64 * KiB, length: 4 * KiB, zero: false }]);
  });

  test('a plain qcow2 layer tells its 64 KiB clusters', async () => {
    const base = [await lab.raw('base.raw', MiB)];
    await write(base, 'write -P 1 0 1M');
    const path = lab.path('plain.qcow2');
    await createOverlay({
      path,
      backingPath: base[0]?.path ?? '',
      backingFormat: 'raw',
      sizeBytes: MiB,
      extendedL2: false,
    });
    const chain: ImageLayer[] = [{ path, format: 'qcow2' }, ...base];
    await write(chain, 'write -P 2 68k 4k');
    const { extents, content } = await delta(chain, base);
    expect(extents).toEqual([{ offset: 64 * KiB, length: 64 * KiB, zero: false }]);
    expect(content.equals(await lab.content(chain))).toBe(true);
  });

  test('a frozen layer is read while a guest writes to the one above', async () => {
    const base = [await lab.raw('base.raw', 8 * MiB)];
    const frozen = await overlay(base, 8 * MiB);
    await write(frozen, 'write -P 1 1M 64k');
    const expected = await lab.content(frozen);
    const active = await overlay(frozen, 8 * MiB);
    await using guest = await openImage({ layers: active, writable: true });
    await guest.client.write(MiB, Buffer.alloc(64 * KiB, 2));
    const [changes, whole] = await Promise.all([
      transfer(frozen.slice(0, 1), Buffer.alloc(8 * MiB), { kind: 'delta', since: 'p1' }),
      full(frozen),
      guest.client.write(2 * MiB, Buffer.alloc(64 * KiB, 3)),
    ]);
    expect(changes.extents).toEqual([{ offset: MiB, length: 64 * KiB, zero: false }]);
    expect(changes.content.equals(expected)).toBe(true);
    expect(whole.content.equals(expected)).toBe(true);
    await guest.close();
  });

  test('a stop between windows ends the walk; a reader left early ends clean', async () => {
    const size = 5 * 1024 * MiB;
    const base = [await lab.raw('base.raw', size)];
    const chain = await overlay(base, size);
    await write(chain, 'write -P 1 0 4k', 'write -P 1 4G 4k');
    const stop = new AbortController();
    const layers = chain.slice(0, 1);
    await using reader = await readerForPoint({
      target: 'vda',
      layers,
      basis: { kind: 'delta', since: 'p1' },
      settled: true,
    });
    const walk = async () => {
      for await (const _ of reader.extents(stop.signal)) stop.abort(new Error('enough'));
    };
    await expect(walk()).rejects.toThrow('enough');
    for await (const extent of reader.extents()) {
      expect(extent.length).toBe(4096);
      break;
    }
  });
});
