import { chownSync } from 'node:fs';
import { mkdir, mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../src/platform/index.ts';
import { attachLoopDevice } from './loop-devices.ts';
import { labOwner } from './session.ts';

/** A disk to make for a guest. */
export interface DiskSpec {
  /** Default: vda, vdb, ... in order. */
  target?: string;
  format: 'qcow2' | 'raw' | 'block';
  /** Default 64 MiB. */
  sizeBytes?: number;
  /** Default: an ext4 file system with these files (path to content) in it; `blank`: all zeros, not mounted. */
  content?: 'blank' | Record<string, string | Uint8Array>;
  /** Images below the disk's own, which is then a qcow2 overlay over them: their formats, the bottom one first. */
  backingChain?: readonly ('raw' | 'qcow2')[];
}

/** A disk as made. */
export interface Disk {
  target: string;
  /** The file or block device that the guest writes to. */
  path: string;
  format: 'qcow2' | 'raw' | 'block';
  sizeBytes: number;
  /** Whether the guest mounts it at /mnt/TARGET. */
  mounted: boolean;
}

const timeoutMs = 120_000;
const defaultSizeBytes = 64 * 1024 * 1024;

/**
 * Makes an ext4 file system in `file`. Nothing of it is left to be initialized later, so that an idle guest writes
 * nothing on its own account.
 */
async function makeFileSystem(file: string, files: Record<string, string | Uint8Array>): Promise<void> {
  const staging = await mkdtemp(`${file}.content-`);
  try {
    for (const [path, data] of Object.entries(files)) {
      await mkdir(dirname(join(staging, path)), { recursive: true });
      await writeFile(join(staging, path), data);
    }
    const options = 'root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard';
    await run(['mke2fs', '-q', '-F', '-t', 'ext4', '-m', '0', '-E', options, '-d', staging, file], {
      timeoutMs,
      env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Makes the disk's files in `directory/disks`, owned by the lab's user. */
export async function createDisk(
  directory: string,
  guest: string,
  spec: DiskSpec,
  index: number,
  counter: boolean,
): Promise<Disk> {
  const target = spec.target ?? `vd${String.fromCharCode('a'.charCodeAt(0) + index)}`;
  const sizeBytes = spec.sizeBytes ?? defaultSizeBytes;
  const chain = spec.backingChain ?? [];
  if (chain.length > 0 && spec.format !== 'qcow2')
    throw new Error('Only a qcow2 disk can have a backing chain.');
  const mounted = spec.content !== 'blank';
  const base = join(directory, 'disks', `${guest}-${target}`);

  const raw = `${base}.making`;
  await (await open(raw, 'wx')).close();
  await truncate(raw, sizeBytes);
  if (spec.content !== 'blank') {
    const zero = `${'0'.repeat(20)}\n`;
    await makeFileSystem(raw, { ...(counter ? { counter: zero } : {}), ...spec.content });
  }
  const formats = [...chain, spec.format];
  let path = '';
  for (const [level, format] of formats.entries()) {
    const isTop = level === formats.length - 1;
    const suffix = format === 'block' ? 'raw' : format;
    const image = isTop ? `${base}.${suffix}` : `${base}.base${level}.${suffix}`;
    const command: [string, ...string[]] =
      level === 0
        ? ['qemu-img', 'convert', '-q', '-f', 'raw', '-O', suffix, raw, image]
        : ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', path, '-F', formats[level - 1] ?? 'raw', image];
    await run(command, { timeoutMs });
    chownSync(image, labOwner.uid, labOwner.gid);
    path = image;
  }
  await rm(raw);
  if (spec.format === 'block') path = await attachLoopDevice(directory, path);
  return { target, path, format: spec.format, sizeBytes, mounted };
}
