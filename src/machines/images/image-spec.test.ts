import { expect, test } from 'vitest';
import { formatOf, imageSpec } from './image-spec.ts';
import { layersAbove } from './index.ts';

const file = import.meta.filename; // any file that is there

test('every driver is named, and nothing is below the last layer', async () => {
  const spec = await imageSpec(
    [
      { path: file, format: 'qcow2' },
      { path: file, format: 'qcow2' },
    ],
    { locking: false },
  );
  expect(spec.startsWith('json:')).toBe(true);
  const node = { driver: 'file', filename: file, locking: 'off' };
  expect(JSON.parse(spec.slice(5))).toEqual({
    driver: 'qcow2',
    file: node,
    backing: { driver: 'qcow2', file: node, backing: null },
  });
});

test('what can not be a chain is refused', async () => {
  const raw = { path: file, format: 'raw' } as const;
  await expect(imageSpec([raw, raw], { locking: true })).rejects.toThrow(TypeError);
  await expect(imageSpec([], { locking: true })).rejects.toThrow(TypeError);
  await expect(imageSpec([{ ...raw, path: 'nbd:x' }], { locking: true })).rejects.toMatchObject({
    code: 'InvalidInput',
  });
  expect(() => formatOf('/d/a', 'vmdk')).toThrow(expect.objectContaining({ code: 'DiskImageNotSupported' }));
});

test('the layers of a delta end over the earlier top', () => {
  const chain = ['/c', '/b', '/a'].map((path) => ({ path, format: 'qcow2' }) as const);
  expect(layersAbove(chain, '/a')).toEqual(chain.slice(0, 2));
  expect(layersAbove(chain, '/c')).toEqual([]);
  expect(layersAbove(chain, '/x')).toBeUndefined();
});
