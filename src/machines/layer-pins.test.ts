import { describe, expect, it } from 'vitest';
import { KeyedMutex } from './keyed-mutex.ts';
import { LayerPins } from './layer-pins.ts';

describe('layer pins', () => {
  it('keep a merge away until the last reader has gone', () => {
    const pins = new LayerPins();
    const one = pins.pin(['o1', 'base']);
    const two = pins.pin(['base']);
    expect(pins.beginMerge('o1', 'base')).toBeUndefined();
    one?.[Symbol.dispose]();
    one?.[Symbol.dispose]();
    expect(pins.beginMerge('o1', 'base')).toBeUndefined();
    two?.[Symbol.dispose]();
    expect(pins.beginMerge('o1', 'base')).toBeDefined();
  });

  it('refuse a point whose own image is being merged into, and allow those above', () => {
    const pins = new LayerPins();
    const merge = pins.beginMerge('o1', 'base');
    expect(pins.pin(['base'])).toBeUndefined();
    expect(pins.pin(['o1', 'base'])).toBeDefined();
    expect(['o1', 'base', 'o2'].map((path) => pins.isMerging(path))).toEqual([true, true, false]);
    merge?.[Symbol.dispose]();
    expect(pins.pin(['base'])).toBeDefined();
    expect(['o1', 'base'].some((path) => pins.isMerging(path))).toBe(false);
  });
});

describe('the lock per machine', () => {
  it('lets one at a time in, in order, and others beside it', async () => {
    const mutex = new KeyedMutex();
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = mutex.run('a', undefined, async () => {
      await gate.promise;
      order.push('a1');
    });
    const second = mutex.run('a', undefined, async () => order.push('a2'));
    await mutex.run('b', undefined, async () => order.push('b1'));
    gate.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(['b1', 'a1', 'a2']);
  });

  it('goes on after a failure, and without those who gave up waiting', async () => {
    const mutex = new KeyedMutex();
    const gate = Promise.withResolvers<void>();
    const failing = mutex.run('a', undefined, async () => {
      await gate.promise;
      throw new Error('no');
    });
    const gone = new AbortController();
    const leaving = mutex.run('a', gone.signal, async () => 'never');
    const last = mutex.run('a', undefined, async () => 'last');
    gone.abort(new Error('gave up'));
    await expect(leaving).rejects.toThrow('gave up');
    gate.resolve();
    await expect(failing).rejects.toThrow('no');
    expect(await last).toBe('last');
  });
});
