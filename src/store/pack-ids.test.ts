import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { PackIds } from './pack-ids.ts';

describe('pack ids', () => {
  test('have the number they came with, however many there are and however alike they begin', () => {
    const ids = new PackIds();
    const all = Array.from({ length: 500 }, (_, number) => {
      const id = hash('sha256', String(number));
      return number % 3 === 0 ? `00000000${id.slice(8)}` : id;
    });
    for (const [number, id] of all.entries()) {
      expect(ids.find(id)).toBeUndefined();
      expect(ids.number(id)).toBe(number);
    }
    for (const [number, id] of all.entries()) {
      expect(ids.number(id)).toBe(number);
      expect(ids.find(id)).toBe(number);
      expect(ids.id(number)).toBe(id);
    }
    expect(ids.count).toBe(500);
    expect(ids.find(hash('sha256', 'another'))).toBeUndefined();
  });

  test('are 64 hexadecimal digits', () => {
    const ids = new PackIds();
    for (const wrong of ['', 'ab', `${'0'.repeat(63)}x`, '0'.repeat(66)]) {
      expect(ids.find(wrong)).toBeUndefined();
      expect(() => ids.number(wrong)).toThrow('not a pack id');
    }
    expect(ids.count).toBe(0);
    expect(() => ids.id(0)).toThrow('no pack has number 0');
  });
});
