import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isHoldfastError } from '../../errors/index.ts';
import { newRecoveryKey, parseRecoveryKey, printRecoveryKey } from './recovery-key.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const secrets = fc.uint8Array({ minLength: 20, maxLength: 20 });

function isRefused(text: string): boolean {
  try {
    parseRecoveryKey(text);
    return false;
  } catch (error) {
    return isHoldfastError(error, 'KeyNotUsable');
  }
}

describe('a recovery key', () => {
  test('is nine groups of four, and another one each time', () => {
    expect(newRecoveryKey()).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){8}[0-9A-HJKMNP-TV-Z]{4}$/);
    expect(new Set(Array.from({ length: 100 }, newRecoveryKey)).size).toBe(100);
  });

  test('is written as the format says', () => {
    expect(printRecoveryKey(new Uint8Array(20)).slice(0, 40)).toBe(
      '0000-0000-0000-0000-0000-0000-0000-0000-',
    );
    expect(printRecoveryKey(Buffer.from('ff'.repeat(20), 'hex')).startsWith('ZZZZ-ZZZZ')).toBe(true);
    expect(
      printRecoveryKey(Buffer.from('00443214c74254b635cf84653a56d7c675be77df', 'hex')).slice(0, 40),
    ).toBe('0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ-');
  });

  test('comes back from any way of typing it', () => {
    fc.assert(
      fc.property(secrets, fc.infiniteStream(fc.nat(7)), (secret, choices) => {
        const typed = [...printRecoveryKey(secret).replaceAll('-', '')]
          .map((character) => {
            const choice = choices.next().value ?? 0;
            const same = { 0: ['0', 'O', 'o'], 1: ['1', 'I', 'l', 'L', 'i'] }[character] ?? [character];
            const written = same[choice % same.length] ?? character;
            return (
              (choice & 1 ? written.toLowerCase() : written) + (choice & 4 ? ' ' : choice & 2 ? '-' : '')
            );
          })
          .join('');
        expect([...parseRecoveryKey(`\n ${typed}\t`)]).toEqual([...secret]);
      }),
    );
  });

  test('with one character mistyped, two exchanged, one missing or one too many is refused', () => {
    fc.assert(
      fc.property(secrets, fc.nat(35), fc.integer({ min: 1, max: 31 }), (secret, at, shift) => {
        const text = printRecoveryKey(secret).replaceAll('-', '');
        const character = text[at] ?? '';
        const other = alphabet[(alphabet.indexOf(character) + shift) % 32] ?? '';
        expect(isRefused(text.slice(0, at) + other + text.slice(at + 1))).toBe(true);
        expect(isRefused(text.slice(0, at) + text.slice(at + 1))).toBe(true);
        expect(isRefused(text.slice(0, at) + other + text.slice(at))).toBe(true);
        const next = text[at + 1] ?? character;
        if (next !== character)
          expect(isRefused(text.slice(0, at) + next + character + text.slice(at + 2))).toBe(true);
      }),
      // One in a million mistakes fits the check; these do not.
      { seed: 20261121, numRuns: 300 },
    );
  });

  test('that is none is refused without being repeated', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 12 }), (text) => {
        try {
          parseRecoveryKey(text);
          return false;
        } catch (error) {
          return isHoldfastError(error, 'KeyNotUsable') && !error.message.includes(text);
        }
      }),
    );
  });
});
