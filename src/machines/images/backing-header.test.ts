import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseBacking, readBacking } from './backing-header.ts';
import { imageChain } from './image-info.ts';

interface Made {
  version?: number;
  features?: bigint;
  name?: string;
  extensions?: readonly [type: number, text: string][];
}

const formatExtension = 0xe279_2aca;

/** The header of a qcow2 image: its fields, extensions, and the name of the backing behind them. */
function headerOf({ version = 3, features = 16n, name, extensions = [] }: Made): Buffer {
  const header = Buffer.alloc(4096);
  header.write('QFI\xfb', 0, 'latin1');
  header.writeUInt32BE(version, 4);
  header.writeBigUInt64BE(features, 72);
  header.writeUInt32BE(112, 100);
  let at = 112;
  for (const [type, text] of extensions) {
    header.writeUInt32BE(type, at);
    header.writeUInt32BE(text.length, at + 4);
    header.write(text, at + 8);
    at += 8 + Math.ceil(text.length / 8) * 8;
  }
  at += 8; // the end of the extensions
  if (name !== undefined) {
    header.writeBigUInt64BE(BigInt(at), 8);
    header.writeUInt32BE(Buffer.byteLength(name), 16);
    header.write(name, at);
  }
  return header;
}

test('a header tells its backing and the format of that, among other extensions', () => {
  const other = [0x6803_f857, 'dirty bit names'] as const;
  const format = (text: string) => [formatExtension, text] as const;
  const read = (made: Omit<Made, 'extensions'> & { extensions?: readonly (readonly [number, string])[] }) =>
    parseBacking(headerOf(made as Made));
  expect(read({})).toEqual({ name: undefined, format: undefined });
  expect(read({ name: '/a/ö.img', extensions: [other, format('raw')] })).toEqual({
    name: '/a/ö.img',
    format: 'raw',
  });
  expect(read({ name: 'b.qcow2', extensions: [format('qcow2'), other] })?.format).toBe('qcow2');
  expect(read({ name: 'b.qcow2', extensions: [other] })).toEqual({ name: 'b.qcow2', format: undefined });
});

test.each([
  ['version 2', headerOf({ version: 2, name: '/a' })],
  ['an external data file', headerOf({ features: 4n, name: '/a' })],
  ['a feature of the future', headerOf({ features: 1n << 40n })],
  ['a name beyond what was read', headerOf({ name: '/a' }).subarray(0, 121)],
  ['a name that is too long', headerOf({ name: 'a'.repeat(1024) })],
  [
    'an extension without an end',
    headerOf({ name: '/a', extensions: [[1, 'x'.repeat(200)]] }).fill(255, 116, 120),
  ],
  ['another format', Buffer.alloc(4096)],
  ['nothing', Buffer.alloc(0)],
])('a header with %s is left to QEMU', (_, header) => {
  expect(parseBacking(header)).toBeUndefined();
});

test('a chain is followed by the headers alone, from names that count from where an image lies', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-headers-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const at = (name: string) => join(directory, name);
  const qcow2 = [[formatExtension, 'qcow2']] as [number, string][];
  const raw = [[formatExtension, 'raw']] as [number, string][];
  writeFileSync(at('top'), headerOf({ name: 'middle', extensions: qcow2 }));
  writeFileSync(at('middle'), headerOf({ name: at('base'), extensions: raw }));
  writeFileSync(at('base'), 'anything');
  expect(await imageChain(at('top'), { format: 'qcow2' })).toEqual([
    { path: at('top'), format: 'qcow2' },
    { path: at('middle'), format: 'qcow2' },
    { path: at('base'), format: 'raw' },
  ]);
  writeFileSync(at('middle'), headerOf({ name: 'top', extensions: qcow2 }));
  await expect(imageChain(at('top'), { format: 'qcow2' })).rejects.toThrow('circle');
  writeFileSync(at('middle'), headerOf({ name: 'base' }));
  await expect(imageChain(at('top'), { format: 'qcow2' })).rejects.toThrow('does not tell the format');
  expect(await readBacking(at('missing'))).toBeUndefined();
});
