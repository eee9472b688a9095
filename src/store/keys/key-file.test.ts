import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newKeyFile, parseKeyFile } from './key-file.ts';

describe('a key file', () => {
  test('is a line of hexadecimal under a comment, another one each time', () => {
    const text = newKeyFile();
    expect(text).toMatch(/^# [^\n]+\n[0-9a-f]{64}\n$/);
    expect(parseKeyFile(text).toString('hex')).toBe(text.split('\n')[1]);
    expect(newKeyFile()).not.toBe(text);
  });

  test('may be hexadecimal or base64, with comments and any line ends', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const key = Buffer.from(bytes);
        for (const line of [
          key.toString('hex'),
          key.toString('hex').toUpperCase(),
          key.toString('base64'),
          key.toString('base64').replace(/=+$/, ''),
        ])
          for (const text of [line, `${line}\n`, `# a\r\n\r\n  ${line}  \r\n# b\r\n`])
            expect(parseKeyFile(text).equals(key)).toBe(true);
      }),
    );
  });

  test('of any other kind is refused, without its content', () => {
    const line = 'ab'.repeat(32);
    for (const text of [
      '',
      '# only this\n',
      `${line}\n${line}\n`,
      line.slice(1),
      `${line}00`,
      'password',
      `${line}x`,
    ]) {
      expect(() => parseKeyFile(text)).toThrow(expect.objectContaining({ code: 'KeyNotUsable' }));
      expect(() => parseKeyFile(text)).not.toThrow(/abab|password/);
    }
  });
});
