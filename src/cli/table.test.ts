import { expect, test } from 'vitest';
import type { Look } from './look.ts';
import { formatFields, formatTable } from './table.ts';

const look: Look = { color: false, unicode: true, live: false, columns: undefined, timeZone: 'UTC' };

test('columns are as wide as their widest cell, numbers end in one line, no blanks trail', () => {
  const columns = [{ header: 'NAME' }, { header: 'SIZE', align: 'right' as const }, { header: 'NOTE' }];
  expect(
    formatTable(
      columns,
      [
        ['web-1', '1.5 GiB', ''],
        ['a-long-name', '12 B', 'x'],
      ],
      look,
    ),
  ).toBe(
    [
      'NAME            SIZE  NOTE', //
      'web-1        1.5 GiB',
      'a-long-name     12 B  x',
      '',
    ].join('\n'),
  );
});

test('wide and combining characters keep the columns straight', () => {
  expect(
    formatTable(
      [{ header: 'VM' }, { header: 'N' }],
      [
        ['日本', '1'],
        ['e\u0301a', '2'],
      ],
      look,
    ),
  ).toBe('VM    N\n日本  1\ne\u0301a    2\n');
});

test('colour goes around the words and counts for no width', () => {
  const rows = [[{ text: 'ok', tone: 'good' as const }, 'x']];
  expect(formatTable([{ header: 'STATE' }, { header: 'Y' }], rows, { ...look, color: true })).toBe(
    '\u001b[1mSTATE\u001b[22m  \u001b[1mY\u001b[22m\n\u001b[32mok\u001b[39m     x\n',
  );
});

test('control characters of a name do not reach the terminal', () => {
  expect(formatTable([{ header: 'NAME' }], [['evil\u001b[2J\nname']], look)).toBe('NAME\nevil [2J name\n');
});

test('facts stand under each other; what is not known is left out', () => {
  expect(
    formatFields(
      [
        ['Name', 'v1'],
        ['Status', { text: 'ready', tone: 'good' }],
        ['Tags', undefined],
        ['Protected items', '2'],
      ],
      look,
    ),
  ).toBe('Name             v1\nStatus           ready\nProtected items  2\n');
});
