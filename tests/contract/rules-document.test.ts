import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isErrorCode } from '../../src/errors/index.ts';

const root = join(import.meta.dirname, '../..');
const text = await readFile(join(root, 'docs/rules.md'), 'utf8');

it('names files that are there', () => {
  const files = [...text.matchAll(/`([\w./-]+\.(?:ts|md))`/g)].map(([, file]) => file as string);
  expect(files.length).toBeGreaterThan(50);
  expect(
    files.filter((file) => ![file, `src/protection/${file}`].some((at) => existsSync(join(root, at)))),
  ).toEqual([]);
});

it('names codes of the catalogue as ours', () => {
  const rows = text.slice(text.indexOf('## Codes')).matchAll(/^\| .* \| (.*) \|$/gm);
  const codes = [...rows].flatMap(([, here = '']) =>
    [...here.matchAll(/`([A-Z][\w-]{6,})`/g)].map(([, code]) => code as string),
  );
  expect(codes.length).toBeGreaterThan(30);
  expect(codes.filter((code) => !isErrorCode(code))).toEqual([]);
  const missing = text.slice(text.indexOf('Without a counterpart')).matchAll(/`(\w+)`/g);
  expect([...missing].flatMap(([, code = '']) => (isErrorCode(code) ? [code] : []))).toEqual([]);
});
