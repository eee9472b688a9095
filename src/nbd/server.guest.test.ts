import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../platform/index.ts';
import { serveNbd } from './index.ts';

/** QEMU is whom the server is for: it must read what is there, and see the holes. */
test('qemu-img copies a disk from the server, and reads only where there is data', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-nbd-server-'));
  try {
    const content = Buffer.alloc(64 * 2 ** 20 + 512);
    const data = [
      { offset: 2 ** 20, length: 3 * 2 ** 20 },
      { offset: content.length - 512, length: 512 },
    ];
    for (const { offset, length } of data) content.fill(Buffer.from('holdfast!'), offset, offset + length);
    let readBytes = 0;
    const path = join(directory, 'socket');
    await using _server = await serveNbd({
      path,
      onError: (error) => expect.fail(String(error)),
      exports: new Map([
        [
          'vda',
          {
            sizeBytes: content.length,
            async read(offset, length) {
              readBytes += length;
              return content.subarray(offset, offset + length);
            },
            async allocated(offset, length) {
              return data.flatMap((stretch) => {
                const start = Math.max(offset, stretch.offset);
                const end = Math.min(offset + length, stretch.offset + stretch.length);
                return start < end ? [{ offset: start, length: end - start }] : [];
              });
            },
          },
        ],
      ]),
    });
    const copy = join(directory, 'copy.raw');
    const source = `nbd+unix:///vda?socket=${path}`;
    const timeoutMs = 60_000;
    await run(['qemu-img', 'convert', '-q', '-f', 'raw', '-O', 'raw', source, copy], { timeoutMs });
    expect((await readFile(copy)).equals(content)).toBe(true);
    expect(readBytes).toBeLessThan(4 * 2 ** 20);
    const { stdout } = await run(['qemu-nbd', '--list', '-k', path], { timeoutMs });
    expect(stdout).toContain('vda');
  } finally {
    await rm(directory, { recursive: true });
  }
});
