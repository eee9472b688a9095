import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { codecs } from '../pack-format.ts';
import { frameKeyCount, frameKeyOf, sealFrame, unsealFrame } from './frame-seal.ts';
import { seal } from './seal.ts';
import { newVaultKey, storeKeysOf } from './store-keys.ts';

const keys = storeKeysOf(newVaultKey(), 'a store').content;
const idOf = (number: number, rest = 0) => Buffer.from([number >> 2, ((number & 3) << 6) | rest]);

test('no key seals more than a 1024th of the frames: 2^42 of a store are 2^32 of each', () => {
  const shares = new Map<string, number>();
  for (let number = 0; number < frameKeyCount; number++) {
    const key = frameKeyOf(keys, idOf(number));
    expect(frameKeyOf(keys, idOf(number, 0x3f))).toBe(key);
    shares.set(key.export().toString('hex'), number);
  }
  expect(shares.size).toBe(1024);
  expect(shares.has(keys.frameKey.export().toString('hex'))).toBe(false);
});

test('ids share themselves out evenly', () => {
  const frames = 200_000;
  const counts = new Map<unknown, number>();
  const ids = randomBytes(frames * 2);
  for (let at = 0; at < ids.length; at += 2) {
    const key = frameKeyOf(keys, ids.subarray(at, at + 2));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  // Mean 195, deviation 14: ten deviations are not met in the life of the universe.
  expect(Math.max(...counts.values())).toBeLessThan(frames / frameKeyCount + 140);
});

test('a frame opens with the key of its chunk, and is not taken from another', () => {
  const content = randomBytes(100);
  const id = randomBytes(32);
  const claim = { id, plainLength: content.length };
  const { codec, parts } = sealFrame(keys, { ...claim, codec: codecs.plain, content });
  const bytes = Buffer.concat(parts);
  expect(unsealFrame(keys, { ...claim, codec, bytes })?.equals(content)).toBe(true);
  const other = Buffer.from(id);
  other.writeUInt8((id[0] ?? 0) ^ 0x80, 0);
  expect(unsealFrame(keys, { ...claim, id: other, codec, bytes })).toBeUndefined();
  // Sealed with the key that the others are derived from, and with the right context: nobody's.
  const context = Buffer.alloc(37);
  context.set(id);
  context.writeUInt8(codec, 32);
  context.writeUInt32LE(content.length, 33);
  const whole = Buffer.concat(seal(frameKeyOf(keys, id), content, context));
  expect(unsealFrame(keys, { ...claim, codec, bytes: whole })?.equals(content)).toBe(true);
  const old = Buffer.concat(seal(keys.frameKey, content, context));
  expect(unsealFrame(keys, { ...claim, codec, bytes: old })).toBeUndefined();
});
