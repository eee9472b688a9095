import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunError, run } from '../../src/platform/index.ts';

const timeoutMs = 120_000;
const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** qcow2 by its magic number, otherwise raw; good enough for images of our own making. */
async function formatOf(image: string): Promise<'raw' | 'qcow2'> {
  await using file = await open(image);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
  return bytesRead === 4 && buffer.toString('latin1') === 'QFI\xfb' ? 'qcow2' : 'raw';
}

/**
 * Gives `use` a raw copy of a disk image whose ext4 journal has been replayed, as the next mount would. The image
 * itself is only read. It must stand still meanwhile: a frozen layer, or the disk of a guest that is off or frozen.
 */
async function withReplayedCopy<T>(image: string, use: (copy: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'hf-inspect-'));
  try {
    const copy = join(directory, 'disk.raw');
    const format = await formatOf(image);
    await run(['qemu-img', 'convert', '-q', '-U', '-f', format, '-O', 'raw', image, copy], { timeoutMs });
    try {
      await run(['e2fsck', '-y', '-E', 'journal_only', copy], { timeoutMs, env });
    } catch (error) {
      // Status 1: the journal was replayed.
      if (!(error instanceof RunError) || error.result.code !== 1) throw error;
    }
    return await use(copy);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Reads a file of the ext4 file system that fills a disk image, without the host's kernel touching it. */
export async function readFileInImage(image: string, path: string): Promise<Buffer> {
  return await withReplayedCopy(image, async (copy) => {
    const target = `${copy}.file`;
    await run(['debugfs', '-R', `dump "${path}" "${target}"`, copy], { timeoutMs, env });
    const { stdout } = await run(['base64', target], { timeoutMs });
    return Buffer.from(stdout, 'base64');
  });
}

/** The counter that a guest with `counter` left on this disk. */
export async function readCounter(image: string): Promise<number> {
  const text = (await readFileInImage(image, '/counter')).toString('latin1');
  if (!/^\d{20}\n$/.test(text)) throw new Error(`${image} holds no counter but ${JSON.stringify(text)}.`);
  return Number(text);
}

/** @throws {RunError} with e2fsck's words if the ext4 file system in the image is damaged beyond its journal */
export async function checkFileSystem(image: string): Promise<void> {
  await withReplayedCopy(image, async (copy) => {
    await run(['e2fsck', '-fn', copy], { timeoutMs, env });
  });
}
